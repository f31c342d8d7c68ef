// The migration tracker's talk with the other agents: who tells what, and what is made of it. See
// migration_tracker.hpp.
#include <algorithm>
#include <utility>

#include "agent/affinity/migration_tracker.hpp"
#include "agent/affinity/time_of_day.hpp"

namespace vmirror {
namespace {

constexpr const char* kHalfUnknown = "its half is not known";

/// Which of two words on one handover is the later.
int rank(HandoverResult::State state) {
  switch (state) {
    case HandoverResult::State::none:
      return 0;
    case HandoverResult::State::sent:
      return 1;
    case HandoverResult::State::failed:
      return 2;
    case HandoverResult::State::taken:
      break;
  }
  return 3;
}

/// Of both hosts' words the one that holds, the same on either: who has the guest knows best.
MigrationState together(MigrationState a, MigrationState b) {
  for (const auto state : {MigrationState::done, MigrationState::lost, MigrationState::aborted})
    if (a == state || b == state) return state;
  return MigrationState::running;
}

bool share_a_nic(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  return std::ranges::any_of(a,
                             [&b](const auto& id) { return std::ranges::find(b, id) != b.end(); });
}

void cap(std::vector<std::string>& notes, std::size_t most) {
  if (notes.size() > most) notes.resize(most);
}

}  // namespace

MigrationTracker::Open* MigrationTracker::find_for(const MigrationMessage& message) {
  for (Open& open : open_)
    if (open.record.id == message.record.id && open.source != message.from_source) return &open;
  for (Open& open : open_) {
    if (open.source == message.from_source || open.outcome || open.other().complete) continue;
    const bool same = !message.record.vm_uuid.empty() && !open.record.vm_uuid.empty()
                          ? message.record.vm_uuid == open.record.vm_uuid
                          : share_a_nic(message.interface_ids, open.interface_ids);
    if (same) return &open;
  }
  return nullptr;
}

const GuestView* MigrationTracker::view_for(const MigrationMessage& message) const {
  if (const auto it = views_.find(message.record.vm_uuid); it != views_.end()) return &it->second;
  for (const auto& [key, view] : views_)
    if ((view.uuid.empty() || message.record.vm_uuid.empty()) &&
        share_a_nic(view.interface_ids, message.interface_ids))
      return &view;
  return nullptr;
}

TrackerActions MigrationTracker::peer_up(const std::string& host, Time now) {
  up_.insert(host);
  down_since_.erase(host);
  for (Open& open : open_)
    if (open.other().host.empty() || open.other().host == host) open.tell = true;
  // A record that was finished without that peer's half: it may be asked for ours, too.
  for (const MigrationRecord& record : finished_) {
    const bool source = record.source.host == options_.host;
    const MigrationHalf& other = source ? record.destination : record.source;
    if (!other.complete && (other.host.empty() || other.host == host))
      actions_.push_back(SendMigration{host, {false, source, record, {}}});
  }
  return flush(now);
}

TrackerActions MigrationTracker::peer_down(const std::string& host, Time now) {
  up_.erase(host);
  down_since_.try_emplace(host, now);
  return flush(now);
}

void MigrationTracker::clock_offset(const std::string& host, std::optional<Time> offset) {
  if (offset)
    offsets_[host] = *offset;
  else
    offsets_.erase(host);
}

TrackerActions MigrationTracker::message(const std::string& host, const MigrationMessage& message,
                                         Time now) {
  // What is finished stays what it was, though the same guest goes the same way again meanwhile.
  const bool finished = std::ranges::any_of(
      finished_, [&](const MigrationRecord& r) { return r.id == message.record.id; });
  Open* open = finished ? nullptr : find_for(message);
  if (open == nullptr && !take_late(host, message)) {
    const GuestView* view = view_for(message);
    // The destination asks who has the guest; or a source tells of one that has just come here.
    const bool begins =
        view != nullptr &&
        (message.from_source ? !message.record.source.complete && (view->incoming || !view->state)
                             : !message.record.destination.complete && !view->incoming);
    if (begins) open = begin(view->key(), !message.from_source, now);
    if (open != nullptr) open->record.id = message.record.id;
    if (open == nullptr) ++counters_.ignored;
  }
  if (open != nullptr) {
    take(*open, host, message, now);
    if (message.asks) open->tell = true;
  }
  return flush(now);
}

void MigrationTracker::take(Open& open, const std::string& host, const MigrationMessage& message,
                            Time now) {
  const MigrationRecord& said = message.record;
  MigrationHalf half = message.from_source ? said.source : said.destination;
  half.host = host;
  cap(half.notes, options_.notes);
  if (half.complete || !open.other().complete) open.other() = std::move(half);
  if (said.state != MigrationState::running) open.theirs = said.state;
  if (open.record.vm_name.empty()) open.record.vm_name = said.vm_name;
  if (rank(said.handover.state) > rank(open.record.handover.state))
    open.record.handover = said.handover;
  if (said.id < open.record.id) {
    if (open.replaces.empty() && !open.tentative) open.replaces = open.record.id;
    open.record.id = said.id;
    open.tell = true;
  } else if (said.id != open.record.id) {
    open.tell = true;  // They take ours.
  }
  const auto offset = offsets_.find(host);
  if (open.source && said.clock_offset)
    open.record.clock_offset = said.clock_offset;
  else if (offset != offsets_.end())
    open.record.clock_offset = open.source ? -offset->second : offset->second;
  if (open.tentative) open.tell = true;
  open.tentative = false;
  open.changed = true;
  if (open.completed) return;

  if (open.theirs == MigrationState::aborted && !open.passed && !open.half().suspended)
    conclude(open, MigrationState::aborted, now);
  if (open.source) hand_over(open);
}

/// A half of a record that was finished without it. False: of none.
bool MigrationTracker::take_late(const std::string& host, const MigrationMessage& message) {
  const bool by_id = std::ranges::any_of(
      finished_, [&](const MigrationRecord& r) { return r.id == message.record.id; });
  for (auto it = finished_.rbegin(); it != finished_.rend(); ++it) {
    MigrationRecord& record = *it;
    MigrationHalf& mine = message.from_source ? record.destination : record.source;
    MigrationHalf& theirs = message.from_source ? record.source : record.destination;
    if (mine.host != options_.host) continue;
    // Told while the two agents did not hear each other, it has two ids.
    const bool same_guest = !by_id && !record.vm_uuid.empty() &&
                            record.vm_uuid == message.record.vm_uuid && !theirs.complete &&
                            (theirs.host.empty() || theirs.host == host) && !message.asks;
    if (record.id != message.record.id && !same_guest) continue;
    std::string replaces;
    if (message.record.id < record.id) replaces = std::exchange(record.id, message.record.id);
    const MigrationHalf& said =
        message.from_source ? message.record.source : message.record.destination;
    const bool more_handover = rank(message.record.handover.state) > rank(record.handover.state);
    if (more_handover) record.handover = message.record.handover;
    if (!theirs.complete) {
      theirs = said;
      theirs.host = host;
      cap(theirs.notes, options_.notes);
      record.state = together(record.state, message.record.state);
      if (theirs.complete)
        std::erase_if(mine.notes, [](const auto& n) { return n.ends_with(kHalfUnknown); });
    } else if (!more_handover) {
      return true;
    }
    actions_.push_back(RecordChanged{record, std::move(replaces)});
    const MigrationHalf& known =
        message.from_source ? message.record.destination : message.record.source;
    if (!known.complete)
      actions_.push_back(SendMigration{host, {false, !message.from_source, record, {}}});
    return true;
  }
  return false;
}

TrackerActions MigrationTracker::handed_over(const std::string& id, const HandoverResult& result,
                                             Time now) {
  const auto by_id = std::ranges::find_if(open_, [&](const Open& o) { return o.record.id == id; });
  // Where the two agents agreed on another id since, the guest is the same.
  const auto it = by_id != open_.end()
                      ? by_id
                      : std::ranges::find(open_, id.substr(0, id.rfind('@')), &Open::guest);
  if (it != open_.end() && rank(result.state) >= rank(it->record.handover.state)) {
    it->record.handover = result;
    it->changed = it->tell = true;
  }
  for (MigrationRecord& record : finished_)
    if (record.id == id && rank(result.state) > rank(record.handover.state)) {
      record.handover = result;
      actions_.push_back(RecordChanged{record, {}});
      const bool source = record.source.host == options_.host;
      const std::string& host = source ? record.destination.host : record.source.host;
      if (!host.empty()) actions_.push_back(SendMigration{host, {false, source, record, {}}});
    }
  return flush(now);
}

MigrationMessage MigrationTracker::message_of(const Open& open, bool asks) const {
  MigrationMessage message{asks, open.source, open.record, open.interface_ids};
  message.record.state = open.verdict;
  return message;
}

void MigrationTracker::send(const Open& open) {
  if (options_.peers.empty()) return;
  const bool known = !open.other().host.empty();
  actions_.push_back(SendMigration{open.other().host, message_of(open, !known && !open.source)});
}

bool MigrationTracker::awaits_other_half(Open& open, Time now) {
  const MigrationHalf& other = open.other();
  if (other.complete) return false;
  const std::string who =
      other.host.empty() ? std::string("the other host") : "the agent on " + other.host;
  if (options_.peers.empty()) {
    note(open, "no other agent is configured: " + std::string(kHalfUnknown));
    return false;
  }
  if (now < *open.completed + options_.patience) return true;
  const auto down = down_since_.find(other.host);
  if (other.host.empty())
    note(open, "no other agent told of the guest: " + std::string(kHalfUnknown));
  else if (down != down_since_.end())
    note(open, who + " is not reachable since " + time_of_day(down->second) + ": " + kHalfUnknown);
  else
    note(open, who + " did not tell all within " + std::to_string(options_.patience / kSecond) +
                   " s: " + kHalfUnknown);
  return false;
}

void MigrationTracker::finish(Open& open) {
  open.record.state = together(open.verdict, open.theirs);
  if (open.tell) send(open);
  actions_.push_back(RecordChanged{open.record, std::exchange(open.replaces, {})});
  actions_.push_back(RecordFinished{open.record});
  ++counters_.finished[open.record.state];
  finished_.push_back(std::move(open.record));
  if (finished_.size() > options_.kept) {
    const std::string uuid = std::move(finished_.front().vm_uuid);
    finished_.pop_front();
    if (latest_of(uuid) == nullptr) completed_.erase(uuid);
    ++counters_.dropped;
  }
}

}  // namespace vmirror
