// GRE, the envelope of ERSPAN and of transparent Ethernet.
//
//    0               1               2               3
//   +-+-+-+-+-+-----+---------+-----+-------------------------------+
//   |C|R|K|S|s|recur|  flags  | ver |         protocol type         |
//   +-+-+-+-+-+-----+---------+-----+-------------------------------+
//   |  C or R: checksum             |  C or R: reserved, offset     |
//   |  K: key                                                       |
//   |  S: sequence number                                           |
//   +---------------------------------------------------------------+
//   |  R: source routes, each | family 16 | offset 8 | length 8 | route |; the last has neither
//   +---------------------------------------------------------------+
#pragma once

#include <tl/expected.hpp>

#include "agent/engine/decap/error.hpp"
#include "plugin/base/cursor.hpp"

namespace vmirror {

namespace gre_protocol {
constexpr std::uint16_t kErspan2 = 0x88be;  ///< ERSPAN I, too.
constexpr std::uint16_t kErspan3 = 0x22eb;
constexpr std::uint16_t kEthernet = 0x6558;  ///< Transparent Ethernet Bridging
constexpr std::uint16_t kIpv4 = 0x0800, kIpv6 = 0x86dd, kMpls = 0x8847, kMplsUpstream = 0x8848;
constexpr std::uint16_t kWccp = 0x883e;  ///< IPv4, often behind a redirect header of 4 bytes.
constexpr std::uint16_t kBehind22 =
    0x8949;  ///< Ethernet behind 22 bytes, as some Mellanox mirrors.
/// IEEE 802.11 frames, from an Aruba access point to its controller: a number for each network.
constexpr std::uint16_t kArubaFirst = 0x8200, kArubaLast = 0x8210;
}  // namespace gre_protocol

struct GreHeader {
  std::uint16_t protocol = 0;
  bool has_key = false;
  bool has_sequence = false;
  std::uint16_t size = 0;  ///< Bytes to the payload.
  std::uint32_t key = 0;
  std::uint32_t sequence = 0;
};

/// Reads the header at the front of `packet`, the IP datagram's payload. `whole`: the capture did
/// not cut it, so a checksum can be verified. gre_truncated, gre_version, gre_routing,
/// gre_checksum. Source routes are skipped. The strict-route bit and the recursion control of RFC
/// 1701 are ignored. RFC 2784, RFC 2890.
tl::expected<GreHeader, DecapError> parse_gre(Bytes packet, bool whole);

}  // namespace vmirror
