// Where a VM's NIC is. One NIC can have two locations while its guest migrates.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "plugin/base/address.hpp"
#include "plugin/base/result.hpp"

namespace vmirror {

enum class Presence : std::uint8_t {
  incoming,  ///< The port is there, the guest does not run on this host yet.
  active,
  gone,  ///< It was here; kept for a while, for people. Nothing is mirrored for it.
};
/// "incoming", "active", "gone"
const char* to_text(Presence presence);

struct Location {
  std::string host;
  std::string switch_name;  ///< Empty: of `no_port`.
  /// The port's name. Of a NIC without one: its device, or where it has none either VM/MAC, whose
  /// `/` is in no device's name.
  std::string port;
  Presence presence = Presence::active;
  std::string vm_name;       ///< Empty where nobody told it.
  std::string vm_uuid;       ///< Empty where nobody told it.
  std::string interface_id;  ///< The NIC's identity, the same on both hosts of a migration.
  std::optional<Mac> mac;
  std::optional<std::uint16_t> vlan = {};  ///< The port's access VLAN.
  std::string title = {};    ///< The VM's, from its hypervisor; empty where nobody told it.
  std::string network = {};  ///< The hypervisor's network that the NIC is on; may be empty.
  /// The switch's (external_ids) and the hypervisor's (its metadata); of one key the latter.
  std::map<std::string, std::string> labels;
  /// Why no switch here has a port for the NIC, so that it can't be mirrored; none: `port` is one.
  std::optional<Error> no_port = {};
  std::string mac_unknown = {};  ///< Why there is no `mac`, in words; may be empty.
  bool link_down = false;  ///< The hypervisor keeps the guest's link down: it receives nothing.
  /// The name, else the UUID: what a person sees in the column "vm".
  const std::string& vm() const { return vm_name.empty() ? vm_uuid : vm_name; }
  bool operator==(const Location&) const = default;
};

using Locations = std::vector<Location>;

}  // namespace vmirror
