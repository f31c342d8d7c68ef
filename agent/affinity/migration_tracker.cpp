#include "agent/affinity/migration_tracker.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace vmirror {
namespace {

constexpr const char* kHalfUnknown = "its half is not known";
constexpr Time kTentative = 10 * kSecond;  ///< For a peer to say that it has the guest, too.
constexpr Time kTick = 100 * kMillisecond;
constexpr const char* kNicPrefix = "nic ";

std::string clock(Time time) {
  return format_time(time).substr(11, 10);
}

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

// ---- Finding and beginning

MigrationTracker::Open* MigrationTracker::find(const std::string& guest, bool source) {
  for (Open& open : open_)
    if (open.guest == guest && open.source == source && !open.completed) return &open;
  return nullptr;
}

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

/// What this host still had open of the guest is over, for it moves again.
void MigrationTracker::end_earlier(const std::string& guest, Time now) {
  for (Open& open : open_) {
    if (open.guest != guest || open.completed) continue;
    conclude(open, MigrationState::done, now);
    complete(open, now);
  }
}

MigrationTracker::Open* MigrationTracker::begin(const std::string& guest, bool source, Time now) {
  end_earlier(guest, now);
  if (open_.size() >= options_.open) {
    const auto it = std::ranges::find_if(open_, &Open::tentative);
    if (it == open_.end()) {
      ++counters_.refused;
      return nullptr;
    }
    open_.erase(it);
  }
  Open& open = open_.emplace_back();
  open.guest = guest;
  open.source = source;
  open.record.id = guest + "@" + format_time(now);
  if (!guest.starts_with(kNicPrefix)) open.record.vm_uuid = guest;
  open.half().host = options_.host;
  open.began = open.next_read = now;
  if (const auto view = views_.find(guest); view != views_.end()) look(open, view->second, now);
  return &open;
}

void MigrationTracker::begin_from_view(const GuestView& view, bool appeared, Time now) {
  const std::string key = view.key();
  if (view.ports == 0) return;
  if (view.incoming || view.state == GuestState::incoming) {
    Open* open = begin(key, false, now);
    if (open == nullptr) return;
    open->coming = true;
    if (!ready_)
      note(*open,
           "the agent on " + options_.host + " started at " + clock(now) + ", in the middle of it");
  } else if (appeared && ready_ && !view.state && !options_.hypervisor && !up_.empty()) {
    // Nobody tells what this port is: perhaps another host has the same guest.
    if (Open* open = begin(key, false, now)) open->tentative = true;
  }
}

void MigrationTracker::note(Open& open, std::string text) {
  auto& notes = open.half().notes;
  if (std::ranges::find(notes, text) != notes.end()) return;
  if (notes.size() >= options_.notes) {
    ++counters_.notes_dropped;
    return;
  }
  notes.push_back(std::move(text));
  open.changed = open.tell = true;
}

void MigrationTracker::conclude(Open& open, MigrationState verdict, Time now) {
  if (open.outcome) return;
  open.outcome = now;
  open.verdict = verdict;
  open.changed = open.tell = true;
  if (verdict == MigrationState::aborted) open.next_read = now;
}

// ---- What is told

TrackerActions MigrationTracker::restore(std::vector<MigrationRecord> records, Time alive,
                                         Time now) {
  for (MigrationRecord& record : records) {
    const bool source = record.source.host == options_.host;
    const bool ours = source || record.destination.host == options_.host;
    if (record.state != MigrationState::running || !ours || open_.size() >= options_.open) {
      finished_.push_back(std::move(record));
      continue;
    }
    Open& open = open_.emplace_back();
    open.record = std::move(record);
    open.source = source;
    open.guest = open.record.vm_uuid;
    if (open.guest.empty()) open.guest = open.record.id.substr(0, open.record.id.rfind('@'));
    open.began = open.next_read = now;
    open.counted = false;
    open.restored = true;
    open.coming = !source;
    open.passed = source ? std::nullopt : open.record.destination.resumed;
    if (open.passed) conclude(open, MigrationState::done, now);
    open.handed = open.record.handover.state != HandoverResult::State::none;
    if (const MigrationHalf& half = open.half(); half.complete) {
      const bool went = source ? !half.resumed : half.resumed.has_value();
      open.verdict = went ? MigrationState::done : MigrationState::aborted;
      open.outcome = open.completed = now;
    } else {
      note(open, "the agent on " + options_.host + " was down from " + clock(alive) + " to " +
                     clock(now) + ": frames in between were not analysed");
    }
  }
  while (finished_.size() > options_.kept) finished_.pop_front();
  return flush(now);
}

TrackerActions MigrationTracker::ready(Time now) {
  ready_ = true;
  for (Open& open : open_)
    if (open.restored && !open.completed && !views_.contains(open.guest)) look(open, {}, now);
  return flush(now);
}

TrackerActions MigrationTracker::view(const GuestView& view, Time now) {
  const std::string key = view.key();
  if (key.empty()) return flush(now);
  const bool appeared = !views_.contains(key);
  if (view.ports > 0)
    views_[key] = view;
  else
    views_.erase(key);
  for (Open& open : open_)
    if (open.guest == key && !open.completed) look(open, view, now);
  const Open* destination = find(key, false);
  const Open* source = find(key, true);
  // A port that is incoming while the source's half is open: it came back, and its going was not
  // told.
  if (destination == nullptr && (source == nullptr || view.incoming))
    begin_from_view(view, appeared, now);
  return flush(now);
}

/// The guest's latest record that is complete here; null: none.
const MigrationRecord* MigrationTracker::latest_of(const std::string& uuid) const {
  for (auto it = open_.rbegin(); it != open_.rend(); ++it)
    if (it->completed && it->record.vm_uuid == uuid) return &it->record;
  const auto it = std::find_if(finished_.rbegin(), finished_.rend(),
                               [&uuid](const auto& record) { return record.vm_uuid == uuid; });
  return it == finished_.rend() ? nullptr : &*it;
}

/// The event belongs to a migration that is over: it was told twice, or after others.
bool MigrationTracker::is_late(const GuestEvent& event) const {
  const MigrationRecord* record = latest_of(event.uuid);
  if (record == nullptr) return false;
  const bool source = record->source.host == options_.host;
  const MigrationHalf& half = source ? record->source : record->destination;
  // The end of post-copy, when its record is complete already.
  if (!source && half.postcopy && event.kind == GuestEvent::Kind::resumed_arrived) return true;
  return std::ranges::any_of(
      std::array{half.port_added, half.suspended, half.resumed, half.port_removed},
      [&](const auto& at) { return at && event.time <= *at; });
}

TrackerActions MigrationTracker::event(const GuestEvent& event) {
  using Kind = GuestEvent::Kind;
  Open* source = find(event.uuid, true);
  Open* destination = find(event.uuid, false);
  const bool here = views_.contains(event.uuid);
  const bool late = is_late(event);
  switch (event.kind) {
    case Kind::incoming:
    case Kind::resumed_arrived:
    case Kind::resumed_postcopy: {
      if (destination == nullptr && !late && (event.kind == Kind::incoming || here)) {
        destination = begin(event.uuid, false, event.time);
        if (destination != nullptr && event.kind != Kind::incoming)
          note(*destination, "how it came to " + options_.host + " was not seen");
      }
      break;
    }
    case Kind::iteration:
    case Kind::suspended_leaving:
    case Kind::suspended_postcopy:
      if (source == nullptr && here && !late) source = begin(event.uuid, true, event.time);
      break;
    default:
      break;
  }
  if (source == nullptr && destination == nullptr && event.kind != Kind::changed &&
      event.kind != Kind::started)
    ++counters_.ignored;
  // The pointers of before may be of records that were completed by the beginning of another.
  if (source != nullptr && !source->completed) event_source(*source, event);
  if (destination != nullptr && !destination->completed) event_destination(*destination, event);
  return flush(event.time);
}

TrackerActions MigrationTracker::counters(const std::string& guest, const GuestCounters& reading,
                                          Time now) {
  for (Open& open : open_)
    if (open.guest == guest && !open.completed) count(open, reading, now);
  return flush(now);
}

TrackerActions MigrationTracker::readable(std::optional<Time>& since, bool readable,
                                          const std::string& what, Time now) {
  if (!readable) {
    if (!since) since = now;
  } else if (since) {
    for (Open& open : open_)
      if (!open.completed)
        note(open, what + " from " + clock(std::max(*since, open.began)) + " to " + clock(now) +
                       ": what happened in between was seen late, or not at all");
    since.reset();
  }
  return flush(now);
}

TrackerActions MigrationTracker::hypervisor(bool ok, Time now) {
  return readable(no_hypervisor_, ok, "libvirt on " + options_.host + " was not reachable", now);
}

TrackerActions MigrationTracker::switches(bool ok, Time now) {
  return readable(no_switches_, ok, "the switch on " + options_.host + " could not be read", now);
}

// ---- The other agents

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
  Open* open = find_for(message);
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
  for (auto it = finished_.rbegin(); it != finished_.rend(); ++it) {
    MigrationRecord& record = *it;
    MigrationHalf& mine = message.from_source ? record.destination : record.source;
    MigrationHalf& theirs = message.from_source ? record.source : record.destination;
    if (mine.host != options_.host) continue;
    // Told while the two agents did not hear each other, it has two ids.
    const bool same_guest = !record.vm_uuid.empty() && record.vm_uuid == message.record.vm_uuid &&
                            !theirs.complete && (theirs.host.empty() || theirs.host == host) &&
                            !message.asks;
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
    note(open, who + " is not reachable since " + clock(down->second) + ": " + kHalfUnknown);
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
    finished_.pop_front();
    ++counters_.dropped;
  }
}

