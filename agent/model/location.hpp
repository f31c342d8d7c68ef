// Where a VM's NIC is. One NIC can have two locations while its guest migrates.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "plugin/base/address.hpp"

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
  std::string switch_name;
  std::string port;
  Presence presence = Presence::active;
  std::string vm_name;       ///< Empty where nobody told it.
  std::string vm_uuid;       ///< Empty where nobody told it.
  std::string interface_id;  ///< The NIC's identity, the same on both hosts of a migration.
  std::optional<Mac> mac;
  std::string title = {};    ///< The VM's, from its hypervisor; empty where nobody told it.
  std::string network = {};  ///< The hypervisor's network that the NIC is on; may be empty.
  /// The switch's (external_ids) and the hypervisor's (its metadata); of one key the latter.
  std::map<std::string, std::string> labels;
  /// The name, else the UUID: what a person sees in the column "vm".
  const std::string& vm() const { return vm_name.empty() ? vm_uuid : vm_name; }
  bool operator==(const Location&) const = default;
};

using Locations = std::vector<Location>;

}  // namespace vmirror
