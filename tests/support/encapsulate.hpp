// Encoders of everything that mirrors wrap around a frame: the inverse of agent/engine/decap, for
// tests, fuzz seeds and benches. Written from the formats, not from the decapsulator, so that the
// two check each other. Pure functions.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "tests/support/frames.hpp"

namespace vmirror::test {

/// The outer packet. IPv6 where `source` is.
struct Outer {
  Link link = {mac("02:00:00:00:00:02"), mac("02:00:00:00:00:01"), {}};
  IpAddress source = ip("192.0.2.1");
  IpAddress destination = ip("192.0.2.2");
  std::uint16_t id = 1;
  Buffer options = {};                     ///< IPv4, a multiple of 4 bytes.
  std::vector<Extension> extensions = {};  ///< IPv6
};
/// An Ethernet frame of an outer IP packet with this protocol and payload.
Buffer outer_frame(const Outer& outer, std::uint8_t protocol, Bytes payload);

/// GRE, RFC 2784 and RFC 2890.
struct Gre {
  std::uint16_t protocol = 0x6558;
  bool checksum = false;
  std::optional<std::uint32_t> key = {};
  std::optional<std::uint32_t> sequence = {};
  std::uint16_t extra_flags = 0;  ///< OR'ed to the first two bytes: routing bit, version.
};
/// The GRE header and its payload, without an outer packet.
Buffer gre(const Gre& header, Bytes payload);

struct Erspan2 {
  std::uint16_t session = 1;  ///< 10 bits
  std::uint16_t vlan = 0;     ///< 12 bits
  std::uint8_t cos = 0;
  std::uint8_t en = 0;  ///< 0 untagged, 1 ISL, 2 802.1Q taken out, 3 the tag is in the frame.
  bool truncated = false;
  std::uint32_t index = 0;  ///< 20 bits
};
Buffer erspan2(const Erspan2& header, Bytes frame);

struct Erspan3 {
  std::uint16_t session = 1;
  std::uint16_t vlan = 0;
  std::uint8_t cos = 0;
  std::uint8_t bso = 0;
  bool truncated = false;
  std::uint32_t timestamp = 0;
  std::uint16_t sgt = 0;
  bool pdu = true;         ///< P
  std::uint8_t frame = 0;  ///< FT: 0 Ethernet, 2 IP
  std::uint8_t hardware = 0;
  bool egress = false;  ///< D
  std::uint8_t granularity = 0;
  std::optional<std::uint64_t> subheader = {};  ///< PlatfID in the top six bits; sets O.
};
Buffer erspan3(const Erspan3& header, Bytes frame);
/// A platform subheader that carries `port` (or VSM domain's port ID, source index) and the upper
/// 32 bits of the time (or its seconds), in the fields that `platform` has for them.
std::uint64_t subheader(std::uint8_t platform, std::uint32_t port, std::uint32_t time);

/// The VXLAN header (RFC 7348) and the frame; `udp_frame` to port 4789 carries it.
Buffer vxlan(std::uint32_t vni, Bytes frame);
/// The GENEVE header (RFC 8926): `options` a multiple of 4 bytes, `critical` sets C.
Buffer geneve(std::uint32_t vni, Bytes frame, Bytes options = {}, bool critical = false,
              std::uint16_t protocol = 0x6558);
/// The frame with one more outermost tag: RSPAN, or 802.1ad stacking.
Buffer tagged(VlanTag tag, Bytes frame);
/// The frame without its MACs and tags: what FT=2 carries. Empty when it is not IP.
Buffer ip_part(Bytes frame);

/// The same IP packet in fragments whose IP payload is at most `payload` bytes (rounded down to a
/// multiple of 8), in order. IPv6: with a fragment header behind the fixed header.
std::vector<Buffer> fragments(Bytes frame, std::size_t payload, std::uint32_t id = 7);

/// One way of wrapping, by name: the table that the oracle of transparency walks.
struct Wrapping {
  const char* name;
  Encapsulation encapsulation;
  /// False: the frame's MACs and tags are lost (FT=2), and frames that are not IP give nothing.
  bool keeps_link;
  /// `sequence` counts up from anything per frame. Several buffers: fragments of one datagram.
  std::function<std::vector<Buffer>(Bytes frame, std::uint32_t sequence)> wrap;
};
/// Every encapsulation in every variant: ERSPAN I, II, III with each subheader and FT=2, GRE with
/// each mix of C, K, S, VXLAN, GENEVE with and without options, RSPAN 100, over IPv4 with options,
/// IPv6 with extension headers, stacked outer tags, fragments of 1,000 bytes, ERSPAN in VXLAN.
std::span<const Wrapping> wrappings();
/// The one with this name; aborts when there is none.
const Wrapping& wrapping(std::string_view name);
constexpr std::uint16_t kRspanVlan = 100;  ///< The RSPAN VLAN of `wrappings`.

}  // namespace vmirror::test
