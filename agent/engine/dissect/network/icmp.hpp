// ICMP for IPv4 (RFC 792): echoes, and what routers and hosts say of datagrams that they dropped.
#pragma once

#include "agent/engine/dissect/dissector.hpp"

namespace vmirror {

struct IcmpMessage {
  std::uint8_t type = 0, code = 0;
  std::uint32_t rest = 0;  ///< Bytes 4..7: identifier and sequence number, gateway, or next MTU.
  Bytes body;              ///< Behind them: the echo's data, or the front of the dropped datagram.
  bool wrong_sum = false;  ///< Not told of a cut copy. Offloads and tunnels leave such sums behind.
};

/// `bytes`: the ICMP message. truncated.
Parsed<IcmpMessage> parse_icmp(Bytes bytes, bool cut);

/// Tells of the datagram that an ICMP error holds the front of: object `original` with src_ip,
/// dest_ip, proto, and src_port and dest_port as far as they are there.
void tell_original(Bytes datagram, Facts& facts);

/// Tells of an echo, or its reply, whose identifier and sequence number are `rest`: id, seq, size
/// of the data, and of a reply latency_us where its request was seen. The same in ICMPv6 (RFC 4443,
/// section 4).
void tell_echo(std::uint32_t rest, std::size_t size, bool request, const Context& context,
               Facts& facts);

/// Record `icmp`: icmp_type, icmp_code, name, checksum where it is "wrong", and id, seq, size of an
/// echo (its reply also latency_us), gateway of a redirect, mtu, and `original` of an error. Facts:
/// router (icmp.redirect) of who sends redirects or time exceeded in transit.
extern const Dissector kIcmp;

}  // namespace vmirror
