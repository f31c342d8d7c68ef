// The headers that every encapsulation and protocol stands on, read once per frame: Ethernet II or
// 802.3/LLC/SNAP, up to four VLAN tags and the other tags of tags.hpp, IPv4 or IPv6 with its
// extension headers, TCP, UDP, ICMP.
//
//   field[n]: n bytes, field:n: n bits
//
//   Ethernet  | dst mac[6] | src mac[6] | tpid[2] tci[2], up to four | ethertype[2] or length[2] |
//   802.3     ... length[2] | dsap[1] | ssap[1] | control[1 or 2] | SNAP: oui[3] pid[2] |
//   IPv4      | version:4 | ihl:4 | tos[1] | total length[2] | id[2] | flags:3 | offset:13 |
//             | ttl[1] | protocol[1] | checksum[2] | src[4] | dst[4] | options... |
//   IPv6      | version:4 | class:8 | flow label:20 | payload length[2] | next header[1] |
//             | hop limit[1] | src[16] | dst[16] | extension headers... |
//
// A frame within the frame, of the link layer alone, is not read here but named (`carrier`):
//
//   PBB        | dst mac[6] | src mac[6] | 0x88e7[2] | flags[1] I-SID[3] | Ethernet frame | 802.1ah
//   FabricPath | dst mac[6] | src mac[6] | 0x8903[2] | FTAG:10 TTL:6 | Ethernet frame |
//   ISL        | 0x01000c0000[5], or 03... | type:4 user:4 | src mac[6] | length[2] | 0xaaaa03[3] |
//              | 0x00000c[3] | VLAN:15 BPDU:1 | index[2] | reserved[2] | Ethernet frame | CRC[4] |
//   MPLS       | labels | control word[4], maybe | Ethernet frame |                      RFC 4448
//
// A Packet is offsets into the frame's bytes and the few values that everybody needs. It holds no
// pointer, so it stays true when the bytes are moved.
#pragma once

#include <cstdint>

#include "plugin/base/address.hpp"
#include "plugin/base/cursor.hpp"

namespace vmirror {

/// What a frame's first byte is the first byte of.
enum class LinkType : std::uint8_t {
  ethernet,
  ip,          ///< IPv4 or IPv6, told by the version nibble (ERSPAN FT=2, LINKTYPE_RAW).
  linux_sll,   ///< LINKTYPE_LINUX_SLL
  linux_sll2,  ///< LINKTYPE_LINUX_SLL2
  bsd_null,    ///< LINKTYPE_NULL, LINKTYPE_LOOP
  mpls,        ///< A label stack: what GRE carries as protocol 0x8847.
  wlan,        ///< An IEEE 802.11 data frame (wlan.hpp), in an access point's tunnel.
};

/// A VLAN tag: TPID and TCI as IEEE 802.1Q has them. tpid 0: no tag.
struct VlanTag {
  std::uint16_t tpid = 0;
  std::uint16_t tci = 0;
  std::uint16_t id() const { return tci & 0x0fff; }
  bool present() const { return tpid != 0; }
  bool operator==(const VlanTag&) const = default;
};

namespace ethertype {
constexpr std::uint16_t kIpv4 = 0x0800, kArp = 0x0806, kRarp = 0x8035, kIpv6 = 0x86dd,
                        kVlan = 0x8100, kProviderVlan = 0x88a8, kOldProviderVlan = 0x9100,
                        kOlderProviderVlan = 0x9200, kLldp = 0x88cc, kFabricPath = 0x8903,
                        kPbb = 0x88e7;
}
namespace ip_protocol {
constexpr std::uint8_t kIcmp = 1, kIgmp = 2, kIpv4 = 4, kTcp = 6, kUdp = 17, kIpv6 = 41, kGre = 47,
                       kIcmpv6 = 58, kSctp = 132, kNone = 0xff;
}
namespace tcp_flag {
constexpr std::uint8_t kFin = 1, kSyn = 2, kRst = 4, kPsh = 8, kAck = 16, kUrg = 32;
}

/// The first thing that is wrong with a frame's headers. What was read before it stands.
enum class HeaderError : std::uint8_t {
  none,
  link_truncated,  ///< Too short for its link header: nothing can be said of the frame.
  vlan_truncated,
  vlan_too_deep,  ///< More than kMaxTags VLAN tags.
  tag_truncated,  ///< A tag of tags.hpp, or the header of a carried frame, is cut off.
  tag_too_deep,   ///< More than kMaxSkippedTags tags of tags.hpp.
  llc_truncated,
  ip_truncated,
  ip_version,           ///< The version nibble is neither 4 nor 6, or not what the EtherType says.
  ip_header_length,     ///< IHL under 5 or longer than the packet.
  ip_total_length,      ///< Total length shorter than the header.
  ip6_extension,        ///< An extension header is cut off, or there are more than 8.
  transport_truncated,  ///< TCP, UDP or ICMP header cut off.
  tcp_offset,           ///< Data offset under 5 or past the segment.
  udp_length,           ///< Length under 8.
};
/// "ip_header_length": stable, used as a counter's name.
const char* to_text(HeaderError error);

/// The header of the link layer that a whole Ethernet frame follows.
enum class LinkCarrier : std::uint8_t { none, pbb, fabricpath, isl, mpls };

struct Packet {
  static constexpr int kMaxTags = 4;
  static constexpr int kMaxSkippedTags = 8;

