#include "agent/engine/worker/engine.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <unordered_set>
#include <utility>

#include "agent/engine/worker/worker.hpp"

namespace vmirror {

using namespace std::chrono;

namespace {

/// False: the worker has ended.
bool hand_to(Worker& worker, const std::shared_ptr<Adoption>& adoption) {
  adoption->enter();
  if (worker.slot().post({[adoption](Pipeline& pipeline) { pipeline.adopt(adoption); }}))
    return true;
  adoption->leave();
  return false;
}

}  // namespace

struct Engine::State {
  EngineOptions options;
  mutable std::mutex
      mutex;  ///< Guards the rest, not the workers themselves: they are never removed.
  std::vector<std::unique_ptr<Worker>> workers;
  std::shared_ptr<const MirrorIndex> index;
  std::vector<std::weak_ptr<Adoption>> adoptions;
  std::uint64_t given = 0, refused = 0;  ///< Flows.
  bool stopped = false;

  std::vector<Worker*> all() const {
    const std::lock_guard lock(mutex);
    std::vector<Worker*> out;
    for (const auto& worker : workers) out.push_back(worker.get());
    return out;
  }

  /// Those that are still held. Under the lock.
  std::vector<std::shared_ptr<Adoption>> adopted() {
    std::vector<std::shared_ptr<Adoption>> out;
    std::erase_if(adoptions, [&](const std::weak_ptr<Adoption>& each) {
      if (auto adoption = each.lock()) out.push_back(std::move(adoption));
      return each.expired();
    });
    return out;
  }

  /// Flows that came with this guest and did not go on yet: they leave with it.
  std::vector<HandedFlow> waiting_of(const std::vector<Mac>& macs) {
    const std::lock_guard lock(mutex);
    std::vector<HandedFlow> out;
    for (const auto& adoption : adopted()) {
      const Handover& from = adoption->handover();
      if (std::find_first_of(from.macs.begin(), from.macs.end(), macs.begin(), macs.end()) ==
          from.macs.end())
        continue;
      for (std::size_t i = 0; i < from.flows.size(); ++i)
        if (!adoption->is_claimed(i)) out.push_back(from.flows[i]);
    }
    return out;
  }

