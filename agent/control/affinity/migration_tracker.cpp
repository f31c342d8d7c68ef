#include "agent/control/affinity/migration_tracker.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "agent/control/affinity/set_back.hpp"
#include "plugin/base/text.hpp"

namespace vmirror {
namespace {

constexpr Time kTentative = 10 * kSecond;  ///< For a peer to say that it has the guest, too.
constexpr Time kTick = 100 * kMillisecond;
constexpr const char* kNicPrefix = "nic ";

}  // namespace

// ---- Finding and beginning

MigrationTracker::Open* MigrationTracker::find(const std::string& guest, bool source) {
  for (Open& open : open_)
    if (open.guest == guest && open.source == source && !open.is_complete()) return &open;
  return nullptr;
}

/// What this host still had open of the guest is over, for it moves again.
void MigrationTracker::end_earlier(const std::string& guest, bool source, Time now) {
  for (Open& open : open_) {
    if (open.guest != guest || open.is_complete()) continue;
    const bool stays = !open.is_over() && source;
    conclude(open, MigrationState::done, now);
    complete(open, now, stays);
  }
}

MigrationTracker::Open* MigrationTracker::begin(const std::string& guest, bool source, Time now) {
  end_earlier(guest, source, now);
  if (open_.size() >= options_.open) {
    const auto it = std::ranges::find_if(open_, &Open::tentative);
    if (it == open_.end()) {
      ++counters_.refused;
      return nullptr;
    }
    open_.erase(it);
  }
  Open& open = open_.emplace_back(source);
  open.guest = guest;
  open.record.id = guest + "@" + format_time(now);
  if (!guest.starts_with(kNicPrefix)) open.record.vm_uuid = guest;
  open.half().host = options_.host;
  open.half().began = now;
  open.began = open.next_read = now;
  open.next_ask = now + options_.ask_every;  // The hypervisor may be about to begin.
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
      note(*open, "the agent on " + options_.host + " started at " + time_of_day(now) +
                      ", in the middle of it");
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
  if (open.is_over()) return;
  open.phase = half::end(open.phase, verdict, now);
  open.changed = open.tell = true;
  if (verdict == MigrationState::aborted) open.next_read = now;
}

/// Its end was not told, and will not be: the other agent knows whether the guest went.
void MigrationTracker::conclude_unseen(Open& open, Time now) {
  const bool went = open.theirs == MigrationState::done;
  conclude(open, went ? MigrationState::done : MigrationState::aborted, now);
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
    Open& open = open_.emplace_back(source);
    open.record = std::move(record);
    open.guest = open.record.vm_uuid;
    if (open.guest.empty()) open.guest = open.record.id.substr(0, open.record.id.rfind('@'));
    open.began = open.next_read = now;
    open.counted = false;
    open.restored = true;
    open.coming = !source;
    const auto switchover = source ? open.record.source.suspended : open.record.destination.resumed;
    if (switchover) {
      const Time at = std::min(*switchover, now);  // The clock may have been set back.
      open.phase = source ? half::suspend(open.phase, at) : half::arrive(open.phase, at, now);
    }
    open.handed = open.record.handover.state != HandoverResult::State::none;
    if (const MigrationHalf& half = open.half(); half.ended) {
      const bool went = source ? !half.resumed : half.resumed.has_value();
      const auto verdict = went ? MigrationState::done : MigrationState::aborted;
      open.phase = half::complete(half::end(open.phase, verdict, now), now);
    } else {
      note(open, "the agent on " + options_.host + " was down from " + time_of_day(alive) + " to " +
                     time_of_day(now) + ": frames in between were not analysed");
    }
  }
  while (finished_.size() > options_.kept) finished_.pop_front();
  return flush(now);
}

TrackerActions MigrationTracker::ready(Time now) {
  ready_ = true;
  for (Open& open : open_) {
    if (!open.restored || open.is_complete() || views_.contains(open.guest)) continue;
    look(open, {}, now);
    if (!open.source) conclude_unseen(open, now);  // It did not come, or has gone on.
  }
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
    if (open.guest == key && !open.is_complete()) look(open, view, now);
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
    if (it->is_complete() && it->record.vm_uuid == uuid) return &it->record;
  const auto it = std::find_if(finished_.rbegin(), finished_.rend(),
                               [&uuid](const auto& record) { return record.vm_uuid == uuid; });
  return it == finished_.rend() ? nullptr : &*it;
}

