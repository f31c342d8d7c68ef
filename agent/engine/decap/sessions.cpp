#include "agent/engine/decap/sessions.hpp"

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
  const auto at = std::lower_bound(
      in_order_.begin(), in_order_.end(), entry.counters,
      [](const Entry* a, const SessionCounters& b) { return is_before(a->counters, b); });
  if (at == in_order_.end() || *at != &entry) in_order_.insert(at, &entry);
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

/// A session's first number.
void Sessions::join_sender(Entry& entry) {
  const SessionCounters& c = entry.counters;
  entry.numbered = true;
  Sender& sender = senders_[{c.sender, numbered_as(c.encapsulation)}];
  if (sender.sessions.size() == 1)
    sender.sequence = std::make_unique<SenderSequence>(sender.sessions[0]->window);
  sender.sessions.push_back(&entry);
  if (!sender.sequence) return;
  sender.sequence->add(entry.window);
  for (Entry* session : sender.sessions) session->together = sender.sequence.get();
}

/// Where the numbers don't tell yet, no question is open while both rules come to the same loss.
SequenceRule Sessions::rule_of(const Sender& sender) {
  if (!sender.sequence) return SequenceRule::session;
  const SequenceRule rule = sender.sequence->rule();
  if (rule != SequenceRule::open) return rule;
  std::uint64_t lost = 0;
  for (const Entry* session : sender.sessions) lost += session->window.counts().lost;
  return lost == sender.sequence->counts().lost ? SequenceRule::session : SequenceRule::open;
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
  if (sequence != nullptr && !shared) {
    if (!e.numbered) join_sender(e);
    e.see(*sequence);
  }
  return shared ? accepts(origin) : c.accepted;
}

std::vector<SessionCounters> Sessions::counters() const {
  std::unordered_map<const Entry*, SequenceRule> rules;  // One look at each sender's sessions.
  for (const auto& [key, sender] : senders_) {
    const SequenceRule rule = rule_of(sender);
    for (const Entry* entry : sender.sessions) rules[entry] = rule;
  }
  std::vector<SessionCounters> out;
  out.reserve(in_order_.size());
  for (const Entry* entry : in_order_) {
    SessionCounters& c = out.emplace_back(entry->counters);
    c.sequence = entry->window.counts();
    if (entry->numbered) c.rule = rules.at(entry);
  }
  return out;
}

bool Sessions::is_before(const SessionCounters& a, const SessionCounters& b) {
  return std::tie(a.encapsulation, a.session, a.sender) <
         std::tie(b.encapsulation, b.session, b.sender);
}

std::vector<SenderCounters> Sessions::senders() const {
  std::vector<SenderCounters> out;
  for (const auto& [key, sender] : senders_)
    if (sender.sequence)
      out.push_back({key.first, key.second, sender.sessions.size(), rule_of(sender),
                     sender.sequence->counts()});
  return out;
}

}  // namespace vmirror
