// RFC 826, "Packet format"; RFC 5227 (probes have no sender address), RFC 903 (RARP).
//
//   field[n]: n bytes
//
//   0                  2                  4         5         6
//   | hardware type[2] | protocol type[2] | hlen[1] | plen[1] | operation[2] |
//   8
//   | sender: hardware[hlen] | protocol[plen] | target: hardware[hlen] | protocol[plen] |
#include "agent/engine/dissect/link/arp.hpp"

#include "agent/engine/dissect/text.hpp"

namespace vmirror {
namespace arp {
namespace {

constexpr std::uint16_t kEthernet = 1, kIeee802 = 6, kIpv4 = 0x0800;

/// Hardware whose addresses are Ethernet's (RFC 1042, "Address Mappings").
constexpr Named kHardware[] = {{kEthernet, "ethernet"}, {kIeee802, "ieee802"}};

constexpr Named kOperations[] = {{1, "request"},    {2, "reply"},         {3, "rarp_request"},
                                 {4, "rarp_reply"}, {8, "inarp_request"}, {9, "inarp_reply"}};

Outcome dissect(Bytes bytes, const Context& context, Facts& facts) {
  const auto arp = parse_arp(bytes);
  if (!arp) return arp.error();
  facts.record("arp");
  tell_named(facts, "opcode", kOperations, arp->operation);
  if (arp->sender_ip.empty()) {
    facts.add("hw_type_raw", arp->hardware);
    facts.add("proto_type_raw", arp->protocol);
    return Malformed::none;
  }
  tell_named(facts, "hw_type", kHardware, arp->hardware);
  facts.add("proto_type", "ipv4");
  facts.add("src_mac", arp->sender_mac);
  facts.add("src_ip", arp->sender_ip);
  facts.add("dest_mac", arp->target_mac);
  facts.add("dest_ip", arp->target_ip);
  if (arp->sender_ip.is_unspecified() || arp->sender_mac.is_group() || arp->sender_mac.is_zero())
    return Malformed::none;
  facts.learn({arp->sender_mac, {}}, Attribute::ip_address, arp->sender_ip, "arp.src_ip");
  facts.act(Act::Kind::claim_address, {arp->sender_mac, arp->sender_ip}, {context.source.mac, {}},
            "arp.src_ip");
  return Malformed::none;
}

constexpr Place kAt[] = {0x0806, 0x8035};  // ARP, RARP

}  // namespace
}  // namespace arp

Parsed<ArpMessage> parse_arp(Bytes bytes) {
  Cursor cursor(bytes);
  ArpMessage out;
  out.hardware = cursor.u16();
  out.protocol = cursor.u16();
  const std::uint8_t hardware_size = cursor.u8();
  const std::uint8_t protocol_size = cursor.u8();
  out.operation = cursor.u16();
  const Bytes sender_mac = cursor.take(hardware_size), sender_ip = cursor.take(protocol_size);
  const Bytes target_mac = cursor.take(hardware_size), target_ip = cursor.take(protocol_size);
  if (!cursor.ok()) return bad(Malformed::truncated);
  if (name_of(arp::kHardware, out.hardware) == nullptr || out.protocol != arp::kIpv4) return out;
  if (hardware_size != 6 || protocol_size != 4) return bad(Malformed::bad_length);
  out.sender_mac = Mac::from(sender_mac.data());
  out.sender_ip = IpAddress::v4(sender_ip.data());
  out.target_mac = Mac::from(target_mac.data());
  out.target_ip = IpAddress::v4(target_ip.data());
  return out;
}

const Dissector kArp{
    .name = "arp", .carrier = Carrier::link, .at = arp::kAt, .dissect = arp::dissect};

}  // namespace vmirror
