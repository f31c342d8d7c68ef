// DHCP and BOOTP for IPv4 (RFC 2131, RFC 951): which address a host got, its name, its kind.
#pragma once

#include <array>
#include <bitset>
#include <span>

#include "agent/engine/dissect/dissector.hpp"

namespace vmirror {

/// A DHCP message. Spans and text borrow from the packet; those of options that are not there are
/// empty.
struct DhcpMessage {
  bool reply = false;
  std::uint32_t id = 0;
  Mac client_mac;  ///< Zero where the hardware is not Ethernet.
  IpAddress client_ip, assigned_ip, next_server_ip, relay_ip;
  bool dhcp = false;           ///< It has options; else it is plain BOOTP.
  std::uint8_t type = 0;       ///< Option 53: 1 discover, 2 offer, 3 request, ...
  IpAddress subnet_mask;       ///< Option 1
  Bytes routers;               ///< Option 3: addresses, 4 bytes each.
  Bytes dns_servers;           ///< Option 6: the same.
  std::string_view host_name;  ///< Option 12
  std::string_view domain;     ///< Option 15
  IpAddress requested_ip;      ///< Option 50
  std::uint32_t lease_time = 0, renewal_time = 0, rebinding_time = 0;  ///< 51, 58, 59: seconds
  IpAddress server;                                                    ///< Option 54
  std::string_view vendor_class;                                       ///< Option 60
  Bytes client_id;                                                     ///< Option 61
  Bytes fqdn;  ///< Option 81 (RFC 4702): flags, two results, the name as text or in DNS wire form.
  /// Options that can't be read, being of another size than their type's or past the message's end;
  /// the rest stands. The first few by code, and how many there are.
  std::array<std::uint8_t, 8> odd_options{};
  std::size_t odd_count = 0;
  /// Options that come in several parts (RFC 3396), whose first is in the fields above.
  std::bitset<256> split;
  std::array<Bytes, 3> areas{};  ///< Where options stand: behind the cookie, file, server name.
};

/// All parts of an option, one behind the other, as far as `out` has room: the bytes written.
std::size_t join_option(const DhcpMessage& message, std::uint8_t code, std::span<std::uint8_t> out);

/// `bytes`: the UDP payload. truncated: within its fixed part; bad_value: neither request nor
/// reply; bad_length: of the hardware address.
Parsed<DhcpMessage> parse_dhcp(Bytes bytes);

/// Record `dhcp`: type (request | reply), id, client_mac, assigned_ip, client_ip, next_server_ip,
/// relay_ip, dhcp_type, and as they are there requested_ip, server_ip, hostname, fqdn, domain,
/// vendor_class_identifier, client_id, odd_options (their codes), subnet_mask, routers,
/// dns_servers, lease_time, renewal_time, rebinding_time. Facts of client_mac: host_name
/// (dhcp.hostname, dhcp.fqdn), vendor (dhcp.vendor_class_identifier), ip_address (dhcp.assigned_ip
/// of an ack, dhcp.client_ip); router of the addresses in dhcp.routers. Found on odd ports.
extern const Dissector kDhcp;

}  // namespace vmirror