  void tell_adopted(EngineCounters& counters) {
    const std::lock_guard lock(mutex);
    std::uint64_t waiting = 0;
    for (const auto& adoption : adopted()) waiting += adoption->waiting();
    counters.adopted.push_back({"given", given});
    if (options.pipeline.baseline) counters.limits.push_back(limit_of(*options.pipeline.baseline));
    counters.limits.push_back(
        {"adopted", "flows of guests that came", options.max_adopted, waiting, refused});
  }
};

Engine::Engine(EngineOptions options) : state_(std::make_unique<State>()) {
  const std::vector<InputOptions> inputs = std::exchange(options.inputs, {});
  state_->options = std::move(options);
  if (const auto& findings = state_->options.pipeline.findings)
    state_->options.pipeline.baseline = std::make_shared<Baseline>(findings->learning);
  for (const InputOptions& input : inputs) add(input);
}

void Engine::add(InputOptions input) {
  const EngineOptions& o = state_->options;
  const std::lock_guard lock(state_->mutex);
  if (state_->stopped) return;
  for (int number = 0; number < std::max(input.workers, 1); ++number) {
    PipelineOptions pipeline = o.pipeline;
    pipeline.input_name = input.name;
    pipeline.decap = input.decap;
    pipeline.identity = input.identity;
    pipeline.reinject = nullptr;
    pipeline.flows.worker = static_cast<std::uint8_t>(state_->workers.size());
    auto& worker = state_->workers.emplace_back(
        std::make_unique<Worker>(input, std::move(pipeline), number, o));
    if (state_->index) worker->slot().watch(state_->index);
    for (const auto& adoption : state_->adopted()) hand_to(*worker, adoption);
    worker->start();
  }
}

Engine::~Engine() {
  stop();
}

// ---- What is known

namespace {

/// Asks all of them, then waits for each: what they answered, in their order.
template <typename Slice>
std::vector<WorkerSlot::Answer<Slice>> ask(const std::vector<Worker*>& workers,
                                           milliseconds patience) {
  const auto now = steady_clock::now();
  std::vector<std::uint64_t> numbers;
  for (Worker* worker : workers) numbers.push_back(worker->slot().request<Slice>(now));
  std::vector<WorkerSlot::Answer<Slice>> out;
  for (std::size_t i = 0; i < numbers.size(); ++i)
    out.push_back(workers[i]->slot().wait<Slice>(numbers[i], patience));
  return out;
}

/// The parts of a list; null for a worker that did not answer.
template <typename Slice>
std::vector<std::shared_ptr<const Slice>> list_of(const std::vector<Worker*>& workers,
                                                  milliseconds patience) {
  std::vector<std::shared_ptr<const Slice>> out;
  for (auto& answer : ask<Slice>(workers, patience))
    out.push_back(answer.late ? nullptr : std::move(answer.slice));
  return out;
}

/// What is told of a worker that does not answer: its last counters, and that they are old.
std::shared_ptr<const EngineCounters> stuck(const Worker& worker,
                                            const WorkerSlot::Answer<EngineCounters>& answer) {
  EngineCounters out = answer.slice ? *answer.slice : EngineCounters{};
  if (out.inputs.empty()) out.inputs.emplace_back().name = worker.input();
  const auto since = duration_cast<seconds>(steady_clock::now() - *answer.late);
  out.inputs.front().error =
      Error{Error::Kind::unreachable,
            "worker " + std::to_string(worker.number()) + " has not answered for " +
                std::to_string(since.count()) + " s: " +
                (answer.slice ? "its numbers are of " + format_time(out.time)
                              : "its numbers are not known"),
            worker.input(), "where that lasts, start vmirrord again"};
  return std::make_shared<const EngineCounters>(std::move(out));
}

}  // namespace

EngineCounters Engine::counters(milliseconds wait) const {
  const std::vector<Worker*> workers = state_->all();
  auto answers = ask<EngineCounters>(workers, wait);
  std::vector<std::shared_ptr<const EngineCounters>> parts;
  for (std::size_t i = 0; i < answers.size(); ++i)
    parts.push_back(answers[i].late ? stuck(*workers[i], answers[i]) : answers[i].slice);
  EngineCounters merged = merge(parts);
  if (std::ranges::count_if(parts, [](const auto& p) { return p->assets_known > 0; }) > 1)
    merged.assets_known = distinct(list_of<KnownAssets>(workers, wait));
  state_->tell_adopted(merged);
  return merged;
}

TopFlows Engine::top_flows(milliseconds wait) const {
  return merge(list_of<TopFlows>(state_->all(), wait), state_->options.pipeline.top_flows);
}

AssetList Engine::assets(milliseconds wait) const {
  return merge(list_of<AssetList>(state_->all(), wait));
}

FindingList Engine::findings(milliseconds wait) const {
  return merge(list_of<FindingList>(state_->all(), wait));
}

std::shared_ptr<const EngineSnapshot> Engine::snapshot(milliseconds wait) const {
  return std::make_shared<const EngineSnapshot>(
      EngineSnapshot{counters(wait), top_flows(wait).flows, assets(wait).assets, nics().nics,
                     findings(wait).findings});
}

void Engine::watch(std::shared_ptr<const MirrorIndex> index) {
  const std::lock_guard lock(state_->mutex);
  state_->index = index;
  for (const auto& worker : state_->workers) worker->slot().watch(index);
}

NicReadings Engine::nics() const {
  NicReadings out;
  out.complete = WorkerSlot::kNothingComes;
  for (Worker* worker : state_->all()) {
    // Before the counts, which have at least what it says.
    out.complete = std::min(out.complete, worker->slot().complete.load(std::memory_order_acquire));
    out.lost += worker->slot().lost.load(std::memory_order_relaxed);
    if (const auto counts = worker->slot().nics()) merge_into(out.nics, counts->read());
  }
  out.time = wall_clock();
  out.complete = std::min(out.complete, out.time);
  return out;
}

void Engine::restart_first_out(const PortKey& nic) {
  for (Worker* worker : state_->all())
    if (const auto counts = worker->slot().nics()) counts->restart_first_out(nic);
}

// ---- Guests that move

Handover Engine::take(std::vector<Mac> macs, const HandoverLimits& limits, milliseconds wait) {
  struct Answers {
    std::mutex mutex;
    std::condition_variable came;
    std::vector<Handover> parts;
  };
  const auto answers = std::make_shared<Answers>();  // Also for one that comes too late.
  const auto now = steady_clock::now();
  WorkerJob job{[=](Pipeline& pipeline) {
                  Handover part = pipeline.take(macs, limits);
                  const std::lock_guard lock(answers->mutex);
                  answers->parts.push_back(std::move(part));
                  answers->came.notify_all();
                },
                now + wait / 2, wall_clock(), now};
  std::vector<HandedFlow> waiting = state_->waiting_of(macs);
  std::size_t posted = 0;
  for (Worker* worker : state_->all()) posted += worker->slot().post(job);
  std::unique_lock lock(answers->mutex);
  answers->came.wait_until(lock, now + wait, [&] { return answers->parts.size() == posted; });
  std::vector<Handover> parts = std::move(answers->parts);
  lock.unlock();
  const std::size_t missing = posted - parts.size();

  // What came with the guest and waits still; a flow that went on meanwhile is a worker's.
  std::unordered_set<std::uint64_t> ids;
  for (const Handover& part : parts)
    for (const HandedFlow& flow : part.flows) ids.insert(flow.flow.flow.id);
  std::erase_if(waiting, [&](const HandedFlow& f) { return ids.contains(f.flow.flow.id); });
  if (!waiting.empty()) parts.emplace_back().flows = std::move(waiting);

  Handover out = merge(std::move(parts), limits);
  out.time = wall_clock();
  out.macs = std::move(macs);
  out.workers_missing = static_cast<std::uint16_t>(missing);
  return out;
}

void Engine::let_go(std::vector<Mac> macs) {
  for (Worker* worker : state_->all())
    worker->slot().post({[macs](Pipeline& pipeline) { pipeline.let_go(macs); }});
}

HandoverResult Engine::give(Handover handover, std::uint64_t encoded_bytes) {
  using Result = HandoverResult::State;
  const std::lock_guard lock(state_->mutex);
  HandoverResult result = result_of(handover, Result::taken, encoded_bytes);
  const auto refuse = [&](std::string reason) {
    state_->refused += handover.flows.size();
    result.state = Result::failed;
    result.reason = std::move(reason);
    return result;
  };
  std::size_t waiting = 0;
  for (const auto& adoption : state_->adopted()) waiting += adoption->waiting();
  if (waiting + handover.flows.size() > state_->options.max_adopted)
    return refuse("flows of other guests that came fill the bound of " +
                  std::to_string(state_->options.max_adopted));
  state_->given += handover.flows.size();
  const auto adoption = std::make_shared<Adoption>(std::move(handover), wall_clock(),
                                                   KeyedHash(state_->options.pipeline.flows.seed));
  bool handed = false;
  for (const auto& worker : state_->workers) handed |= hand_to(*worker, adoption);
  if (!handed) return refuse("the engine has no input");
  state_->adoptions.push_back(adoption);
  return result;
}

bool Engine::finished() const {
  const std::vector<Worker*> workers = state_->all();
  return std::all_of(workers.begin(), workers.end(),
                     [](Worker* worker) { return worker->slot().finished.load(); });
}

void Engine::stop() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopped = true;
  }
  for (Worker* worker : state_->all()) worker->slot().wake();
  for (Worker* worker : state_->all()) worker->join();
}

}  // namespace vmirror
