// A policy: what a person asked for, once, for all hosts. A value: who parsed it and where it is
// kept is nobody's business here.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/model/location.hpp"
#include "plugin/api/model.hpp"
#include "plugin/base/clock.hpp"

namespace vmirror {

/// Which NICs. Every part that isn't empty must match; all are globs as in fnmatch(3), so `*` is
/// any text and `?` any character. At least one part is given.
struct Selector {
  std::string vm;            ///< The VM's name; also its UUID where the switch knows no name.
  std::string uuid;          ///< The VM's UUID, in either case.
  std::string mac;           ///< The NIC's MAC, lower case with colons: "52:54:00:*".
  std::string port;          ///< The port's name on its switch, or the NIC's device on the host.
  std::string title = {};    ///< The VM's title.
  std::string network = {};  ///< The hypervisor's network that the NIC is on.
  /// Open vSwitch's external_ids and the guest's metadata (agent/model/location.hpp). Key -> glob.
  std::map<std::string, std::string> labels;
  bool operator==(const Selector&) const = default;
};

struct Policy {
  std::string name;              ///< Unique; letters, digits, `.`, `_`, `-`.
  std::vector<Selector> select;  ///< Any one that matches selects the NIC.
  Direction direction = Direction::both;
  std::uint32_t snaplen = 0;  ///< Bytes kept of each copy; 0: whole frames.
  /// Only frames of these VLANs, as the switch sees them; 0: untagged ones. Empty: every frame.
  std::set<std::uint16_t> vlans;
  Filter filter;  ///< Of these, the frames that are wanted.
  std::vector<Target> targets;
  int priority = 0;  ///< Of two policies on a NIC and target the higher decides.
  /// Past a budget (agent/model/budget.hpp): bytes left of each copy; 0: no copy is made.
  std::uint32_t truncate = 0;
  std::optional<Time> expires;  ///< From then on it selects nothing.
  /// So long after it was set it selects nothing: agent/control/policy/terms.hpp sets `expires`.
  std::optional<Time> ttl = {};
  Time set_at = 0;  ///< With `ttl`: when it was set, by this host's wall clock; 0: now.
  /// A guest that it selects must not start, or come here, where it can't be mirrored: the
  /// hypervisor's hook refuses it.
  bool require = false;
  /// What becomes of the sensor VM when a guest that it selects migrates.
  enum class Sensor : std::uint8_t {
    stay,    ///< Nothing: every host has an agent.
    follow,  ///< It migrates after its sources.
  };
  Sensor sensor = Sensor::stay;
  bool operator==(const Policy&) const = default;
};

/// True when the selector has the NIC. What a location does not know (a VM, a MAC, a title, a
/// network) is matched by no glob, not even by `*`. Pure.
bool selects(const Selector& selector, const Location& location);

}  // namespace vmirror
