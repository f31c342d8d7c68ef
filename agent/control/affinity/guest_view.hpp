// What this host shows of one guest at one time: its ports, and its mirrors. Pure.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "agent/model/guest.hpp"
#include "agent/model/location.hpp"
#include "agent/model/status.hpp"

namespace vmirror {

/// Who a guest is: its UUID, else "nic " and its first interface id; empty: nobody that can
/// migrate.
std::string guest_key(const std::string& uuid, const std::string& interface_id);

struct GuestView {
  std::string uuid, name;                  ///< Empty where nobody told it.
  std::vector<std::string> interface_ids;  ///< Sorted.
  std::optional<GuestState> state;         ///< None: no hypervisor tells.
  std::size_t ports = 0;                   ///< On this host's switches.
  Time ports_since = 0;                    ///< When the first of them came; 0: not known.
  bool incoming = false;                   ///< One of its ports is.
  bool wanted = false;                     ///< A policy wants some NIC of it mirrored.
  bool in_place = false;                   ///< All mirrors that are wanted were read back.
  Time in_place_since = 0;                 ///< When the last of them was; 0: not known.
  std::size_t mirrors = 0;                 ///< Of its ports, on the switch.
  std::string output;  ///< The port where copies for this agent's engine come out; empty: none.
  /// Each frame of each NIC is copied to the engine of this agent: they can be counted.
  bool countable = false;
  bool operator==(const GuestView&) const = default;

  /// guest_key() of it.
  std::string key() const;
};

/// Of one guest, without `ports_since`: `at` are its locations (not the gone ones), `sessions`
/// those of their ports, `guest` the hypervisor's word, which may be null. Any order.
GuestView view_of(std::span<const Location> at, std::span<const SessionStatus> sessions,
                  const Guest* guest);

}  // namespace vmirror
