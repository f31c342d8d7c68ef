// A ring in order of time, whose entries are also chained by the hash of (flow, key).
#include "agent/engine/dissect/requests.hpp"

#include <bit>

namespace vmirror {

Requests::Requests(std::size_t capacity, const KeyedHash& hash)
    : hash_(hash), ring_(std::bit_ceil(capacity)), buckets_(ring_.size(), kNil) {}

std::uint32_t& Requests::bucket(std::uint64_t flow, std::uint64_t key) {
  return buckets_[hash_.of(flow, key) & (buckets_.size() - 1)];
}

/// The link that leads to the entry, or null.
std::uint32_t* Requests::find(std::uint64_t flow, std::uint64_t key) {
  for (std::uint32_t* link = &bucket(flow, key); *link != kNil; link = &ring_[*link].next) {
    const Entry& entry = ring_[*link];
    if (entry.flow == flow && entry.key == key) return link;
  }
  return nullptr;
}

/// Takes the entry at a ring's place out of its chain, as unanswered.
void Requests::forget(std::uint32_t index) {
  Entry& entry = ring_[index];
  std::uint32_t* link = &bucket(entry.flow, entry.key);
  while (*link != index) link = &ring_[*link].next;
  *link = entry.next;
  entry.used = false;
  --pending_;
  ++counters_.unanswered;
}

void Requests::ask(std::uint64_t flow, std::uint64_t key, const Request& request) {
  ++counters_.asked;
  if (const std::uint32_t* link = find(flow, key)) forget(*link);
  if (end_ - begin_ == ring_.size()) {
    const auto oldest = static_cast<std::uint32_t>(begin_++ & (ring_.size() - 1));
    if (ring_[oldest].used) {
      forget(oldest);
      ++counters_.gave_way;
    }
  }
  const auto index = static_cast<std::uint32_t>(end_++ & (ring_.size() - 1));
  std::uint32_t& first = bucket(flow, key);
  ring_[index] = {flow, key, request, first, true};
  first = index;
  ++pending_;
}

std::optional<Request> Requests::answer(std::uint64_t flow, std::uint64_t key) {
  std::uint32_t* link = find(flow, key);
  if (!link) {
    ++counters_.unmatched;
    return std::nullopt;
  }
  Entry& entry = ring_[*link];
  *link = entry.next;
  entry.used = false;
  --pending_;
  ++counters_.answered;
  return entry.request;
}

void Requests::expire(Time now, Time timeout) {
  for (; begin_ != end_; ++begin_) {
    const auto oldest = static_cast<std::uint32_t>(begin_ & (ring_.size() - 1));
    if (!ring_[oldest].used) continue;
    const Time asked = ring_[oldest].request.time;
    if (asked > now - timeout && !is_ahead(asked, now)) return;
    forget(oldest);
  }
}

}  // namespace vmirror
