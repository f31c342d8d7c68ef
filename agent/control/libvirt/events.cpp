#include "agent/control/libvirt/events.hpp"

#include <libvirt/libvirt.h>

namespace vmirror {
namespace {

using Kind = GuestEvent::Kind;
using State = GuestState;

const char* stopped_detail(int detail) {
  switch (detail) {
    case VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN:
      return "shut down";
    case VIR_DOMAIN_EVENT_STOPPED_DESTROYED:
      return "destroyed";
    case VIR_DOMAIN_EVENT_STOPPED_CRASHED:
      return "crashed";
    case VIR_DOMAIN_EVENT_STOPPED_SAVED:
      return "saved";
    case VIR_DOMAIN_EVENT_STOPPED_FROM_SNAPSHOT:
      return "snapshot";
    default:
      return "failed";
  }
}

const char* suspended_detail(int detail) {
  switch (detail) {
    case VIR_DOMAIN_EVENT_SUSPENDED_IOERROR:
      return "I/O error";
    case VIR_DOMAIN_EVENT_SUSPENDED_WATCHDOG:
      return "watchdog";
    case VIR_DOMAIN_EVENT_SUSPENDED_RESTORED:
      return "restored";
    case VIR_DOMAIN_EVENT_SUSPENDED_FROM_SNAPSHOT:
      return "snapshot";
    case VIR_DOMAIN_EVENT_SUSPENDED_API_ERROR:
      return "error of the hypervisor";
    case VIR_DOMAIN_EVENT_SUSPENDED_POSTCOPY_FAILED:
      return "post-copy failed";
    default:
      return "";
  }
}

Transition started(int detail) {
  switch (detail) {
    case VIR_DOMAIN_EVENT_STARTED_MIGRATED:  // QEMU waits here, paused, for the guest's memory.
      return {Kind::incoming, State::incoming, {}};
    case VIR_DOMAIN_EVENT_STARTED_RESTORED:
      return {Kind::started, State::running, "restored"};
    case VIR_DOMAIN_EVENT_STARTED_FROM_SNAPSHOT:
      return {Kind::started, State::running, "snapshot"};
    case VIR_DOMAIN_EVENT_STARTED_WAKEUP:
      return {Kind::resumed, State::running, "woken up"};
    default:
      return {Kind::started, State::running, {}};
  }
}

Transition suspended(int detail) {
  if (detail == VIR_DOMAIN_EVENT_SUSPENDED_MIGRATED)
    return {Kind::suspended_leaving, State::leaving, {}};
  if (detail == VIR_DOMAIN_EVENT_SUSPENDED_POSTCOPY)  // Follows SUSPENDED_MIGRATED.
    return {Kind::suspended_postcopy, State::leaving, {}};
  return {Kind::suspended, State::suspended, suspended_detail(detail)};
}

Transition resumed(std::optional<State> before, int detail) {
  if (detail == VIR_DOMAIN_EVENT_RESUMED_POSTCOPY)
    return {Kind::resumed_postcopy, State::running, {}};
  // The source resumes after an attempt that failed, whatever the detail.
  if (before == State::leaving) return {Kind::resumed_here, State::running, {}};
  if (detail == VIR_DOMAIN_EVENT_RESUMED_MIGRATED) {
    if (before == State::running) return {Kind::changed, State::running, "post-copy complete"};
    return {Kind::resumed_arrived, State::running, {}};
  }
  if (before == State::incoming) return {Kind::resumed_arrived, State::running, {}};
  // A guest's start: libvirt tells RESUMED_UNPAUSED first, then STARTED_BOOTED.
  if (!before || before == State::off) return {std::nullopt, State::running, {}};
  return {Kind::resumed, State::running, {}};
}

Transition lifecycle(std::optional<State> before, int event, int detail) {
  switch (event) {
    case VIR_DOMAIN_EVENT_DEFINED:
      return {Kind::changed,
              {},
              detail == VIR_DOMAIN_EVENT_DEFINED_RENAMED   ? "renamed"
              : detail == VIR_DOMAIN_EVENT_DEFINED_UPDATED ? "redefined"
                                                           : "defined"};
    case VIR_DOMAIN_EVENT_UNDEFINED:
      // A renamed guest is told as undefined under its old name, then as defined under the new one.
      if (detail == VIR_DOMAIN_EVENT_UNDEFINED_RENAMED) return {{}, {}, {}};
      return {Kind::changed, {}, "undefined"};
    case VIR_DOMAIN_EVENT_STARTED:
      return started(detail);
    case VIR_DOMAIN_EVENT_SUSPENDED:
      return suspended(detail);
    case VIR_DOMAIN_EVENT_RESUMED:
      return resumed(before, detail);
    case VIR_DOMAIN_EVENT_STOPPED:
      if (detail == VIR_DOMAIN_EVENT_STOPPED_MIGRATED) return {Kind::left, State::off, {}};
      return {Kind::stopped, State::off, stopped_detail(detail)};
    case VIR_DOMAIN_EVENT_PMSUSPENDED:
      return {Kind::suspended, State::suspended, "asleep"};
    case VIR_DOMAIN_EVENT_CRASHED:
      return {Kind::suspended, State::suspended, "panicked"};
    default:  // SHUTDOWN: STOPPED follows.
      return {{}, {}, {}};
  }
}

}  // namespace

Transition transition(std::optional<GuestState> before, const DomainEvent& event) {
  switch (event.id) {
    case DomainEvent::Id::lifecycle:
      return lifecycle(before, event.event, event.detail);
    case DomainEvent::Id::iteration:
    case DomainEvent::Id::noted:
      // Of a migration, or of `save`, `dump`, a snapshot: only the job's operation tells.
      return {{}, {}, {}, false, true};
    case DomainEvent::Id::device_added:
      return {Kind::changed, {}, event.text + " attached"};
    case DomainEvent::Id::device_removed:
      return {Kind::changed, {}, event.text + " detached"};
    case DomainEvent::Id::metadata:
      return {Kind::changed,
              {},
              event.event == VIR_DOMAIN_METADATA_TITLE     ? "title"
              : event.event == VIR_DOMAIN_METADATA_ELEMENT ? "metadata"
                                                           : "description"};
    case DomainEvent::Id::leaving:
      return {Kind::leaving, {}, {}, false};
    case DomainEvent::Id::not_leaving:
      return {Kind::not_leaving, {}, {}, false};
    case DomainEvent::Id::job_completed:
      break;
  }
  return {Kind::changed, {}, event.text};
}

std::optional<GuestState> state_of(int state, int reason, std::optional<GuestState> before) {
  switch (state) {
    case VIR_DOMAIN_RUNNING:
    case VIR_DOMAIN_BLOCKED:
    case VIR_DOMAIN_SHUTDOWN:  // On its way there.
      return State::running;
    case VIR_DOMAIN_PMSUSPENDED:
    case VIR_DOMAIN_CRASHED:  // QEMU is kept, for a person to look at.
      return State::suspended;
    case VIR_DOMAIN_PAUSED:
      break;
    default:
      return State::off;
  }
  if (reason == VIR_DOMAIN_PAUSED_POSTCOPY) return State::leaving;
  // On a migration's destination it is `starting up` before it is `migrating`.
  if (reason == VIR_DOMAIN_PAUSED_MIGRATION || reason == VIR_DOMAIN_PAUSED_STARTING_UP) {
    if (before == State::incoming || before == State::leaving) return before;
    return std::nullopt;
  }
  return State::suspended;
}

}  // namespace vmirror
