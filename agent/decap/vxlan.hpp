// VXLAN: an Ethernet frame behind UDP port 4789 (8472 by old Linux).
//
//   | G R R R I R R R | reserved 24, with G: group policy | VNI 24 | reserved 8 |
#pragma once

#include <tl/expected.hpp>

#include "agent/decap/error.hpp"
#include "plugin/base/cursor.hpp"

namespace vmirror {

struct VxlanHeader {
  static constexpr std::uint8_t size = 8;  ///< Bytes to the frame.
  std::uint32_t vni = 0;
};

/// Reads the header at the front of a UDP payload. vxlan_truncated; vxlan_flags where I is not set,
/// or any bit of the first byte but I and G is: a datagram of something else. RFC 7348, section 5;
/// draft-smith-vxlan-group-policy for G.
tl::expected<VxlanHeader, DecapError> parse_vxlan(Bytes payload);

}  // namespace vmirror
