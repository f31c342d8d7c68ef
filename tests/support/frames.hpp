// Builders of small frames for tests: right lengths and checksums, sensible defaults, every field
// settable. Layers compose from the inside out:
//
//   Buffer frame = udp_frame({.destination_port = 53}, hex("12 34 ..."));
//   Buffer frame = ethernet(ipv4({.ttl = 1}, udp({}, payload)), 0x0800, {.tags = {{0x8100, 7}}});
//
// Pure functions; a Buffer is the bytes from the first one on the wire, without FCS or padding.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <vector>

#include "agent/model/frame.hpp"

namespace vmirror::test {

using Buffer = std::vector<std::uint8_t>;

/// "de ad be ef", "deadbeef", line breaks allowed. Aborts on anything else: it is a test's typo.
Buffer hex(std::string_view text);
/// The bytes of a text.
Buffer text(std::string_view text);
/// `size` bytes 0, 1, 2, ... 255, 0, ...
Buffer counting(std::size_t size);
/// All parts, one after another.
Buffer concat(std::initializer_list<Bytes> parts);
/// Dotted quad or RFC 4291 text; aborts on anything else.
IpAddress ip(std::string_view text);
/// "52:54:00:00:00:01"; aborts on anything else.
Mac mac(std::string_view text);
/// RFC 1071, over the parts as if they stood in one piece (each but the last of even size).
std::uint16_t checksum(std::initializer_list<Bytes> parts);

/// Appends big-endian integers and bytes to a Buffer.
class Writer {
 public:
  Writer& u8(std::uint64_t v) { return put(v, 1); }
  Writer& u16(std::uint64_t v) { return put(v, 2); }
  Writer& u24(std::uint64_t v) { return put(v, 3); }
  Writer& u32(std::uint64_t v) { return put(v, 4); }
  Writer& u64(std::uint64_t v) { return put(v, 8); }
  Writer& bytes(Bytes v) {
    out_.insert(out_.end(), v.begin(), v.end());
    return *this;
  }
  Writer& zeros(std::size_t size) {
    out_.resize(out_.size() + size);
    return *this;
  }
  std::size_t size() const { return out_.size(); }
  Buffer take() { return std::move(out_); }

 private:
  Writer& put(std::uint64_t v, int size) {
    while (size-- > 0) out_.push_back(static_cast<std::uint8_t>(v >> (8 * size)));
    return *this;
  }
  Buffer out_;
};

// ---- Layers, from the outside in ---------------------------------------------------------------

struct Link {
  Mac destination = mac("52:54:00:00:00:02");
  Mac source = mac("52:54:00:00:00:01");
  std::vector<VlanTag> tags;  ///< Outermost first.
};
/// Ethernet II with `type` as the EtherType.
Buffer ethernet(Bytes payload, std::uint16_t type, const Link& link = {});
/// 802.3 with LLC: the length field, DSAP, SSAP, a one-byte control.
Buffer llc(std::uint8_t dsap, std::uint8_t ssap, std::uint8_t control, Bytes payload,
           const Link& link = {});
/// 802.3 with LLC and SNAP.
Buffer snap(std::uint32_t oui, std::uint16_t pid, Bytes payload, const Link& link = {});

/// An IPv6 extension header: `type` is its own number (0, 43, 44, 51, 60, 135), `body` what follows
/// its next-header and length bytes (44: reserved byte and the rest, so seven bytes).
struct Extension {
  std::uint8_t type = 60;
  Buffer body = Buffer(6);
};
struct Ip {
  IpAddress source = ip("10.0.0.1");  ///< The source's version decides which IP is made.
  IpAddress destination = ip("10.0.0.2");
  std::uint8_t protocol = ip_protocol::kUdp;
  std::uint8_t ttl = 64;
  std::uint16_t id = 1;
  std::uint16_t fragment_offset = 0;  ///< In bytes, a multiple of 8.
  bool more_fragments = false;
  Buffer options = {};                     ///< IPv4, a multiple of 4 bytes.
  std::vector<Extension> extensions = {};  ///< IPv6
};
/// An IPv4 (RFC 791) or IPv6 (RFC 8200) packet. IPv6 fragment headers are not made: see
/// `fragments` in encapsulate.hpp.
Buffer ip_packet(const Ip& header, Bytes payload);

/// UDP and TCP checksums need the addresses; `Ip::protocol` is not looked at.
struct Udp {
  std::uint16_t source_port = 40000, destination_port = 9;
};
Buffer udp(const Udp& header, Bytes payload, const Ip& ip = {});
struct Tcp {
  std::uint16_t source_port = 40000, destination_port = 80;
  std::uint32_t sequence = 1, acknowledgement = 0;
  std::uint8_t flags = tcp_flag::kAck;
  std::uint16_t window = 65535;
  Buffer options = {};  ///< A multiple of 4 bytes.
};
Buffer tcp(const Tcp& header, Bytes payload, const Ip& ip = {});
/// ICMP or, where `ip` is IPv6, ICMPv6 with its pseudo header. `body` follows the checksum.
Buffer icmp(std::uint8_t type, std::uint8_t code, Bytes body, const Ip& ip = {});

// ---- Whole frames ------------------------------------------------------------------------------

/// The two ends of a frame, and its VLAN tags.
struct Ends {
  Mac source_mac = mac("52:54:00:00:00:01");
  Mac destination_mac = mac("52:54:00:00:00:02");
  IpAddress source = ip("10.0.0.1");
  IpAddress destination = ip("10.0.0.2");
  std::uint16_t source_port = 40000;
  std::uint16_t destination_port = 9;
  std::vector<VlanTag> tags = {};

  /// The same ends as the answer has them.
  Ends reversed() const {
    return {destination_mac, source_mac, destination, source, destination_port, source_port, tags};
  }
};
Buffer udp_frame(const Ends& ends, Bytes payload = {});
struct Segment {
  std::uint32_t sequence = 1, acknowledgement = 0;
  std::uint8_t flags = tcp_flag::kAck;
};
Buffer tcp_frame(const Ends& ends, const Segment& segment = {}, Bytes payload = {});
/// Echo request with id 1 and a sequence number (ICMPv6 where the ends are IPv6).
Buffer ping_frame(const Ends& ends, std::uint16_t sequence = 1, bool reply = false);
/// RFC 826: `operation` 1 asks for `ends.destination` by broadcast, 2 answers.
Buffer arp_frame(const Ends& ends, std::uint16_t operation = 1);

/// A Frame that borrows `bytes`.
inline Frame frame_of(Bytes bytes, Time time = 0, LinkType link = LinkType::ethernet) {
  Frame frame;
  frame.bytes = bytes;
  frame.wire_size = static_cast<std::uint32_t>(bytes.size());
  frame.link = link;
  frame.time = time;
  return frame;
}

}  // namespace vmirror::test
