#include "agent/engine/worker.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <iterator>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_set>
#include <utility>

namespace vmirror {
namespace {

using namespace std::chrono;

constexpr std::size_t kBatch = 256;  ///< Frames that a source is asked for at once.
constexpr int kWaitMs = 100;         ///< For a batch, where the source can't be woken.
constexpr int kSettleStepMs = 5;     ///< The same, while a job waits for what is under way.
/// A source that gave nothing for this long has nothing that came before: longer than a ring's
/// block waits to be full (RingOptions::block_timeout_ms).
constexpr milliseconds kQuiet{30};

/// Something to be done on a worker's thread between two batches.
struct Job {
  std::function<void(Pipeline&)> run;
  /// Not before all frames were read that came before `asked`, or this moment; none: at once.
  std::optional<steady_clock::time_point> settle_until = {};
  Time asked = 0;
  steady_clock::time_point posted = {};
};

/// What other threads ask of a worker, and what it hands out. The worker looks at `asked` once a
/// batch and takes the lock only where it is set.
class Slot {
 public:
  Slot() : wake_fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}
  ~Slot() {
    if (wake_fd_ >= 0) close(wake_fd_);
  }
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;

  /// Set by other threads.
  std::atomic<bool> asked{false};
  std::atomic<bool> stop{false};
  std::atomic<bool> finished{false};
  std::atomic<std::uint64_t> lost{0};  ///< Drop::kernel; set by the worker.

  /// Asks for a snapshot: its number, for `wait`.
  std::uint64_t request() {
    const std::lock_guard lock(mutex_);
    snapshot_wanted_ = true;
    ask();
    return ++requested_;
  }
  /// The snapshot of that number or a later one; what there is when it does not come in time.
  std::shared_ptr<const EngineSnapshot> wait(std::uint64_t number, steady_clock::time_point until) {
    std::unique_lock lock(mutex_);
    published_.wait_until(lock, until, [&] { return answered_ >= number || ended_; });
    return snapshot_;
  }
  void watch(std::shared_ptr<const MirrorIndex> index) {
    const std::lock_guard lock(mutex_);
    index_ = std::move(index);
    ask();
  }
  /// False: the worker has ended, and does no more.
  bool post(Job job) {
    const std::lock_guard lock(mutex_);
    if (refuses_) return false;
    jobs_.push_back(std::move(job));
    ask();
    return true;
  }
  /// Null: no NIC is watched.
  std::shared_ptr<const NicCounts> nics() const {
    const std::lock_guard lock(mutex_);
    return nics_;
  }
  /// Ends the wait of a worker that sleeps between attempts.
  void wake() {
    const std::lock_guard lock(mutex_);
    stop = true;
    ask();
  }

  // -- by the worker --
  struct Wishes {
    std::uint64_t snapshot = 0;  ///< Number of the last one asked for; 0: none.
    std::optional<std::shared_ptr<const MirrorIndex>> index;
    std::vector<Job> jobs;
  };
  Wishes take() {
    const std::lock_guard lock(mutex_);
    asked.store(false, std::memory_order_relaxed);
    eventfd_t times;
    eventfd_read(wake_fd_, &times);
    return {std::exchange(snapshot_wanted_, false) ? requested_ : 0, std::exchange(index_, {}),
            std::exchange(jobs_, {})};
  }
  /// What is posted from now on would not be done.
  void refuse_jobs() {
    const std::lock_guard lock(mutex_);
    refuses_ = true;
  }
  /// Readable while something is asked.
  int wake_fd() const { return wake_fd_; }
  void publish(EngineSnapshot snapshot, std::uint64_t number, bool last) {
    auto value = std::make_shared<const EngineSnapshot>(std::move(snapshot));
    const std::lock_guard lock(mutex_);
    snapshot_ = std::move(value);
    answered_ = std::max(answered_, number);
    ended_ = last;
    published_.notify_all();
  }
  void publish(std::shared_ptr<const NicCounts> nics) {
    const std::lock_guard lock(mutex_);
    nics_ = std::move(nics);
  }
  /// Until then, or until something is asked.
  void sleep(steady_clock::time_point until) {
    std::unique_lock lock(mutex_);
    woken_.wait_until(lock, until, [&] { return stop.load() || asked.load(); });
  }

 private:
  void ask() {
    asked.store(true, std::memory_order_release);
    eventfd_write(wake_fd_, 1);
    woken_.notify_all();
  }

