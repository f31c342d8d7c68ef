#include "agent/engine/worker/worker.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace vmirror {

using namespace std::chrono;

namespace {

constexpr std::size_t kBatch = 256;  ///< Frames that a source is asked for at once.
constexpr int kWaitMs = 100;         ///< For a batch, where the source can't be woken.
constexpr int kSettleStepMs = 5;     ///< The same, while a job waits for what is under way.
/// A source that gave nothing for this long has nothing that came before: longer than a ring's
/// block waits to be full (RingOptions::block_timeout_ms).
constexpr milliseconds kQuiet{30};

}  // namespace

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
  slot_.complete = WorkerSlot::kNothingComes;
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
  slot_.complete = wall_clock();
  while (!slot_.stop.load(std::memory_order_relaxed)) {
    const Time asked = wall_clock();
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
      slot_.complete.store(batch[*taken - 1].time, std::memory_order_release);
      if (!jobs_.empty()) last_batch_ = steady_clock::now();
      if (reinjector_) reinjector_->flush(wall_clock());
    } else if (source_->finished()) {
      return;
    } else {
      const Time before = asked - duration_cast<nanoseconds>(kQuiet).count();
      slot_.complete.store(before, std::memory_order_release);
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
  for (WorkerJob& job : std::exchange(jobs_, {})) job.run(*pipeline_);
  pipeline_->flush();
  if (reinjector_) reinjector_->flush(wall_clock());
  slot_.complete = WorkerSlot::kNothingComes;
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
  WorkerSlot::Wishes wishes = slot_.take();
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
  const auto is_due = [&](const WorkerJob& job) {
    return !job.settle_until || !source_ || now >= *job.settle_until ||
           pipeline.last_frame() >= job.asked || now - std::max(job.posted, last_batch_) >= kQuiet;
  };
  std::size_t done = 0;
  for (; done < jobs_.size() && is_due(jobs_[done]); ++done) jobs_[done].run(pipeline);
  jobs_.erase(jobs_.begin(), jobs_.begin() + static_cast<std::ptrdiff_t>(done));
}

}  // namespace vmirror
