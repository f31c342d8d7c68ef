#include "tests/support/frames.hpp"

#include <cctype>
#include <cstdio>
#include <cstdlib>

namespace vmirror::test {
namespace {

[[noreturn]] void typo(std::string_view what, std::string_view text) {
  std::fprintf(stderr, "a test's %.*s is not one: %.*s\n", static_cast<int>(what.size()),
               what.data(), static_cast<int>(text.size()), text.data());
  std::abort();
}

void patch16(Buffer& out, std::size_t at, std::uint16_t v) {
  store_be16(out.data() + at, v);
}

/// RFC 768 and RFC 8200 8.1: what a transport checksum covers besides the segment.
Buffer pseudo_header(const Ip& ip, std::uint8_t protocol, std::size_t size) {
  Writer w;
  w.bytes(ip.source.bytes()).bytes(ip.destination.bytes());
  if (ip.source.version == 4) return w.u8(0).u8(protocol).u16(size).take();
  return w.u32(size).u24(0).u8(protocol).take();
}

void seal(Buffer& segment, std::size_t at, std::uint8_t protocol, const Ip& ip) {
  std::uint16_t sum = checksum({pseudo_header(ip, protocol, segment.size()), segment});
  if (sum == 0 && protocol == ip_protocol::kUdp) sum = 0xffff;  // 0 means: no checksum.
  patch16(segment, at, sum);
}

Buffer ipv4_packet(const Ip& h, Bytes payload) {
  const std::size_t header = 20 + h.options.size();
  Writer w;
  w.u8(0x40 | header / 4).u8(0).u16(header + payload.size()).u16(h.id);
  w.u16((h.more_fragments ? 0x2000 : 0) | h.fragment_offset / 8);
  w.u8(h.ttl).u8(h.protocol).u16(0).bytes(h.source.bytes()).bytes(h.destination.bytes());
  w.bytes(h.options);
  Buffer out = w.take();
  patch16(out, 10, checksum({out}));
  return concat({out, payload});
}

Buffer ipv6_packet(const Ip& h, Bytes payload) {
  Writer extensions;
  for (std::size_t i = 0; i < h.extensions.size(); ++i) {
    const Extension& e = h.extensions[i];
    const std::uint8_t next = i + 1 < h.extensions.size() ? h.extensions[i + 1].type : h.protocol;
    const std::size_t size = e.body.size() + 2;
    extensions.u8(next);
    if (e.type != 44) extensions.u8(e.type == 51 ? size / 4 - 2 : size / 8 - 1);
    extensions.bytes(e.body);
  }
  const Buffer headers = extensions.take();
  Writer w;
  w.u32(0x60000000).u16(headers.size() + payload.size());
  w.u8(h.extensions.empty() ? h.protocol : h.extensions[0].type).u8(h.ttl);
  w.bytes(h.source.bytes()).bytes(h.destination.bytes()).bytes(headers).bytes(payload);
  return w.take();
}

std::uint16_t ip_ethertype(const IpAddress& address) {
  return address.version == 6 ? ethertype::kIpv6 : ethertype::kIpv4;
}
Ip ip_of(const Ends& ends, std::uint8_t protocol) {
  Ip header;
  header.source = ends.source;
  header.destination = ends.destination;
  header.protocol = protocol;
  return header;
}
Buffer frame_with(const Ends& ends, const Ip& header, Bytes payload) {
  return ethernet(ip_packet(header, payload), ip_ethertype(ends.source),
                  {ends.destination_mac, ends.source_mac, ends.tags});
}
Writer link_header(const Link& link) {
  Writer w;
  w.bytes(link.destination.octets).bytes(link.source.octets);
  for (const VlanTag& tag : link.tags) w.u16(tag.tpid).u16(tag.tci);
  return w;
}

}  // namespace

Buffer hex(std::string_view digits) {
  Buffer out;
  int high = -1;
  for (const char c : digits) {
    if (std::isspace(static_cast<unsigned char>(c)) != 0) continue;
    if (std::isxdigit(static_cast<unsigned char>(c)) == 0) typo("hex text", digits);
    const int v = c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
    if (high < 0) {
      high = v;
    } else {
      out.push_back(static_cast<std::uint8_t>(high << 4 | v));
      high = -1;
    }
  }
  if (high >= 0) typo("hex text", digits);
  return out;
}

Buffer text(std::string_view text) {
  return {text.begin(), text.end()};
}

Buffer counting(std::size_t size) {
  Buffer out(size);
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<std::uint8_t>(i);
  return out;
}

Buffer concat(std::initializer_list<Bytes> parts) {
  Buffer out;
  for (const Bytes part : parts) out.insert(out.end(), part.begin(), part.end());
  return out;
}

IpAddress ip(std::string_view text) {
  const auto address = IpAddress::parse(text);
  if (!address) typo("IP address", text);
  return *address;
}

Mac mac(std::string_view text) {
  const auto address = Mac::parse(text);
  if (!address) typo("MAC", text);
  return *address;
}

std::uint16_t checksum(std::initializer_list<Bytes> parts) {
  std::uint64_t sum = 0;
  for (const Bytes part : parts)
    for (std::size_t i = 0; i < part.size(); ++i) sum += i % 2 == 0 ? part[i] << 8 : part[i];
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

Buffer ethernet(Bytes payload, std::uint16_t type, const Link& link) {
  return link_header(link).u16(type).bytes(payload).take();
}

Buffer llc(std::uint8_t dsap, std::uint8_t ssap, std::uint8_t control, Bytes payload,
           const Link& link) {
  return link_header(link)
      .u16(payload.size() + 3)
      .u8(dsap)
      .u8(ssap)
      .u8(control)
      .bytes(payload)
      .take();
}

Buffer snap(std::uint32_t oui, std::uint16_t pid, Bytes payload, const Link& link) {
  return llc(0xaa, 0xaa, 3, Writer().u24(oui).u16(pid).bytes(payload).take(), link);
}

Buffer ip_packet(const Ip& header, Bytes payload) {
  return header.source.version == 6 ? ipv6_packet(header, payload) : ipv4_packet(header, payload);
}

Buffer udp(const Udp& h, Bytes payload, const Ip& ip) {
  Writer w;
  w.u16(h.source_port).u16(h.destination_port).u16(8 + payload.size()).u16(0).bytes(payload);
  Buffer out = w.take();
  seal(out, 6, ip_protocol::kUdp, ip);
  return out;
}

Buffer tcp(const Tcp& h, Bytes payload, const Ip& ip) {
  Writer w;
  w.u16(h.source_port).u16(h.destination_port).u32(h.sequence).u32(h.acknowledgement);
  w.u8((20 + h.options.size()) / 4 << 4).u8(h.flags).u16(h.window).u32(0);
  w.bytes(h.options).bytes(payload);
  Buffer out = w.take();
  seal(out, 16, ip_protocol::kTcp, ip);
  return out;
}

Buffer icmp(std::uint8_t type, std::uint8_t code, Bytes body, const Ip& ip) {
  Buffer out = Writer().u8(type).u8(code).u16(0).bytes(body).take();
  if (ip.source.version == 6)
    seal(out, 2, ip_protocol::kIcmpv6, ip);
  else
    patch16(out, 2, checksum({out}));
  return out;
}

Buffer udp_frame(const Ends& ends, Bytes payload) {
  const Ip header = ip_of(ends, ip_protocol::kUdp);
  return frame_with(ends, header, udp({ends.source_port, ends.destination_port}, payload, header));
}

Buffer tcp_frame(const Ends& ends, const Segment& segment, Bytes payload) {
  const Ip header = ip_of(ends, ip_protocol::kTcp);
  Tcp t;
  t.source_port = ends.source_port;
  t.destination_port = ends.destination_port;
  t.sequence = segment.sequence;
  t.acknowledgement = segment.acknowledgement;
  t.flags = segment.flags;
  return frame_with(ends, header, tcp(t, payload, header));
}

Buffer ping_frame(const Ends& ends, std::uint16_t sequence, bool reply) {
  const bool v6 = ends.source.version == 6;
  const Ip header = ip_of(ends, v6 ? ip_protocol::kIcmpv6 : ip_protocol::kIcmp);
  const std::uint8_t type = v6 ? (reply ? 129 : 128) : (reply ? 0 : 8);
  const Buffer body = Writer().u16(1).u16(sequence).bytes(counting(32)).take();
  return frame_with(ends, header, icmp(type, 0, body, header));
}

Buffer arp_frame(const Ends& ends, std::uint16_t operation) {
  const bool asks = operation == 1;
  Writer w;
  w.u16(1).u16(ethertype::kIpv4).u8(6).u8(4).u16(operation);
  w.bytes(ends.source_mac.octets).bytes(ends.source.bytes());
  w.bytes(asks ? Mac{}.octets : ends.destination_mac.octets).bytes(ends.destination.bytes());
  return ethernet(
      w.take(), ethertype::kArp,
      {asks ? mac("ff:ff:ff:ff:ff:ff") : ends.destination_mac, ends.source_mac, ends.tags});
}

}  // namespace vmirror::test
