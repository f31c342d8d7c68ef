// What is remembered in a fixed number of places, by two numbers: a flow and a dissector's key, or
// a keyed hash of 128 bits. When all places are taken, the least recently used of a few gives way.
#pragma once

#include <bit>
#include <cstdint>
#include <utility>
#include <vector>

namespace vmirror {

/// How much of it is in use.
struct LentUse {
  std::uint32_t count = 0;     ///< There are so many places.
  std::uint32_t used = 0;      ///< Of these.
  std::uint64_t gave_way = 0;  ///< Forgotten while their flow was still there.
};

/// `T` is set to T{} when a place is taken. No allocation after construction.
template <typename T>
class Lent {
 public:
  explicit Lent(std::uint32_t count)
      : entries_(count), buckets_(std::bit_ceil(std::size_t{count} + 1), kNil) {}

  /// Null: there is none.
  T* find(std::uint64_t flow, std::uint64_t key) {
    for (std::uint32_t at = bucket(flow); at != kNil; at = entries_[at].next) {
      Entry& entry = entries_[at];
      if (entry.flow != flow || entry.key != key) continue;
      entry.touched = ++clock_;
      return &entry.value;
    }
    return nullptr;
  }
  /// The same; it counts as no use.
  const T* find(std::uint64_t flow, std::uint64_t key) const {
    for (std::uint32_t at = bucket(flow); at != kNil; at = entries_[at].next)
      if (entries_[at].flow == flow && entries_[at].key == key) return &entries_[at].value;
    return nullptr;
  }
  /// The one that is there, or a new one. `give_back(T&)` is told of one that gives way. Null where
  /// there are no places at all.
  template <typename GiveBack>
  T* take(std::uint64_t flow, std::uint64_t key, const GiveBack& give_back) {
    if (T* there = find(flow, key)) return there;
    if (entries_.empty()) return nullptr;
    const std::uint32_t at = free_place(give_back);
    Entry& entry = entries_[at];
    std::uint32_t& first = bucket(flow);
    entry = {flow, key, first, ++clock_, true, T{}};
    first = at;
    ++used_;
    return &entry.value;
  }
  /// Forgets all of a flow that `wanted(key, T&)` says yes to.
  template <typename Wanted, typename GiveBack>
  void forget(std::uint64_t flow, const Wanted& wanted, const GiveBack& give_back) {
    for (std::uint32_t* link = &bucket(flow); *link != kNil;) {
      Entry& entry = entries_[*link];
      if (entry.flow == flow && wanted(entry.key, entry.value)) {
        give_back(entry.value);
        drop(link);
      } else {
        link = &entry.next;
      }
    }
  }
  /// Calls `visit(key, const T&)` for each of a flow.
  template <typename Visit>
  void each_of(std::uint64_t flow, const Visit& visit) {
    for (std::uint32_t at = bucket(flow); at != kNil; at = entries_[at].next)
      if (entries_[at].flow == flow) visit(entries_[at].key, std::as_const(entries_[at].value));
  }
  /// Calls `visit(flow, key, T&)` for each. Looks at all places.
  template <typename Visit>
  void each(const Visit& visit) {
    for (std::uint32_t at = 0; at < fresh_; ++at)
      if (entries_[at].used) visit(entries_[at].flow, entries_[at].key, entries_[at].value);
  }
  template <typename Visit>
  void each(const Visit& visit) const {
    for (std::uint32_t at = 0; at < fresh_; ++at)
      if (entries_[at].used) visit(entries_[at].flow, entries_[at].key, entries_[at].value);
  }

  bool empty() const { return used_ == 0; }
  LentUse use() const { return {static_cast<std::uint32_t>(entries_.size()), used_, gave_way_}; }

 private:
  static constexpr std::uint32_t kNil = 0xffffffff;
  static constexpr std::uint32_t kSample = 8;  ///< Places looked at for who gives way.
  struct Entry {
    std::uint64_t flow = 0, key = 0;
    std::uint32_t next = kNil;  ///< In the bucket's chain, or in the chain of free places.
    std::uint32_t touched = 0;
    bool used = false;
    T value{};
  };

  std::size_t place_of(std::uint64_t flow) const {
    return (flow * 0x9e3779b97f4a7c15ULL >> 32) & (buckets_.size() - 1);
  }
  std::uint32_t& bucket(std::uint64_t flow) { return buckets_[place_of(flow)]; }
  std::uint32_t bucket(std::uint64_t flow) const { return buckets_[place_of(flow)]; }
  template <typename GiveBack>
  std::uint32_t free_place(const GiveBack& give_back) {
    if (free_ == kNil && fresh_ < entries_.size()) return fresh_++;
    if (free_ == kNil) give_way(give_back);
    const std::uint32_t at = free_;
    free_ = entries_[at].next;
    return at;
  }
  template <typename GiveBack>
  void give_way(const GiveBack& give_back) {
    std::uint32_t oldest = hand_;
    for (std::uint32_t i = 0; i < kSample; ++i) {
      hand_ = hand_ + 1 < entries_.size() ? hand_ + 1 : 0;
      if (clock_ - entries_[hand_].touched > clock_ - entries_[oldest].touched) oldest = hand_;
    }
    std::uint32_t* link = &bucket(entries_[oldest].flow);
    while (*link != oldest) link = &entries_[*link].next;
    give_back(entries_[oldest].value);
    drop(link);
    ++gave_way_;
  }
  void drop(std::uint32_t* link) {
    const std::uint32_t at = *link;
    Entry& entry = entries_[at];
    *link = entry.next;
    entry.used = false;
    entry.next = free_;
    free_ = at;
    --used_;
  }

  std::vector<Entry> entries_;
  std::vector<std::uint32_t> buckets_;
  std::uint32_t fresh_ = 0;  ///< Places below were in use at least once.
  std::uint32_t free_ = kNil;
  std::uint32_t used_ = 0, hand_ = 0, clock_ = 0;
  std::uint64_t gave_way_ = 0;
};

}  // namespace vmirror
