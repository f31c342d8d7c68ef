// The migration tracker's steps within one half: what a view, an event, a reading or time alone
// makes of it. See migration_tracker.hpp.
#include <algorithm>

#include "agent/control/affinity/migration_tracker.hpp"
#include "plugin/base/text.hpp"

namespace vmirror {
namespace {

constexpr Time kEndReadings = 500 * kMillisecond;     ///< How long they last where the guest runs.
constexpr Time kEndEvery = 50 * kMillisecond;         ///< More than the engine lags behind.
constexpr Time kFrozenEvery = 20 * kMillisecond;      ///< While the guest is suspended.
constexpr Time kFirstFrameSlack = 50 * kMillisecond;  ///< An event may be told so late.

}  // namespace

// ---- Views

void MigrationTracker::look(Open& open, const GuestView& view, Time now) {
  // It left and is back: what its new port counts is of another stay.
  if (open.source && open.is_over() && open.gone && view.ports > 0) return complete(open, now);
  MigrationHalf& half = open.half();
  const MigrationHalf before = half;
  if (!view.name.empty() && open.record.vm_name != view.name) {
    open.record.vm_name = view.name;
    open.changed = true;
  }
  if (!view.interface_ids.empty()) open.interface_ids = view.interface_ids;
  half.mirrored = half.mirrored || view.wanted;
  if (view.wanted) open.countable = view.countable;
  if (view.ports > 0)
    open.gone.reset();
  else if (!open.gone && (half.port_added || open.source || open.restored))
    open.gone = now;

  const bool was_mirrored =
      open.source ? open.had_mirrors : open.has_arrived() && half.mirror_active;
  if (view.ports > 0 && view.wanted && !view.in_place && was_mirrored && !open.is_over()) {
    if (!open.unmirrored) open.unmirrored = now;
  } else if (open.unmirrored) {
    note(open, "its mirrors on " + options_.host + " were not all in place from " +
                   time_of_day(*open.unmirrored) + " to " + time_of_day(now));
    open.unmirrored.reset();
  }
  open.had_mirrors = open.had_mirrors || view.mirrors > 0;
  if (open.source)
    look_source(open, view, now);
  else
    look_destination(open, view, now);
  open.restored = false;
  if (half != before) open.changed = open.tell = true;
}

void MigrationTracker::look_source(Open& open, const GuestView& view, Time now) {
  MigrationHalf& half = open.half();
  if (view.ports > 0) half.port_removed.reset();
  if (view.mirrors > 0) half.mirror_removed.reset();
  // What went while this agent was down went at a time that nobody knows.
  if (open.restored) return;
  if (open.had_mirrors && view.mirrors == 0 && !half.mirror_removed) half.mirror_removed = now;
  if (view.ports == 0 && !half.port_removed) half.port_removed = now;
}

void MigrationTracker::look_destination(Open& open, const GuestView& view, Time now) {
  MigrationHalf& half = open.half();
  open.coming = open.coming || view.incoming || view.state == GuestState::incoming;
  if (view.ports > 0 && !half.port_added && !open.restored && ready_) {
    half.port_added = view.ports_since != 0 ? view.ports_since : now;
    open.next_read = now;  // Where its counters begin.
  }
  if (view.wanted && view.in_place) {
    if (!half.mirror_active)
      half.mirror_active = view.in_place_since != 0 ? view.in_place_since : now;
  } else if (!open.has_arrived()) {
    half.mirror_active.reset();  // Another NIC of it has come.
  }
  if (open.is_over() || !open.coming || view.ports == 0) return;
  // Leaving: it came, and goes on already.
  const bool runs = view.state == GuestState::running || view.state == GuestState::leaving;
  if (runs || view.state == GuestState::suspended) {
    note(open, runs ? "when the guest resumed on " + options_.host + " was not seen"
                    : "the guest came to " + options_.host + " suspended");
    arrived(open, now, {});
  } else if (!options_.hypervisor && !view.incoming) {
    arrived(open, now, {});  // By the switch's word (Port::incoming).
  }
}

// ---- Events

void MigrationTracker::arrived(Open& open, Time now, std::optional<Time> resumed) {
  open.half().resumed = resumed;
  open.tentative = false;
  open.next_read = now;
  open.phase = half::arrive(open.phase, now, now);
  open.changed = open.tell = true;
}

void MigrationTracker::hand_over(Open& open) {
  if (!open.half().suspended || open.handed || !open.half().mirrored || open.other().host.empty())
    return;
  open.handed = true;
  actions_.push_back(HandOverGuest{open.guest, open.record.id, open.other().host});
}

void MigrationTracker::event_source(Open& open, const GuestEvent& event) {
  using Kind = GuestEvent::Kind;
  MigrationHalf& half = open.half();
  if (open.is_over()) return;
  switch (event.kind) {
    case Kind::suspended_leaving:
    case Kind::suspended_postcopy:
      if (event.kind == Kind::suspended_postcopy) half.postcopy = open.changed = open.tell = true;
      if (half.suspended) break;  // libvirt tells of post-copy once more, after the suspension.
      half.suspended = event.time;
      open.phase = half::suspend(open.phase, event.time);
      open.next_read = event.time;
      open.changed = open.tell = true;
      hand_over(open);
      break;
    case Kind::resumed_here:
      half.resumed = event.time;
      conclude(open, MigrationState::aborted, event.time);
      break;
    case Kind::left:
      conclude(open, MigrationState::done, event.time);
      break;
    case Kind::not_leaving: {
      // Its end was not told; or this agent was down, and it has come back since.
      const auto view = views_.find(open.guest);
      const bool is_here = view != views_.end() && (view->second.state == GuestState::running ||
                                                    view->second.state == GuestState::suspended);
      if (is_here) conclude_unseen(open, event.time);
      break;
    }
    case Kind::stopped:
      note(open, "the guest ended on " + options_.host + " at " + time_of_day(event.time) +
                     (event.detail.empty() ? "" : ": " + event.detail));
      conclude(open, MigrationState::lost, event.time);
      break;
    default:
      break;
  }
}

void MigrationTracker::event_destination(Open& open, const GuestEvent& event) {
  using Kind = GuestEvent::Kind;
  switch (event.kind) {
    case Kind::incoming:
      open.coming = true;
      open.tentative = false;
      break;
    case Kind::resumed_arrived:
    case Kind::resumed_postcopy:
      if (open.is_over()) break;
      open.half().postcopy = event.kind == Kind::resumed_postcopy;
      arrived(open, event.time, event.time);
      break;
    case Kind::stopped:
      if (open.is_over()) {
        note(open, "the guest ended on " + options_.host + " at " + time_of_day(event.time));
        break;
      }
      note(open, "the guest did not come to " + options_.host +
                     (event.detail.empty() ? "" : ": " + event.detail));
      conclude(open, MigrationState::aborted, event.time);
      break;
    case Kind::left:  // It went on at once.
      if (open.has_arrived()) complete(open, event.time);
      break;
    default:
      break;
  }
}

// ---- Counters

/// From when on readings are of the end.
std::optional<Time> MigrationTracker::end_begins(const Open& open) const {
  if (const auto at = half::switchover(open.phase))
    return open.source ? *at : *at + options_.run_in;
  return half::over_since(open.phase);
}

Time MigrationTracker::end_lasts(const Open& open) const {
  const bool stands_still = open.source && half::switchover(open.phase) &&
                            half::verdict(open.phase) != MigrationState::aborted;
  return stands_still ? options_.settle : kEndReadings;
}

void MigrationTracker::read(Open& open, Time now) {
  actions_.push_back(ReadCounters{open.guest});
  const auto end = end_begins(open);
  if (!end) {
    open.next_read = now + options_.read_every;
  } else if (now < *end) {
    open.next_read = std::min(now + options_.read_every, *end);
  } else if (now >= *end + end_lasts(open)) {
    open.next_read = kNever;
  } else {
    const bool frozen = std::holds_alternative<half::Suspended>(open.phase);
    open.next_read = now + (frozen ? kFrozenEvery : kEndEvery);
  }
}

void MigrationTracker::count(Open& open, const GuestCounters& reading, Time now) {
  MigrationHalf& half = open.half();
  const auto end = end_begins(open);
  if (end && now >= *end)
    open.ledger.after(reading);
  else if (!open.has_arrived())
    open.ledger.before(reading);
  if (reading.output) open.output = watched(open.output, *reading.output, now);
  if (!reading.copied) return;
  if (open.source) {
    // Later ones are flooded to ports here from the destination.
    const Time last = reading.copied->last_out;
    const bool its = last != 0 && (!half.suspended || last <= *half.suspended);
    if (its && (!half.last_frame || *half.last_frame < last)) {
      half.last_frame = last;
      open.changed = true;
    }
  } else if (open.has_arrived() && !half.first_frame && reading.copied->first_out != 0) {
    if (reading.copied->first_out + kFirstFrameSlack < *half::switchover(open.phase)) {
      // Its broadcasts came by the other mirrored ports before it ran here.
      actions_.push_back(RestartFirstFrame{open.guest});
    } else {
      half.first_frame = reading.copied->first_out;
      open.changed = open.tell = true;
    }
  }
}

// ---- Time

/// What is to be believed where no event tells it.
void MigrationTracker::decide_without_events(Open& open, Time now) {
  const MigrationHalf& half = open.half();
  const MigrationHalf& other = open.other();
  const bool blind = !options_.hypervisor || no_hypervisor_.has_value();
  if (!open.source) {
    if (blind && open.theirs == MigrationState::done && !open.gone)
      arrived(open, now, {});
    else if (open.gone && (blind || now >= *open.gone + options_.linger))
      conclude(open, MigrationState::aborted, now);
  } else if (open.gone) {
    const bool seen = half.suspended || other.resumed || open.theirs == MigrationState::done;
    if (blind || seen)
      conclude(open, MigrationState::done, now);
    else if (now >= *open.gone + options_.linger) {
      note(open, "how the guest left " + options_.host + " was not seen");
      conclude(open, MigrationState::lost, now);
    }
  } else if (open.theirs == MigrationState::aborted && half.suspended && blind) {
    conclude(open, MigrationState::aborted, now);
  }
  if (!open.is_over() && now > open.began + options_.longest) {
    const bool runs_here = open.source && !half.suspended && !open.gone;
    note(open, "no end of it was seen within " + std::to_string(options_.longest / kSecond) + " s" +
                   (runs_here ? "; the guest is still on " + options_.host : ""));
    conclude(open, runs_here ? MigrationState::aborted : MigrationState::lost, now);
  }
}

bool MigrationTracker::has_nothing_more(const Open& open, Time now) const {
  if (!open.is_over()) return false;
  const MigrationState verdict = half::verdict(open.phase);
  const auto end = end_begins(open);
  const bool counted = !end || now >= *end + end_lasts(open);
  if (!open.source && verdict == MigrationState::done) return counted || open.gone;
  if (open.source && verdict == MigrationState::aborted) return counted;
  const bool all_gone =
      open.gone && (!open.had_mirrors || !open.source || open.half().mirror_removed);
  return (all_gone && (counted || !open.source)) ||
         now >= *half::over_since(open.phase) + options_.linger;
}

void MigrationTracker::step(Open& open, Time now) {
  if (open.is_complete()) return;
  if (!open.is_over()) decide_without_events(open, now);
  if (open.source && !open.is_over() && options_.hypervisor && views_.contains(open.guest) &&
      now >= open.next_ask) {
    actions_.push_back(AskLeaving{open.guest});
    open.next_ask = now + options_.ask_every;
  }
  if (has_nothing_more(open, now))
    complete(open, now);
  else if (open.next_read <= now)
    read(open, now);
}

void MigrationTracker::complete(Open& open, Time now, bool stays) {
  MigrationHalf& half = open.half();
  const std::string& host = options_.host;
  open.phase = half::complete(open.phase, now);
  const MigrationState verdict = half::verdict(open.phase);
  // The engine was read to the end: it lets go, before anything is given for another stay.
  const bool left = verdict == (open.source ? MigrationState::done : MigrationState::aborted);
  if (left && !stays && half.mirrored) actions_.push_back(LetGuestGo{open.guest});
  if (!open.tentative && !open.record.vm_uuid.empty()) completed_[open.record.vm_uuid] = now;
  half.ended = now;
  open.changed = open.tell = true;
  if (no_hypervisor_)
    note(open, "libvirt on " + host + " is not reachable since " + time_of_day(*no_hypervisor_));
  if (no_switches_)
    note(open, "the switch on " + host + " can't be read since " + time_of_day(*no_switches_));
  if (open.unmirrored)
    note(open, "its mirrors on " + host + " were not all in place since " +
                   time_of_day(*open.unmirrored));
  // Its frames are to be received on the source until it is suspended, on the destination once it
  // runs.
  const auto [down_from, down_to] = std::pair(open.output.down_from, open.output.down_to);
  const bool matters =
      open.source ? !half.suspended || down_from < *half.suspended
                  : open.has_arrived() && (down_to == 0 || down_to > *half::switchover(open.phase));
  if (down_from != 0 && matters)
    note(open,
         "the port where its copies come out on " + host + " was down " +
             (down_to == 0 ? "since " + time_of_day(down_from)
                           : "between " + time_of_day(down_from) + " and " + time_of_day(down_to)) +
             ": is the switch's daemon running?");
  if (!half.mirrored)
    return note(open, "no policy selects the guest on " + host + ": it was not mirrored there");
  if (open.source && verdict == MigrationState::done && !open.handed &&
      open.record.handover.state == HandoverResult::State::none)
    open.record.handover.reason = open.other().host.empty()
                                      ? "no agent of the destination was known in time"
                                      : "the guest's suspension was not seen on " + host;
  if (!open.countable)
    return note(open, "not all of its frames on " + host +
                          " go to the engine there: they can't be counted");
  if (!open.counted) return;  // The agent was down, and said so.
  if (open.ledger.reset())
    return note(open, "its counters on " + host + " began anew: its frames can't be counted");
  const auto frames = open.ledger.result();
  if (!frames)
    return note(open,
                "its counters on " + host + " were not read in time: its frames can't be counted");
  half.port_frames = frames->port_frames;
  half.copied_frames = frames->copied_frames;
  half.duplicates = open.ledger.duplicates();
  if (frames->uncertain > 0)
    note(open, "up to " + std::to_string(frames->uncertain) + " more frames on " + host +
                   " may not have been copied: the counters moved while they were read");
}

}  // namespace vmirror
