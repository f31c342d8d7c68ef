// Between a worker and all other threads: what they ask of it, and what it hands out.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <concepts>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "agent/engine/worker/pipeline.hpp"

namespace vmirror {

/// Something to be done on a worker's thread between two batches.
struct WorkerJob {
  std::function<void(Pipeline&)> run;
  /// Not before all frames were read that came before `asked`, or this moment; none: at once.
  std::optional<std::chrono::steady_clock::time_point> settle_until = {};
  Time asked = 0;
  std::chrono::steady_clock::time_point posted = {};
};

/// For each slice that a worker may be asked for, the number of the last request; 0: none waits.
struct SlicesDue {
  std::uint64_t counters = 0, macs = 0, flows = 0, assets = 0, findings = 0;
  bool any() const { return (counters | macs | flows | assets | findings) != 0; }
};

/// What other threads ask of a worker, and what it hands out. The worker looks at `asked` once a
/// batch and takes the lock only where it is set. Requests for one slice that wait together get one
/// answer.
class WorkerSlot {
 public:
  WorkerSlot() : wake_fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}
  ~WorkerSlot() {
    if (wake_fd_ >= 0) close(wake_fd_);
  }
  WorkerSlot(const WorkerSlot&) = delete;
  WorkerSlot& operator=(const WorkerSlot&) = delete;

  /// Set by other threads.
  std::atomic<bool> asked{false};
  std::atomic<bool> stop{false};
  std::atomic<bool> finished{false};
  std::atomic<std::uint64_t> lost{0};  ///< Drop::kernel; set by the worker.
  /// All frames that were captured until then are counted; set by the worker. kNothingComes: it has
  /// no source.
  std::atomic<Time> complete{kNothingComes};
  static constexpr Time kNothingComes = std::numeric_limits<Time>::max();

  using TimePoint = std::chrono::steady_clock::time_point;
  /// A slice that was waited for.
  template <typename Slice>
  struct Answer {
    std::shared_ptr<const Slice>
        slice;  ///< Null: none was ever there; where it is `late`: an old one.
    std::optional<TimePoint> late = {};  ///< The worker has not answered since then.
  };

  /// Asks for a slice: the request's number, to be passed to `wait` once.
  template <typename Slice>
  std::uint64_t request(TimePoint now) {
    const std::lock_guard lock(mutex_);
    Box<Slice>& box = std::get<Box<Slice>>(boxes_);
    if (!box.waits_since) box.waits_since = now;
    ++box.askers;
    ask();
    return ++box.requested;
  }
  /// The slice of that number or a later one. Waits at most `patience` since the oldest request
  /// that was not answered, or since the list went on: a worker that is stuck is waited for once.
  template <typename Slice>
  Answer<Slice> wait(std::uint64_t number, std::chrono::milliseconds patience) {
    std::vector<std::shared_ptr<const Slice>> old;  // Outlives the lock.
    std::unique_lock lock(mutex_);
    Box<Slice>& box = std::get<Box<Slice>>(boxes_);
    const auto is_there = [&] { return box.answered >= number || ended_; };
    while (!is_there() && std::chrono::steady_clock::now() < *box.waits_since + patience)
      published_.wait_until(lock, *box.waits_since + patience);
    Answer<Slice> out{box.slice, is_there() ? std::nullopt : box.waits_since};
    old.swap(box.old);
    // Counters stay, for as long as the worker is stuck; lists are much memory.
    if (--box.askers == 0 && !ended_ && !std::same_as<Slice, EngineCounters>) box.slice.reset();
    return out;
  }
  void watch(std::shared_ptr<const MirrorIndex> index) {
    const std::lock_guard lock(mutex_);
    index_ = std::move(index);
    ask();
  }
  /// False: the worker has ended, and does no more.
  bool post(WorkerJob job) {
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
    SlicesDue slices;
    std::optional<std::shared_ptr<const MirrorIndex>> index;
    std::vector<WorkerJob> jobs;
  };
  Wishes take() {
    const std::lock_guard lock(mutex_);
    asked.store(false, std::memory_order_relaxed);
    eventfd_t times;
    eventfd_read(wake_fd_, &times);
    return {{due<EngineCounters>(), due<KnownAssets>(), due<TopFlows>(), due<AssetList>(),
             due<FindingList>()},
            std::exchange(index_, {}),
            std::exchange(jobs_, {})};
  }
  /// What is posted from now on would not be done.
  void refuse_jobs() {
    const std::lock_guard lock(mutex_);
    refuses_ = true;
  }
  /// Readable while something is asked.
  int wake_fd() const { return wake_fd_; }
  /// The answer to the requests up to this number.
  template <typename Slice>
  void publish(Slice slice, std::uint64_t number) {
    auto value = std::make_shared<const Slice>(std::move(slice));
    const std::lock_guard lock(mutex_);
    Box<Slice>& box = std::get<Box<Slice>>(boxes_);
    // Not let go by the worker: a list of many assets takes long to free.
    if (box.slice) box.old.push_back(std::move(box.slice));
    box.slice = std::move(value);
    box.answered = std::max(box.answered, number);
    box.waits_since.reset();
    if (box.requested > box.answered) box.waits_since = std::chrono::steady_clock::now();
    published_.notify_all();
  }
  /// One more part of a list that is not whole yet.
  template <typename Slice>
  void goes_on(TimePoint now) {
    const std::lock_guard lock(mutex_);
    std::get<Box<Slice>>(boxes_).waits_since = now;
  }
  /// What was published of each slice is the last.
  void end() {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    published_.notify_all();
  }
  void publish(std::shared_ptr<const NicCounts> nics) {
    const std::lock_guard lock(mutex_);
    nics_ = std::move(nics);
  }
  /// Until then, or until something is asked.
  void sleep(std::chrono::steady_clock::time_point until) {
    std::unique_lock lock(mutex_);
    woken_.wait_until(lock, until, [&] { return stop.load() || asked.load(); });
  }

 private:
  /// The requests for one slice, and the answer to them.
  template <typename Slice>
  struct Box {
    std::uint64_t requested = 0, taken = 0, answered = 0;
    std::size_t askers = 0;  ///< They asked and did not wait yet.
    /// The oldest request that is not answered, or the latest part of its answer.
    std::optional<TimePoint> waits_since;
    std::shared_ptr<const Slice> slice;
    std::vector<std::shared_ptr<const Slice>> old;  ///< To be let go by who waits next.
  };
  template <typename Slice>
  std::uint64_t due() {
    Box<Slice>& box = std::get<Box<Slice>>(boxes_);
    return std::exchange(box.taken, box.requested) == box.requested ? 0 : box.requested;
  }

  void ask() {
    asked.store(true, std::memory_order_release);
    eventfd_write(wake_fd_, 1);
    woken_.notify_all();
  }

  const int wake_fd_;
  mutable std::mutex mutex_;
  std::condition_variable published_, woken_;
  bool refuses_ = false;  ///< Jobs: nobody would do them.
  bool ended_ = false;    ///< There will be no more answers.
  std::tuple<Box<EngineCounters>, Box<KnownAssets>, Box<TopFlows>, Box<AssetList>, Box<FindingList>>
      boxes_;
  std::optional<std::shared_ptr<const MirrorIndex>> index_;
  std::vector<WorkerJob> jobs_;
  std::shared_ptr<const NicCounts> nics_;
};

}  // namespace vmirror