  const int wake_fd_;
  mutable std::mutex mutex_;
  std::condition_variable published_, woken_;
  bool snapshot_wanted_ = false;
  bool refuses_ = false;  ///< Jobs: nobody would do them.
  bool ended_ = false;    ///< The worker's last snapshot is there.
  std::uint64_t requested_ = 0, answered_ = 0;
  std::optional<std::shared_ptr<const MirrorIndex>> index_;
  std::vector<Job> jobs_;
  std::shared_ptr<const EngineSnapshot> snapshot_;
  std::shared_ptr<const NicCounts> nics_;
};

/// One worker: a source, a pipeline, a thread.
class Worker {
 public:
  /// `engine` outlives it.
  Worker(InputOptions input, PipelineOptions pipeline, int number, const EngineOptions& engine)
      : input_(std::move(input)), options_(std::move(pipeline)), number_(number), engine_(engine) {}

  void start() {
    thread_ = std::thread([this] { run(); });
  }
  void join() {
    if (thread_.joinable()) thread_.join();
  }
  Slot& slot() { return slot_; }

 private:
  void run();
  void attempt();
  void pump();
  void answer(Pipeline& pipeline);
  void do_jobs(Pipeline& pipeline);
  EngineSnapshot snapshot(const Pipeline& pipeline) const;
  void lost(Error error);
  void tell(const Error* error);
  void open_reinjector();

  const InputOptions input_;
  PipelineOptions options_;
  int number_;
  const EngineOptions& engine_;
  Slot slot_;
  std::thread thread_;

  // Of the worker's thread.
  std::unique_ptr<Pipeline> pipeline_;
  std::unique_ptr<FrameSource> source_;
  std::optional<Reinjector> reinjector_;
  bool hopeless_ = false;       ///< The source would fail in the same way again.
  std::optional<Error> error_;  ///< What is wrong with the source now.
  std::optional<Error> reinject_error_;
  steady_clock::time_point reinject_at_ = {};  ///< When it is tried again, while that is of use.
  std::string told_;                           ///< EngineOptions::on_input; empty: frames come.
  milliseconds retry_{0};
  steady_clock::time_point retry_at_ = {};
  std::vector<Job> jobs_;                     ///< That wait for what is under way.
  steady_clock::time_point last_batch_ = {};  ///< While they do.
};

void Worker::attempt() {
  auto source = input_.open(number_);
  if (!source) return lost(source.error());
  source_ = std::move(*source);
  source_->wake_on(slot_.wake_fd());
  error_.reset();
}

void Worker::lost(Error error) {
  hopeless_ = error.kind == Error::Kind::invalid;
  error_ = std::move(error);
  source_.reset();
  pipeline_->source_reopened();
  pipeline_->tick(wall_clock());
  retry_ = retry_.count() == 0 ? engine_.retry_min : std::min(retry_ * 2, engine_.retry_max);
  retry_at_ = steady_clock::now() + retry_;
  tell(&*error_);
}

void Worker::tell(const Error* error) {
  std::string now = error ? error->text() : "";
  if (now == told_) return;
  told_ = std::move(now);
  if (engine_.on_input) engine_.on_input(input_.name, error);
}

/// Batches, until the source fails or ends, or the worker is to stop.
void Worker::pump() {
  std::vector<Frame> batch(kBatch);
  while (!slot_.stop.load(std::memory_order_relaxed)) {
    const auto taken = source_->next(batch, jobs_.empty() ? kWaitMs : kSettleStepMs);
    const std::span<const std::uint64_t, kDropKinds> dropped = source_->dropped();
    pipeline_->source_dropped(dropped);
    constexpr auto kKernel = static_cast<std::size_t>(Drop::kernel);
    slot_.lost.store(pipeline_->counters().dropped[kKernel], std::memory_order_relaxed);
    if (!taken) return lost(taken.error());
    // Before the frames that came after it was asked: a guest's state before its first frame.
    if (slot_.asked.load(std::memory_order_acquire)) answer(*pipeline_);
    if (*taken > 0) {
      retry_ = milliseconds(0);
      if (!told_.empty()) tell(nullptr);
      pipeline_->process(std::span(batch).first(*taken));
      if (!jobs_.empty()) last_batch_ = steady_clock::now();
      if (reinjector_) reinjector_->flush(wall_clock());
    } else if (source_->finished()) {
      return;
    } else {
      pipeline_->tick(wall_clock());
      if (reinjector_) reinjector_->flush(wall_clock());
    }
    if (input_.open_reinjector && !reinjector_) open_reinjector();
    if (slot_.asked.load(std::memory_order_acquire)) answer(*pipeline_);
    if (!jobs_.empty()) do_jobs(*pipeline_);
  }
}

void Worker::open_reinjector() {
  const bool can_come = !reinject_error_ || reinject_error_->kind == Error::Kind::missing;
  const auto now = steady_clock::now();
  if (!can_come || now < reinject_at_) return;
  reinject_at_ = now + std::chrono::seconds(1);
  auto opened = input_.open_reinjector();
  if (opened) {
    reinjector_.emplace(std::move(*opened));
    pipeline_->reinject(&*reinjector_);
    reinject_error_.reset();
  } else {
    reinject_error_ = opened.error();
  }
}

void Worker::run() {
  pipeline_ = std::make_unique<Pipeline>(options_);
  if (input_.open_reinjector) open_reinjector();
  while (!slot_.stop) {
    if (!source_ && steady_clock::now() >= retry_at_) attempt();
    if (source_) pump();
    if (hopeless_ || (source_ && source_->finished())) break;
    if (slot_.asked) answer(*pipeline_);
    if (!source_) do_jobs(*pipeline_);  // Without a source nothing is worth waiting for.
    if (!source_) slot_.sleep(retry_at_);
  }
  slot_.refuse_jobs();
  answer(*pipeline_);
  for (Job& job : std::exchange(jobs_, {})) job.run(*pipeline_);
  pipeline_->flush();
  if (reinjector_) reinjector_->flush(wall_clock());
  slot_.publish(snapshot(*pipeline_), 0, true);
  slot_.finished = true;
}

EngineSnapshot Worker::snapshot(const Pipeline& pipeline) const {
  EngineSnapshot out = pipeline.snapshot(wall_clock());
  InputSnapshot& input = out.inputs.front();
  input.error = error_ ? error_ : reinject_error_;
  if (source_) {
    const std::span<const std::string> warnings = source_->warnings();
    input.warnings.assign(warnings.begin(), warnings.end());
  }
  if (reinjector_) input.reinjected = reinjector_->counters();
  if (reinjector_ && reinjector_->error()) input.warnings.push_back(reinjector_->error()->text());
  return out;
}

void Worker::answer(Pipeline& pipeline) {
  Slot::Wishes wishes = slot_.take();
  if (wishes.index) {
    pipeline.watch(*wishes.index);
    slot_.publish(pipeline.nic_counts());
  }
  std::move(wishes.jobs.begin(), wishes.jobs.end(), std::back_inserter(jobs_));
  do_jobs(pipeline);
  if (wishes.snapshot > 0) slot_.publish(snapshot(pipeline), wishes.snapshot, false);
}

/// In the order in which they were posted: one that waits lets the later ones wait.
void Worker::do_jobs(Pipeline& pipeline) {
  const auto now = steady_clock::now();
  const auto is_due = [&](const Job& job) {
    return !job.settle_until || !source_ || now >= *job.settle_until ||
           pipeline.last_frame() >= job.asked || now - std::max(job.posted, last_batch_) >= kQuiet;
  };
  std::size_t done = 0;
  for (; done < jobs_.size() && is_due(jobs_[done]); ++done) jobs_[done].run(pipeline);
  jobs_.erase(jobs_.begin(), jobs_.begin() + static_cast<std::ptrdiff_t>(done));
}

}  // namespace

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

  void tell_adopted(EngineSnapshot& snapshot) {
    const std::lock_guard lock(mutex);
    std::uint64_t waiting = 0;
    for (const auto& adoption : adopted()) waiting += adoption->waiting();
    snapshot.adopted.push_back({"given", given});
    snapshot.limits.push_back(
        {"adopted", "flows of guests that came", options.max_adopted, waiting, refused});
  }
};

