// Requests that wait for their answers: those of all flows of one worker, in fixed memory. It
// remembers the last `capacity` requests; an older one gives way and counts as unanswered.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "agent/engine/dissect/dissector.hpp"
#include "agent/engine/wire/keyed_hash.hpp"

namespace vmirror {

struct RequestCounters {
  std::uint64_t asked = 0;
  std::uint64_t answered = 0;
  std::uint64_t unanswered = 0;  ///< Expired, replaced by one with the same key, or gave way.
  std::uint64_t gave_way = 0;    ///< Of the unanswered: `capacity` others were asked since.
  std::uint64_t unmatched = 0;   ///< Answers whose request was not seen.
  std::uint64_t moved = 0;       ///< Given away with their flow.
};

class Requests {
 public:
  static constexpr std::size_t kCapacity = 16384;
  static constexpr Time kTimeout = 60 * kSecond;

  /// `capacity` is rounded up to a power of two. Takes about 48 bytes for each, at once.
  explicit Requests(std::size_t capacity = kCapacity, const KeyedHash& hash = KeyedHash());

  void ask(std::uint64_t flow, std::uint64_t key, const Request& request);
  std::optional<Request> answer(std::uint64_t flow, std::uint64_t key);
  /// Forgets what was asked before `now - timeout`, oldest first.
  void expire(Time now, Time timeout = kTimeout);

  /// A request as it waits.
  struct Pending {
    std::uint64_t flow = 0, key = 0;
    Request request;
  };
  /// Those of the flows that `wanted` says yes to (a function of Flow::id), oldest first. Looks at
  /// all.
  template <typename Wanted>
  std::vector<Pending> of(const Wanted& wanted) const {
    std::vector<Pending> out;
    for (std::uint64_t at = begin_; at != end_; ++at)
      if (const Entry& entry = ring_[at & (ring_.size() - 1)]; entry.used && wanted(entry.flow))
        out.push_back({entry.flow, entry.key, entry.request});
    return out;
  }
  /// Forgets the requests of these flows: they wait elsewhere.
  template <typename Wanted>
  void give_away(const Wanted& wanted) {
    for (std::uint64_t at = begin_; at != end_; ++at) {
      const auto index = static_cast<std::uint32_t>(at & (ring_.size() - 1));
      if (!ring_[index].used || !wanted(ring_[index].flow)) continue;
      forget(index);
      --counters_.unanswered;
      ++counters_.moved;
    }
  }

  /// asked = answered + unanswered + moved + pending()
  const RequestCounters& counters() const { return counters_; }
  std::size_t pending() const { return pending_; }

 private:
  struct Entry {
    std::uint64_t flow = 0, key = 0;
    Request request;
    std::uint32_t next = kNil;  ///< In the bucket's chain.
    bool used = false;
  };
  static constexpr std::uint32_t kNil = 0xffffffff;

  std::uint32_t& bucket(std::uint64_t flow, std::uint64_t key);
  void forget(std::uint32_t index);
  std::uint32_t* find(std::uint64_t flow, std::uint64_t key);

  KeyedHash hash_;
  std::vector<Entry> ring_;             ///< In order of time.
  std::vector<std::uint32_t> buckets_;  ///< First entry of each chain.
  std::uint64_t begin_ = 0, end_ = 0;   ///< Positions in the ring, ever growing.
  std::size_t pending_ = 0;
  RequestCounters counters_;
};

}  // namespace vmirror
