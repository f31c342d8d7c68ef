// ICMPv6 (RFC 4443), neighbour discovery (RFC 4861) and multicast listener discovery (RFC 2710,
// RFC 3810).
#pragma once

#include "agent/engine/dissect/dissector.hpp"

namespace vmirror {

struct Icmp6Message {
  std::uint8_t type = 0, code = 0;
  std::uint32_t rest = 0;  ///< Bytes 4..7.
  Bytes body;              ///< Behind them.
  bool wrong_sum = false;  ///< Not told of a cut copy.
};

/// `bytes`: the ICMPv6 message that went from `source` to `destination`. truncated.
Parsed<Icmp6Message> parse_icmp6(Bytes bytes, const IpAddress& source, const IpAddress& destination,
                                 bool cut);

/// The options of neighbour discovery that are read.
struct NdOptions {
  Mac source_mac, target_mac;  ///< Zero: not there.
  std::uint32_t mtu = 0;       ///< 0: not there.
  Bytes prefix;       ///< The first prefix information option's 30 bytes behind its length.
  Bytes dns_servers;  ///< RFC 8106: addresses, 16 bytes each.
};
/// truncated; bad_length: an option of length zero or of another than its type's.
Parsed<NdOptions> parse_nd_options(Bytes bytes);

/// Record `icmp6`: icmp_type, icmp_code, name; id, seq, size of an echo (its reply also
/// latency_us); mtu and `original` of an error; target, src_mac, target_mac, router, solicited,
/// override, router_lifetime, hop_limit, prefix, prefix_length, dns_servers of neighbour discovery;
/// group of MLD. Facts: ip_address of who speaks in neighbour discovery; router of who advertises
/// as one. Acts: claim_address. Discovery over a router (hop limit under 255) is a bad_value.
extern const Dissector kIcmp6;

}  // namespace vmirror
