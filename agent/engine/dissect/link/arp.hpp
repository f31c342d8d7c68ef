// ARP (RFC 826): who has which address on a link.
#pragma once

#include "agent/engine/dissect/dissector.hpp"

namespace vmirror {

/// An ARP message. The addresses are there for Ethernet's and IPv4's only, else empty.
struct ArpMessage {
  std::uint16_t hardware = 0;   ///< 1: Ethernet, 6: IEEE 802 (RFC 1042)
  std::uint16_t protocol = 0;   ///< An EtherType.
  std::uint16_t operation = 0;  ///< 1: request, 2: reply; 3, 4: RARP (RFC 903)
  Mac sender_mac, target_mac;
  IpAddress sender_ip, target_ip;
};

/// `bytes`: from the hardware type on; padding may follow. truncated; bad_length: address lengths
/// that are not those of the types.
Parsed<ArpMessage> parse_arp(Bytes bytes);

/// Record `arp`: hw_type, proto_type, opcode, src_mac, src_ip, dest_mac, dest_ip.
/// Facts: ip_address (arp.src_ip) of the sender's MAC. Acts: claim_address.
extern const Dissector kArp;

}  // namespace vmirror