/// The event belongs to a migration that is over: it was told twice, or after others.
bool MigrationTracker::is_late(const GuestEvent& event) const {
  if (const auto at = completed_.find(event.uuid);
      at != completed_.end() && event.time <= at->second)
    return true;
  // The end of post-copy, when its record is complete already.
  const MigrationRecord* record = latest_of(event.uuid);
  return record != nullptr && event.kind == GuestEvent::Kind::resumed_arrived &&
         record->destination.host == options_.host && record->destination.postcopy;
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
    case Kind::leaving:
    case Kind::suspended_leaving:
    case Kind::suspended_postcopy:
      if (source == nullptr && here && !late) source = begin(event.uuid, true, event.time);
      break;
    default:
      break;
  }
  if (source == nullptr && destination == nullptr && event.kind != Kind::changed &&
      event.kind != Kind::started && event.kind != Kind::leaving && event.kind != Kind::not_leaving)
    ++counters_.ignored;
  // The pointers of before may be of records that were completed by the beginning of another.
  if (source != nullptr && !source->is_complete()) event_source(*source, event);
  if (destination != nullptr && !destination->is_complete()) event_destination(*destination, event);
  return flush(event.time);
}

TrackerActions MigrationTracker::counters(const std::string& guest, const GuestCounters& reading,
                                          Time now) {
  for (Open& open : open_)
    if (open.guest == guest && !open.is_complete()) count(open, reading, now);
  return flush(now);
}

TrackerActions MigrationTracker::readable(std::optional<Time>& since, bool readable,
                                          const std::string& what, Time now) {
  if (!readable) {
    if (!since) since = now;
  } else if (since) {
    for (Open& open : open_)
      if (!open.is_complete() && ready_)  // Before, it is the agent that was down.
        note(open, what + " from " + time_of_day(std::max(*since, open.began)) + " to " +
                       time_of_day(now) +
                       ": what happened in between was seen late, or not at all");
    since.reset();
  }
  return flush(now);
}

TrackerActions MigrationTracker::hypervisor(bool ok, Time now) {
  hypervisor_read_ = hypervisor_read_ || ok;
  return readable(no_hypervisor_, ok, "libvirt on " + options_.host + " was not reachable", now);
}

TrackerActions MigrationTracker::switches(bool ok, Time now) {
  return readable(no_switches_, ok, "the switch on " + options_.host + " could not be read", now);
}

/// Lets time pass for all that is open, and tells what became different.
TrackerActions MigrationTracker::flush(Time now) {
  now_ = now;
  for (auto it = open_.begin(); it != open_.end();) {
    Open& open = *it;
    step(open, now);
    const bool over = open.is_complete() && !awaits_other_half(open, now);
    if (open.tentative && (over || open.is_over() || now > open.began + kTentative)) {
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

/// The wall clock was set back. What is told of stays.
void MigrationTracker::go_back(Time by, Time now) {
  const auto move = [by, now](Time& time) { time = set_back(time, by, now); };
  for (Open& open : open_) {
    move(open.began);
    open.next_ask = std::min(open.next_ask, now + options_.ask_every);
    if (open.next_read != kNever) open.next_read = std::min(open.next_read, now);
    open.phase = half::set_back(open.phase, by, now);
    if (open.gone) move(*open.gone);
  }
  for (auto& [uuid, time] : completed_) move(time);
}

TrackerActions MigrationTracker::tick(Time now) {
  if (now < ticked_) go_back(ticked_ - now, now);
  ticked_ = now;
  return flush(now);
}

std::optional<Time> MigrationTracker::wake() const {
  std::optional<Time> first;
  for (const Open& open : open_) {
    Time at = now_ + kTick;
    if (!open.is_complete()) at = std::min(at, std::max(open.next_read, now_ + 5 * kMillisecond));
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
    if (!open.tentative && !open.is_complete()) out.push_back(open.guest);
  return out;
}

TrackerCounters MigrationTracker::counters() const {
  TrackerCounters out = counters_;
  out.open = open_.size();
  out.kept = finished_.size();
  return out;
}

}  // namespace vmirror
