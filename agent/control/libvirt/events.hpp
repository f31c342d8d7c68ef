// What libvirt's events and states mean for a guest. Pure: a table of what was seen of libvirt 9.0
// (tests/unit/agent/control/libvirt/events_test.cpp has the sequences).
//
// The same event means different things on the two sides of a migration: RESUMED_MIGRATED on the
// destination is the arrival, on the source it is the end of a failed attempt, and after
// RESUMED_POSTCOPY it says only that the memory is complete. So the state before counts, as the
// events themselves made it.
#pragma once

#include <optional>
#include <string>

#include "agent/model/guest.hpp"

namespace vmirror {

/// One of libvirt's events, as its callback tells it.
struct DomainEvent {
  enum class Id : std::uint8_t {
    lifecycle,       ///< virDomainEventType in `event`, its detail in `detail`.
    iteration,       ///< Memory is copied once more, into a migration or into a file.
    device_added,    ///< The alias in `text`; so for the next.
    device_removed,  //
    metadata,        ///< virDomainMetadataType in `event`.
    job_completed,   ///< Its statistics in `text`.
    noted,           ///< No event: libvirtd wrote its note on the guest `name` anew.
    leaving,         ///< No event: the answer to a question of ours; so is the next.
    not_leaving,
  };
  Time time = 0;  ///< When the callback was called.
  std::string uuid, name;
  Id id = Id::lifecycle;
  int event = 0, detail = 0;
  std::string text;
};

struct Transition {
  std::optional<GuestEvent::Kind> kind;  ///< None: nothing to tell; another event says the same.
  std::optional<GuestState> state;       ///< The state after it; none: as before, also if unknown.
  std::string detail;                    ///< GuestEvent::detail.
  bool read = true;                      ///< Whether the guest must be read again.
  bool ask = false;  ///< Whether it must be asked if the guest is being migrated from here.
};

/// What `event` does to a guest whose events so far left it in the state `before` (none: the first
/// that is heard of it).
Transition transition(std::optional<GuestState> before, const DomainEvent& event);

/// The state that libvirt reads out: virDomainState and its reason. `before` as above. None: a
/// guest that is paused for a migration or a start, and `before` does not tell on which side we
/// are.
std::optional<GuestState> state_of(int state, int reason, std::optional<GuestState> before);

}  // namespace vmirror
