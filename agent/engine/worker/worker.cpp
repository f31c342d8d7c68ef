#include "agent/engine/worker/worker.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace vmirror {

using namespace std::chrono;

namespace {

constexpr int kWaitMs = 100;      ///< For a batch, where the source can't be woken.
constexpr int kSettleStepMs = 5;  ///< The same, while a job waits for what is under way.
/// A source that gave nothing for this long has nothing that came before: longer than a ring's
/// block waits to be full (RingOptions::block_timeout_ms).
constexpr milliseconds kQuiet{30};
/// What one slice has of a list, so that it takes a small part of 0.5 ms: a batch of frames may
/// need most of it. Assets as Inventory::page counts them.
constexpr std::size_t kMacsAtOnce = 4096, kFlowsAtOnce = 128, kAssetWork = 256;
/// While frames come, slices take at most one part in so many of a worker's time.
constexpr int kShare = 10;
/// Where the machine took the core away in the middle of a slice, that is no reason to wait long.
constexpr milliseconds kLongestPause{5};

/// A list's times.
void stamp(auto& list) {
  list.to = wall_clock();
  if (list.from == 0) list.from = list.to;
}

}  // namespace

void Worker::attempt() {
  auto source = input_.open(number_);
  if (!source) return lost(source.error());
  error_.reset();
  source_ = std::move(*source);
  if (!source_) return try_later();
  source_->wake_on(slot_.wake_fd());
}

/// There is no source now.
void Worker::try_later() {
  slot_.complete = WorkerSlot::kNothingComes;
  pipeline_->source_reopened();
  pipeline_->tick(wall_clock());
  retry_ = retry_.count() == 0 ? engine_.retry_min : std::min(retry_ * 2, engine_.retry_max);
  retry_at_ = steady_clock::now() + retry_;
}

void Worker::lost(Error error) {
  hopeless_ = error.kind == Error::Kind::invalid;
  error_ = std::move(error);
  source_.reset();
  try_later();
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
  std::vector<Frame> batch(kBatchFrames);
  slot_.complete = wall_clock();
  while (!slot_.stop.load(std::memory_order_relaxed)) {
    const Time asked = wall_clock();
    const int wait = due_.any() ? 0 : jobs_.empty() ? kWaitMs : kSettleStepMs;
    const auto taken = source_->next(batch, wait);
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
      slot_.complete.store(batch[*taken - 1].time, std::memory_order_release);
      if (!jobs_.empty()) last_batch_ = steady_clock::now();
      if (reinjector_) reinjector_->flush(wall_clock());
    } else if (source_->finished()) {
      return;
    } else {
      const Time before = asked - duration_cast<nanoseconds>(kQuiet).count();
      slot_.complete.store(before, std::memory_order_release);
      idle();
    }
    if (input_.open_reinjector && !reinjector_) open_reinjector();
    if (input_.open_reinjector) tell_reinjection();
    if (slot_.asked.load(std::memory_order_acquire)) answer(*pipeline_);
    if (!jobs_.empty()) do_jobs(*pipeline_);
    if (due_.any() && (*taken == 0 || steady_clock::now() >= next_slice_)) serve_one();
  }
}

/// No frames came. Whoever asks much does not make the pipeline tick more often.
void Worker::idle() {
  const auto now = steady_clock::now();
  if (due_.any() && now - ticked_ < milliseconds(kWaitMs)) return;
  ticked_ = now;
  pipeline_->tick(wall_clock());
  if (reinjector_) reinjector_->flush(wall_clock());
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

/// Once when it begins to fail, and once when it works again.
void Worker::tell_reinjection() {
  const std::optional<Error>& error = reinjector_ ? reinjector_->error() : reinject_error_;
  if (error.has_value() == reinject_told_) return;
  reinject_told_ = error.has_value();
  if (engine_.on_input) engine_.on_input(input_.name + ", re-injection", error ? &*error : nullptr);
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
    if (!source_) serve();
    if (!source_) slot_.sleep(retry_at_);
  }
  slot_.refuse_jobs();
  answer(*pipeline_);
  for (WorkerJob& job : std::exchange(jobs_, {})) job.run(*pipeline_);
  pipeline_->flush();
  if (reinjector_) reinjector_->flush(wall_clock());
  slot_.complete = WorkerSlot::kNothingComes;
  due_ = {1, 1, 1, 1, 1};
  macs_ = {};
  flows_ = {};
  assets_ = {};
  findings_ = {};
  serve();
  slot_.end();
  slot_.finished = true;
}

