#include "agent/engine/worker.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

namespace vmirror {
namespace {

using namespace std::chrono;

constexpr std::size_t kBatch = 256;  ///< Frames that a source is asked for at once.
constexpr int kWaitMs = 100;         ///< For a batch, and so for a request or the end when idle.

/// What other threads ask of a worker, and what it hands out. The worker looks at `asked` once a
/// batch and takes the lock only where it is set.
class Slot {
 public:
  /// Set by other threads.
  std::atomic<bool> asked{false};
  std::atomic<bool> stop{false};
  std::atomic<bool> finished{false};

  /// Asks for a snapshot: its number, for `wait`.
  std::uint64_t request() {
    const std::lock_guard lock(mutex_);
    snapshot_wanted_ = true;
    asked.store(true, std::memory_order_release);
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
    asked.store(true, std::memory_order_release);
  }
  /// Ends the wait of a worker that sleeps between attempts.
  void wake() {
    const std::lock_guard lock(mutex_);
    stop = true;
    woken_.notify_all();
  }

  // -- by the worker --
  struct Wishes {
    std::uint64_t snapshot = 0;  ///< Number of the last one asked for; 0: none.
    std::optional<std::shared_ptr<const MirrorIndex>> index;
  };
  Wishes take() {
    const std::lock_guard lock(mutex_);
    asked.store(false, std::memory_order_relaxed);
    return {std::exchange(snapshot_wanted_, false) ? requested_ : 0, std::exchange(index_, {})};
  }
  void publish(EngineSnapshot snapshot, std::uint64_t number, bool last) {
    auto value = std::make_shared<const EngineSnapshot>(std::move(snapshot));
    const std::lock_guard lock(mutex_);
    snapshot_ = std::move(value);
    answered_ = std::max(answered_, number);
    ended_ = last;
    published_.notify_all();
  }
  void sleep(milliseconds time) {
    std::unique_lock lock(mutex_);
    woken_.wait_for(lock, time, [&] { return stop.load() || asked.load(); });
  }

 private:
  std::mutex mutex_;
  std::condition_variable published_, woken_;
  bool snapshot_wanted_ = false;
  bool ended_ = false;  ///< The worker's last snapshot is there.
  std::uint64_t requested_ = 0, answered_ = 0;
  std::optional<std::shared_ptr<const MirrorIndex>> index_;
  std::shared_ptr<const EngineSnapshot> snapshot_;
};

/// One worker: a source, a pipeline, a thread.
class Worker {
 public:
  Worker(InputOptions input, PipelineOptions pipeline, int number, milliseconds retry_min,
         milliseconds retry_max)
      : input_(std::move(input)),
        options_(std::move(pipeline)),
        number_(number),
        retry_min_(retry_min),
        retry_max_(retry_max) {}

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
  EngineSnapshot snapshot(const Pipeline& pipeline) const;
  void lost(Error error);

  const InputOptions input_;
  PipelineOptions options_;
  int number_;
  milliseconds retry_min_, retry_max_;
  Slot slot_;
  std::thread thread_;

  // Of the worker's thread.
  std::unique_ptr<Pipeline> pipeline_;
  std::unique_ptr<FrameSource> source_;
  std::optional<Reinjector> reinjector_;
  bool hopeless_ = false;       ///< The source would fail in the same way again.
  std::optional<Error> error_;  ///< What is wrong with the source now.
  std::optional<Error> reinject_error_;
  milliseconds retry_{0};
};

void Worker::attempt() {
  auto source = input_.open(number_);
  if (!source) return lost(source.error());
  source_ = std::move(*source);
  error_.reset();
}

void Worker::lost(Error error) {
  hopeless_ = error.kind == Error::Kind::invalid;
  error_ = std::move(error);
  source_.reset();
  pipeline_->source_reopened();
  pipeline_->tick(wall_clock());
  retry_ = retry_.count() == 0 ? retry_min_ : std::min(retry_ * 2, retry_max_);
}

/// Batches, until the source fails or ends, or the worker is to stop.
void Worker::pump() {
  std::vector<Frame> batch(kBatch);
  while (!slot_.stop.load(std::memory_order_relaxed)) {
    const auto taken = source_->next(batch, kWaitMs);
    pipeline_->source_dropped(source_->dropped());
    if (!taken) return lost(taken.error());
    if (*taken > 0) {
      retry_ = milliseconds(0);
      pipeline_->process(std::span(batch).first(*taken));
    } else if (source_->finished()) {
      return;
    } else {
      pipeline_->tick(wall_clock());
    }
    if (slot_.asked.load(std::memory_order_acquire)) answer(*pipeline_);
  }
}

void Worker::run() {
  if (input_.open_reinjector) {
    auto opened = input_.open_reinjector();
    if (opened) {
      reinjector_.emplace(std::move(*opened));
      options_.reinject = &*reinjector_;
    } else {
      reinject_error_ = opened.error();
    }
  }
  pipeline_ = std::make_unique<Pipeline>(options_);
  while (!slot_.stop) {
    if (!source_) attempt();
    if (source_) pump();
    if (hopeless_ || (source_ && source_->finished())) break;
    if (slot_.asked) answer(*pipeline_);
    if (!source_) slot_.sleep(retry_);
  }
  pipeline_->flush();
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
  if (reinjector_ && reinjector_->error()) input.warnings.push_back(reinjector_->error()->text());
  return out;
}

void Worker::answer(Pipeline& pipeline) {
  const Slot::Wishes wishes = slot_.take();
  if (wishes.index) pipeline.watch(*wishes.index);
  if (wishes.snapshot > 0) slot_.publish(snapshot(pipeline), wishes.snapshot, false);
}

}  // namespace

struct Engine::State {
  EngineOptions options;
  mutable std::mutex
      mutex;  ///< Guards the rest, not the workers themselves: they are never removed.
  std::vector<std::unique_ptr<Worker>> workers;
  std::shared_ptr<const MirrorIndex> index;
  bool stopped = false;

  std::vector<Worker*> all() const {
    const std::lock_guard lock(mutex);
    std::vector<Worker*> out;
    for (const auto& worker : workers) out.push_back(worker.get());
    return out;
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
        std::make_unique<Worker>(input, std::move(pipeline), number, o.retry_min, o.retry_max));
    if (state_->index) worker->slot().watch(state_->index);
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
  return std::make_shared<const EngineSnapshot>(std::move(merged));
}

void Engine::watch(std::shared_ptr<const MirrorIndex> index) {
  const std::lock_guard lock(state_->mutex);
  state_->index = index;
  for (const auto& worker : state_->workers) worker->slot().watch(index);
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
