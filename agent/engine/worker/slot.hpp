// Between a worker and all other threads: what they ask of it, and what it hands out.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
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

/// What other threads ask of a worker, and what it hands out. The worker looks at `asked` once a
/// batch and takes the lock only where it is set.
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

  /// Asks for a snapshot: its number, for `wait`.
  std::uint64_t request() {
    const std::lock_guard lock(mutex_);
    snapshot_wanted_ = true;
    ask();
    return ++requested_;
  }
  /// The snapshot of that number or a later one; what there is when it does not come in time.
  std::shared_ptr<const EngineSnapshot> wait(std::uint64_t number,
                                             std::chrono::steady_clock::time_point until) {
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
    std::uint64_t snapshot = 0;  ///< Number of the last one asked for; 0: none.
    std::optional<std::shared_ptr<const MirrorIndex>> index;
    std::vector<WorkerJob> jobs;
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
  void sleep(std::chrono::steady_clock::time_point until) {
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
  std::vector<WorkerJob> jobs_;
  std::shared_ptr<const EngineSnapshot> snapshot_;
  std::shared_ptr<const NicCounts> nics_;
};

}  // namespace vmirror
