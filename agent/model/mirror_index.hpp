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
  PortKey at = {};      ///< The switch's port, which counts its frames: its key in an index.
  Mac mac = {};         ///< The guest's.
  std::string vm = {};  ///< What a person calls the guest; may be empty.
  Direction direction = Direction::both;
  /// The tag that its copies carry, and broadcasts of other VLANs never reach it; none: any.
  std::optional<std::uint16_t> vlan = {};
  std::string input = {};  ///< The engine's input where its copies come in; empty: any of them.
  /// Another NIC's port, whose copies have the same MAC, VLAN and input: nobody can tell the two
  /// apart. Empty: there is none.
  std::string rival = {};
  std::optional<std::uint32_t> session_id = {};  ///< ERSPAN session ID or GRE key of its copies.
  std::string session = {};                      ///< The name of the session whose copies they are.
  Filter filter = {};  ///< What the engine itself leaves of its frames; empty: all.
  bool operator==(const WatchedNic&) const = default;
  /// "br0/vnet0"
  std::string port() const { return at.switch_name + "/" + at.port; }
};

/// A copy costs nothing that grows with the number of NICs, nor does a comparison with its
/// ancestor.
struct MirrorIndex {
  PersistentMap<PortKey, WatchedNic> nics;
  bool operator==(const MirrorIndex&) const = default;
};

}  // namespace vmirror