/// Lets time pass for all that is open, and tells what became different.
TrackerActions MigrationTracker::flush(Time now) {
  now_ = std::max(now_, now);
  for (auto it = open_.begin(); it != open_.end();) {
    Open& open = *it;
    step(open, now);
    const bool over = open.completed && !awaits_other_half(open, now);
    if (open.tentative && (over || open.outcome || now > open.began + kTentative)) {
      it = open_.erase(it);
      continue;
    }
    if (over) {
      finish(open);
      it = open_.erase(it);
      continue;
    }
    if (open.changed && !open.tentative)
      actions_.push_back(RecordChanged{open.record, std::exchange(open.replaces, {})});
    if (open.tell) send(open);
    open.changed = open.tell = false;
    ++it;
  }
  return std::exchange(actions_, {});
}

TrackerActions MigrationTracker::tick(Time now) {
  return flush(now);
}

std::optional<Time> MigrationTracker::wake() const {
  std::optional<Time> first;
  for (const Open& open : open_) {
    Time at = now_ + kTick;
    if (!open.completed) at = std::min(at, std::max(open.next_read, now_ + 5 * kMillisecond));
    if (!first || at < *first) first = at;
  }
  return first;
}

// ---- What is known

std::vector<MigrationRecord> MigrationTracker::records() const {
  std::vector<MigrationRecord> out(finished_.begin(), finished_.end());
  for (const Open& open : open_)
    if (!open.tentative) out.push_back(open.record);
  return out;
}

std::vector<std::string> MigrationTracker::migrating() const {
  std::vector<std::string> out;
  for (const Open& open : open_)
    if (!open.tentative && !open.completed) out.push_back(open.guest);
  return out;
}

TrackerCounters MigrationTracker::counters() const {
  TrackerCounters out = counters_;
  out.open = open_.size();
  out.kept = finished_.size();
  return out;
}

}  // namespace vmirror
