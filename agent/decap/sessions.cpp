#include "agent/decap/sessions.hpp"

#include <algorithm>
#include <tuple>

namespace vmirror {

bool Sessions::accepts(const Origin& origin) const {
  return accepted_.empty() || origin.encapsulation == Encapsulation::rspan ||
         accepted_.contains(origin.session);
}

Sessions::Entry& Sessions::find(const Origin& origin) {
  Key key{origin.encapsulation, origin.session, origin.sender};
  const auto found = entries_.find(key);
  if (found != entries_.end()) return found->second;
  // Past the bound all share one entry: no encapsulation, session 0, no sender.
  const bool full = entries_.size() + 1 >= Decapsulator::kMaxSessions;
  if (full) key = {};
  Entry& entry = entries_[key];
  entry.counters.encapsulation = key.encapsulation;
  entry.counters.session = key.session;
  entry.counters.sender = key.sender;
  entry.counters.accepted = full || accepts(origin);
  return entry;
}

Sessions::Entry& Sessions::entry(const Origin& origin) {
  if (last_ != nullptr && last_->counters.session == origin.session &&
      last_->counters.encapsulation == origin.encapsulation &&
      last_->counters.sender == origin.sender)
    return *last_;
  last_ = &find(origin);
  return *last_;
}

bool Sessions::count(const Origin& origin, const Frame& frame, const std::uint32_t* sequence) {
  Entry& e = entry(origin);
  SessionCounters& c = e.counters;
  if (c.received++ == 0) c.first = frame.time;
  c.last = frame.time;
  c.bytes += frame.wire_size;
  c.truncated += origin.truncated ? 1 : 0;
  c.bad += origin.bad_frame != 0 ? 1 : 0;
  const bool shared = c.encapsulation == Encapsulation::none;
  if (sequence != nullptr && !shared) e.window.see(*sequence);
  return shared ? accepts(origin) : c.accepted;
}

std::vector<SessionCounters> Sessions::counters() const {
  std::vector<SessionCounters> out;
  out.reserve(entries_.size());
  for (const auto& [key, entry] : entries_) {
    out.push_back(entry.counters);
    const SequenceWindow::Counts& counts = entry.window.counts();
    out.back().lost = counts.lost;
    out.back().reordered = counts.reordered;
    out.back().duplicate = counts.duplicate;
    out.back().restarts = counts.restarts;
  }
  std::sort(out.begin(), out.end(), [](const SessionCounters& a, const SessionCounters& b) {
    return std::tie(a.encapsulation, a.session, a.sender) <
           std::tie(b.encapsulation, b.session, b.sender);
  });
  return out;
}

}  // namespace vmirror
