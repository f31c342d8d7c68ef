// DHCPv6 (RFC 8415): who asks for which addresses under which name, and which server gives them.
#pragma once

#include "agent/engine/dissect/dissector.hpp"

namespace vmirror {

struct Dhcp6Message {
  std::uint8_t type = 0;             ///< 1 solicit ... 11 information-request; 12, 13: relayed
  std::uint32_t transaction_id = 0;  ///< 24 bits; not of a relay's message
  std::uint8_t hops = 0;             ///< Of a relay's message, and
  Bytes link, peer;                  ///< the addresses, 16 bytes each.
  Bytes options;                     ///< | code[2] | size[2] | value | ...
};
/// `bytes`: the UDP payload, or what a relay wraps. truncated, options too; bad_value: an unknown
/// type.
Parsed<Dhcp6Message> parse_dhcp6(Bytes bytes);

/// Record `dhcp6`: message_type, of a relay's message hop_count, link_address, peer_address and
/// relayed_type (of the innermost that it wraps, whose fields follow); transaction_id, and as they
/// are there client_duid, server_duid, client_mac (of a DUID that is made of one), fqdn,
/// addresses [], prefixes [], dns_servers [], domains [], vendor_class, status.
/// Facts: service "dhcp6" of who answers; host_name (dhcp6.fqdn) of a client that is not behind a
/// relay.
extern const Dissector kDhcp6;

}  // namespace vmirror
