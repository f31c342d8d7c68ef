// The view of one guest on this host at one time: its ports and its mirrors. Pure.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "agent/model/guest.hpp"
#include "agent/model/location.hpp"
#include "agent/model/status.hpp"

namespace vmirror {

/// The identity of a guest: its UUID, else "nic " and its first interface id; empty: a guest that
/// cannot migrate.
std::string guest_key(const std::string& uuid, const std::string& interface_id);

struct GuestView {
  std::string uuid, name;                  ///< Empty: not known.
  std::vector<std::string> interface_ids;  ///< Sorted.
  std::optional<GuestState> state;         ///< None: there is no hypervisor's state.
  std::size_t ports = 0;                   ///< On this host's switches.
  Time ports_since = 0;                    ///< When the first port appeared; 0: not known.
  bool incoming = false;                   ///< One of its ports is incoming.
  bool wanted = false;                     ///< A policy wants one of its NICs mirrored.
  bool in_place = false;                   ///< All wanted mirrors were read back.
  Time in_place_since = 0;                 ///< When the last mirror was; 0: not known.
  std::size_t mirrors = 0;                 ///< Mirrors of its ports, on the switch.
  std::string output;  ///< The output port of copies to this agent's engine; empty: none.
  /// Each frame of each NIC is copied to the engine of this agent: the frames can be counted.
  bool countable = false;
  bool operator==(const GuestView&) const = default;

  /// guest_key() of the guest.
  std::string key() const;
};

/// The view of one guest, without `ports_since`. `at`: its locations (without the gone ones);
/// `sessions`: of its ports; `guest`: of the hypervisor, may be null. Any order.
GuestView view_of(std::span<const Location> at, std::span<const SessionStatus> sessions,
                  const Guest* guest);

}  // namespace vmirror
