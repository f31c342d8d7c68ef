#include "agent/engine/findings/baseline.hpp"

#include <algorithm>
#include <bit>

namespace vmirror {

Baseline::Baseline(Time learning, std::size_t capacity)
    : learning_(learning),
      capacity_(std::max<std::size_t>(capacity, 1)),
      mask_(std::bit_ceil(capacity_ + capacity_ / 3 + 1) - 1),
      places_(std::make_unique<std::atomic<std::uint64_t>[]>(mask_ + 1)) {}

Baseline::Seen Baseline::add(std::uint64_t hash) noexcept {
  const std::uint64_t value = hash | 1;  // A place that is 0 is free.
  for (std::size_t at = (hash >> 1) & mask_;; at = (at + 1) & mask_) {
    std::uint64_t there = places_[at].load(std::memory_order_relaxed);
    if (there == value) return Seen::before;
    if (there != 0) continue;
    if (used_.fetch_add(1, std::memory_order_relaxed) >= capacity_) {
      used_.fetch_sub(1, std::memory_order_relaxed);
      overflowed_.fetch_add(1, std::memory_order_relaxed);
      return Seen::full;
    }
    if (places_[at].compare_exchange_strong(there, value, std::memory_order_relaxed))
      return Seen::now_first;
    used_.fetch_sub(1, std::memory_order_relaxed);  // Another worker took the place.
    if (there == value) return Seen::before;
  }
}

bool Baseline::learns(Time now) noexcept {
  Time began = began_.load(std::memory_order_relaxed);
  if (began == 0 || is_ahead(began, now)) {
    if (began_.compare_exchange_strong(began, now, std::memory_order_relaxed)) began = now;
  }
  return now - began < learning_;
}

Time Baseline::learns_until() const noexcept {
  const Time began = began_.load(std::memory_order_relaxed);
  return began == 0 ? 0 : began + learning_;
}

}  // namespace vmirror