Engine::Engine(EngineOptions options) : state_(std::make_unique<State>()) {
  const std::vector<InputOptions> inputs = std::exchange(options.inputs, {});
  state_->options = std::move(options);
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

std::shared_ptr<const EngineSnapshot> Engine::snapshot(milliseconds wait) {
  const auto until = steady_clock::now() + wait;
  const std::vector<Worker*> workers = state_->all();
  std::vector<std::uint64_t> numbers;
  for (Worker* worker : workers) numbers.push_back(worker->slot().request());
  std::vector<std::shared_ptr<const EngineSnapshot>> parts;
  for (std::size_t i = 0; i < numbers.size(); ++i)
    if (auto part = workers[i]->slot().wait(numbers[i], until)) parts.push_back(std::move(part));
  auto merged = merge(parts, state_->options.pipeline.top_flows);
  merged.time = wall_clock();
  state_->tell_adopted(merged);
  return std::make_shared<const EngineSnapshot>(std::move(merged));
}

void Engine::watch(std::shared_ptr<const MirrorIndex> index) {
  const std::lock_guard lock(state_->mutex);
  state_->index = index;
  for (const auto& worker : state_->workers) worker->slot().watch(index);
}

NicReadings Engine::nics() const {
  NicReadings out;
  for (Worker* worker : state_->all()) {
    out.lost += worker->slot().lost.load(std::memory_order_relaxed);
    if (const auto counts = worker->slot().nics()) merge_into(out.nics, counts->read());
  }
  return out;
}

void Engine::restart_first_out(const Mac& mac) {
  for (Worker* worker : state_->all())
    if (const auto counts = worker->slot().nics()) counts->restart_first_out(mac);
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
  Job job{[=](Pipeline& pipeline) {
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
  const auto adoption = std::make_shared<Adoption>(std::move(handover), wall_clock());
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
