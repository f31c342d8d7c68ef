// VXLAN: an Ethernet frame behind UDP port 4789 (8472 by old Linux; 4790 is VXLAN-GPE).
//
//   | G:1 | 0:3 | I:1 | P:1 | 0:2 | reserved:16, with G group policy |                      bits
//   | reserved:8, with P next protocol | VNI:24 | reserved:8 |
#pragma once

#include <tl/expected.hpp>

#include "agent/engine/decap/error.hpp"
#include "plugin/base/cursor.hpp"

namespace vmirror {

struct VxlanHeader {
  static constexpr std::uint8_t size = 8;  ///< Bytes to the frame.
  std::uint32_t vni = 0;
  bool bare_ip = false;  ///< GPE's P, and the next protocol is IPv4 or IPv6.
};

/// Reads the header at the front of a UDP payload. `extended`: it came to the port of VXLAN-GPE,
/// where P tells what it carries; on the others P is reserved, and what is reserved is ignored.
/// vxlan_truncated; vxlan_flags where I is not set, a datagram of something else, or the next
/// protocol of GPE is neither Ethernet nor IP. RFC 7348, section 5; draft-smith-vxlan-group-policy
/// for G, draft-ietf-nvo3-vxlan-gpe for P.
tl::expected<VxlanHeader, DecapError> parse_vxlan(Bytes payload, bool extended = false);

}  // namespace vmirror