EngineCounters Worker::counters() const {
  EngineCounters out = pipeline_->known(wall_clock());
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

/// All slices that are due, while no frames can come.
void Worker::serve() {
  while (due_.any()) serve_one();
}

/// One slice, or one part of a list; the shorter ones first.
void Worker::serve_one() {
  const auto begin = steady_clock::now();
  if (due_.counters != 0)
    slot_.publish(counters(), std::exchange(due_.counters, 0));
  else if (due_.macs != 0)
    tell_more(macs_, due_.macs, [this](std::size_t from, KnownAssets& list) {
      return pipeline_->add_asset_keys(from, kMacsAtOnce, list.keys);
    });
  else if (due_.findings != 0)
    tell_more(findings_, due_.findings, [this](std::size_t, FindingList& list) {
      stamp(list);
      pipeline_->add_findings(list.findings);
      return std::size_t{0};
    });
  else if (due_.flows != 0)
    tell_more(flows_, due_.flows, [this](std::size_t from, TopFlows& list) {
      stamp(list);
      return add_flows(from, list.flows);
    });
  else
    tell_more(assets_, due_.assets, [this](std::size_t from, AssetList& list) {
      stamp(list);
      return pipeline_->add_assets(from, kAssetWork, list.assets);
    });
  const auto end = steady_clock::now();
  next_slice_ = end + std::min<steady_clock::duration>((end - begin) * (kShare - 1), kLongestPause);
}

/// `add` goes on with the list from a place on, and answers where it is to go on; 0: at its end.
template <typename List, typename Add>
void Worker::tell_more(Telling<List>& telling, std::uint64_t& due, const Add& add) {
  if (telling.from == 0) telling.number = due;
  telling.from = add(telling.from, telling.list);
  if (telling.from != 0) return slot_.goes_on<List>(steady_clock::now());
  slot_.publish(std::exchange(telling.list, {}), telling.number);
  if (due == telling.number) due = 0;
}

std::size_t Worker::add_flows(std::size_t from, std::vector<Flow>& to) {
  if (from == 0) {
    flow_places_ = pipeline_->top_flows();
    to.reserve(flow_places_.size());
  }
  const std::size_t until = std::min(from + kFlowsAtOnce, flow_places_.size());
  pipeline_->add_flows(std::span(flow_places_).subspan(from, until - from), to);
  return until < flow_places_.size() ? until : 0;
}

void Worker::answer(Pipeline& pipeline) {
  WorkerSlot::Wishes wishes = slot_.take();
  if (wishes.index) {
    pipeline.watch(*wishes.index);
    slot_.publish(pipeline.nic_counts());
  }
  std::move(wishes.jobs.begin(), wishes.jobs.end(), std::back_inserter(jobs_));
  do_jobs(pipeline);
  due_.counters = std::max(due_.counters, wishes.slices.counters);
  due_.macs = std::max(due_.macs, wishes.slices.macs);
  due_.flows = std::max(due_.flows, wishes.slices.flows);
  due_.assets = std::max(due_.assets, wishes.slices.assets);
  due_.findings = std::max(due_.findings, wishes.slices.findings);
}

/// In the order in which they were posted: one that waits lets the later ones wait.
void Worker::do_jobs(Pipeline& pipeline) {
  const auto now = steady_clock::now();
  const auto is_due = [&](const WorkerJob& job) {
    return !job.settle_until || !source_ || now >= *job.settle_until ||
           pipeline.last_frame() >= job.asked || now - std::max(job.posted, last_batch_) >= kQuiet;
  };
  std::size_t done = 0;
  for (; done < jobs_.size() && is_due(jobs_[done]); ++done) jobs_[done].run(pipeline);
  jobs_.erase(jobs_.begin(), jobs_.begin() + static_cast<std::ptrdiff_t>(done));
}

}  // namespace vmirror
