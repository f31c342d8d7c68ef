// Who and what was seen before: a set of keyed hashes that all workers of an engine share, so that
// one that another worker has seen is no news. Adding is an atomic exchange of one place, without a
// lock; each is added once, when it is seen for the first time.
//
//   hash ---> place hash mod size, and the next ones until it is found or a place is free
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "plugin/base/clock.hpp"

namespace vmirror {

/// All functions may be called by any thread.
class Baseline {
 public:
  static constexpr std::size_t kDefaultCapacity = 131072;
  /// `learning`: how long all that is seen is known, from the first frame on, in the frames' time.
  explicit Baseline(Time learning, std::size_t capacity = kDefaultCapacity);

  enum class Seen : std::uint8_t {
    before,
    now_first,
    full,  ///< It is not there, and there is no room for it. Counted.
  };
  Seen add(std::uint64_t hash) noexcept;

  /// Whether `now` is in the learning time, which begins with the first call. A clock that was set
  /// back begins it anew.
  bool learns(Time now) noexcept;
  /// When it ends; 0: it has not begun.
  Time learns_until() const noexcept;

  std::size_t capacity() const { return capacity_; }
  std::size_t used() const { return used_.load(std::memory_order_relaxed); }
  std::uint64_t overflowed() const { return overflowed_.load(std::memory_order_relaxed); }

 private:
  Time learning_;
  std::size_t capacity_, mask_;
  std::unique_ptr<std::atomic<std::uint64_t>[]> places_;  ///< 0: free. At most 3 of 4 are taken.
  std::atomic<std::size_t> used_ = 0;
  std::atomic<std::uint64_t> overflowed_ = 0;
  std::atomic<Time> began_ = 0;
};

}  // namespace vmirror
