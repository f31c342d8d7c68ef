// The header of an IEEE 802.11 data frame, as access points put it into their tunnels.
//
//   field[n]: n bytes, field:n: n bits
//
//   802.11  | subtype:4 type:2 version:2 |
//           | order:1 protected:1 more data:1 power:1 retry:1 more fragments:1 from DS:1 to DS:1 |
//           | duration[2] | address 1[6] | address 2[6] | address 3[6] | fragment, sequence[2] |
//           | address 4[6] |              to DS and from DS
//           | QoS[2] |                    subtypes from 8 on; 0x80 of its first byte: aggregated
//           | HT control[4] |             QoS, and order
//           | LLC and SNAP, packet |
//
// Cisco's controllers swap the first two bytes. The version is 0 in every frame, and a swapped
// frame has its DS bits in the version's place.
//
// IEEE 802.11-2020, 9.2 and 9.3.2.
#pragma once

#include <cstdint>
#include <optional>

#include "plugin/base/cursor.hpp"

namespace vmirror {

struct WlanHeader {
  std::uint8_t size = 0;    ///< Bytes to the LLC header.
  std::uint8_t sender = 0;  ///< Offset of the MAC of the station that sent the frame.
};

/// None: the frame is not a data frame, carries no data, is encrypted, a fragment, or several
/// frames in one, or is too short.
std::optional<WlanHeader> parse_wlan(Bytes frame);

}  // namespace vmirror
