// Spanning tree: STP, RSTP and MSTP (IEEE 802.1D, 802.1Q), and Cisco's for each VLAN: who the
// bridges of a link are, and which of them is the root.
#pragma once

#include "agent/engine/dissect/dissector.hpp"

namespace vmirror {

struct BridgeId {
  std::uint16_t priority = 0;  ///< The system ID extension (a VLAN, or an instance) included.
  Mac mac;
};

/// A bridge protocol data unit.
struct StpMessage {
  std::uint8_t version = 0;  ///< 0 STP, 2 RSTP, 3 MSTP, 4 SPT
  std::uint8_t type = 0;     ///< 0 configuration, 0x80 topology change notification, 2 rapid
  std::uint8_t flags = 0;
  BridgeId root, bridge;
  std::uint32_t root_path_cost = 0;
  std::uint16_t port = 0;
  std::string_view mst_name;  ///< MSTP: the region.
  std::uint16_t mst_revision = 0;
};

/// `bytes`: behind the LLC or SNAP header; padding may follow. truncated; bad_value: another
/// protocol, or a type that never was.
Parsed<StpMessage> parse_stp(Bytes bytes);

/// Record `stp`: version (stp | rstp | mstp | spt), type (config | tcn | rapid); of all but tcn
/// topology_change, root_priority, root_mac, root_path_cost, bridge_priority, bridge_mac, port_id;
/// of rapid ones port_role; of MSTP mst_name, mst_revision.
/// Facts of the frame's source MAC: role "bridge" (stp.type).
extern const Dissector kStp;

}  // namespace vmirror