  HeaderError error = HeaderError::none;
  std::uint8_t ip_version = 0;                 ///< 4, 6 or 0
  std::uint8_t protocol = ip_protocol::kNone;  ///< IANA protocol number above IP.
  std::uint8_t ttl = 0;
  std::uint8_t tag_count = 0;
  /// Tags of tags.hpp, PRP's trailer among them; `skipped_tags()` reads them.
  std::uint8_t skipped_tags = 0;
  /// Other than none: an Ethernet frame begins at `network`.
  LinkCarrier carrier = LinkCarrier::none;
  std::uint8_t tcp_flags = 0;
  bool has_macs = false;  ///< Ethernet: bytes 0..11 are destination and source MAC.
  /// Where the sender's MAC stands in a cooked capture or an 802.11 frame; 0: none is known.
  std::uint8_t cooked_mac = 0;
  bool fragment = false;        ///< Any fragment of a datagram but a whole one.
  bool first_fragment = false;  ///< Offset 0 and more to come.
  bool more_fragments = false;
  bool llc = false;  ///< 802.3 with LLC; `ethertype` is then SNAP's PID, or 0.
  std::uint8_t llc_dsap = 0, llc_ssap = 0;
  std::uint32_t snap_oui = 0;
  std::uint16_t ethertype = 0;  ///< Behind all tags; 0: none known.
  VlanTag tags[kMaxTags];       ///< Outermost first; the frame's stripped tag included.

  std::uint16_t network = 0;    ///< Offset of what the EtherType names (or of the LLC payload).
  std::uint16_t transport = 0;  ///< Offset of what `protocol` names.
  std::uint16_t payload = 0;    ///< Offset behind the TCP, UDP or ICMP (4 bytes) header.
  /// Bytes behind the headers that belong to the datagram by its own length fields and were
  /// captured.
  std::uint16_t payload_size = 0;
  /// The same by the length fields alone; larger than payload_size where the capture cut the frame.
  std::uint16_t payload_wire_size = 0;
  std::uint16_t network_size = 0;  ///< Captured bytes from `network` on, without Ethernet padding.

  std::uint16_t source_port = 0, destination_port = 0;  ///< TCP, UDP, SCTP; ICMP: type<<8|code, id
  std::uint32_t sequence = 0, acknowledgement = 0;      ///< TCP
  std::uint16_t window = 0;                             ///< TCP
  std::uint32_t fragment_id = 0;
  std::uint16_t fragment_offset = 0;  ///< In bytes.

  Bytes payload_of(Bytes frame) const { return frame.subspan(payload, payload_size); }
  /// Bytes of the frame by its IP datagram's own length, as far as that was read; 0: below IP.
  std::size_t stated_size() const { return std::size_t{payload} + payload_wire_size; }
  Bytes network_of(Bytes frame) const { return frame.subspan(network, network_size); }
  Mac destination_mac(Bytes frame) const { return Mac::from(frame.data()); }
  Mac source_mac(Bytes frame) const { return Mac::from(frame.data() + 6); }
  /// Of any link type; zero: not known.
  Mac sender_mac(Bytes frame) const {
    if (has_macs) return source_mac(frame);
    return cooked_mac != 0 ? Mac::from(frame.data() + cooked_mac) : Mac{};
  }
  /// Empty when ip_version is 0.
  IpAddress source_ip(Bytes frame) const {
    return ip_version == 4   ? IpAddress::v4(frame.data() + network + 12)
           : ip_version == 6 ? IpAddress::v6(frame.data() + network + 8)
                             : IpAddress{};
  }
  IpAddress destination_ip(Bytes frame) const {
    return ip_version == 4   ? IpAddress::v4(frame.data() + network + 16)
           : ip_version == 6 ? IpAddress::v6(frame.data() + network + 24)
                             : IpAddress{};
  }
  /// The innermost VLAN, or 0.
  std::uint16_t vlan() const { return tag_count == 0 ? 0 : tags[tag_count - 1].id(); }
};

/// Reads the headers of one frame. `stripped` is a tag that the capture or the encapsulation took
/// out of the bytes; it becomes the outermost. Pure, no allocation, reads only `bytes`. The first
/// 65,535 bytes are looked at. IPv4: RFC 791; IPv6: RFC 8200; TCP: RFC 9293; UDP: RFC 768; LLC:
/// IEEE 802.2.
Packet parse_packet(Bytes bytes, LinkType link, VlanTag stripped = {});

}  // namespace vmirror
