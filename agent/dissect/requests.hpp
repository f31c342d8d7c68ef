// Requests that wait for their answers: those of all flows of one worker, in fixed memory. It
// remembers the last `capacity` requests; an older one gives way and counts as unanswered.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "agent/dissect/dissector.hpp"

namespace vmirror {

struct RequestCounters {
  std::uint64_t asked = 0;
  std::uint64_t answered = 0;
  std::uint64_t unanswered = 0;  ///< Expired, replaced by one with the same key, or gave way.
  std::uint64_t unmatched = 0;   ///< Answers whose request was not seen.
};

class Requests {
 public:
  static constexpr std::size_t kCapacity = 16384;
  static constexpr Time kTimeout = 60 * kSecond;

  /// `capacity` is rounded up to a power of two. Takes about 48 bytes for each, at once.
  explicit Requests(std::size_t capacity = kCapacity);

  void ask(std::uint64_t flow, std::uint64_t key, const Request& request);
  std::optional<Request> answer(std::uint64_t flow, std::uint64_t key);
  /// Forgets what was asked before `now - timeout`, oldest first.
  void expire(Time now, Time timeout = kTimeout);

  /// asked = answered + unanswered + pending()
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

  std::vector<Entry> ring_;             ///< In order of time.
  std::vector<std::uint32_t> buckets_;  ///< First entry of each chain.
  std::uint64_t begin_ = 0, end_ = 0;   ///< Positions in the ring, ever growing.
  std::size_t pending_ = 0;
  RequestCounters counters_;
};

}  // namespace vmirror
