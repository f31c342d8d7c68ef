// The meaning of libvirt's events and states for a guest. Pure: a table of the events seen with
// libvirt 9.0 (tests/unit/agent/control/libvirt/events_test.cpp has the sequences).
//
// The same event means different things on the two sides of a migration: RESUMED_MIGRATED on the
// destination is the arrival; on the source it is the end of a failed attempt; after
// RESUMED_POSTCOPY it means only that the memory is complete. The meaning therefore depends on the
// previous state, which follows from the previous events.
#pragma once

#include <optional>
#include <string>

#include "agent/model/guest.hpp"

namespace vmirror {

/// An event of libvirt, with the arguments of its callback.
struct DomainEvent {
  enum class Id : std::uint8_t {
    lifecycle,       ///< virDomainEventType in `event`, its detail in `detail`.
    iteration,       ///< Another pass through the memory, for a migration or into a file.
    device_added,    ///< The alias in `text`; also for the next kind.
    device_removed,  //
    metadata,        ///< virDomainMetadataType in `event`.
    job_completed,   ///< Its statistics in `text`.
    noted,           ///< No event: libvirtd wrote its status file of the guest `name`.
    leaving,         ///< No event: the answer to ask_leaving(); so is the next kind.
    not_leaving,
  };
  Time time = 0;  ///< The time of the callback.
  std::string uuid, name;
  Id id = Id::lifecycle;
  int event = 0, detail = 0;
  std::string text;
};

struct Transition {
  std::optional<GuestEvent::Kind> kind;  ///< None: no event of ours; another event has the news.
  std::optional<GuestState> state;       ///< The new state; none: as before, also if unknown.
  std::string detail;                    ///< GuestEvent::detail.
  bool read = true;                      ///< The guest must be read again.
  bool ask = false;                      ///< Ask whether the guest is being migrated from here.
};

/// The effect of `event` on a guest in the state `before` by its previous events (none: there was
/// no previous event).
Transition transition(std::optional<GuestState> before, const DomainEvent& event);

/// The state by libvirt's reading: virDomainState and its reason. `before` as above. None: the
/// guest is paused for a migration or a start, and `before` does not tell whether this host is the
/// source.
std::optional<GuestState> state_of(int state, int reason, std::optional<GuestState> before);

}  // namespace vmirror
