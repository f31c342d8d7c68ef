// The mirror index: what the control side tells the engine of the NICs that it mirrors, as one
// immutable value. The engine counts these NICs' frames (coverage), and names the guest behind a
// MAC or a session.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "plugin/api/model.hpp"
#include "plugin/base/address.hpp"
#include "plugin/base/persistent_map.hpp"

namespace vmirror {

/// One NIC whose copies this engine should see.
struct WatchedNic {
  Mac mac;                ///< The guest's: its key in an index.
  std::string vm = {};    ///< What a person calls the guest; may be empty.
  std::string port = {};  ///< "br0/vnet0": of people and of the switch's counters.
  Direction direction = Direction::both;
  std::optional<std::uint16_t> vlan = {};  ///< Access VLAN: broadcasts of others never reach it.
  std::optional<std::uint32_t> session_id = {};  ///< ERSPAN session ID or GRE key of its copies.
  std::string session = {};                      ///< The name of the session whose copies they are.
  bool operator==(const WatchedNic&) const = default;
};

/// A copy costs nothing that grows with the number of NICs, nor does a comparison with its
/// ancestor.
struct MirrorIndex {
  PersistentMap<Mac, WatchedNic> nics;
  bool operator==(const MirrorIndex&) const = default;
};

}  // namespace vmirror
