// VRRP (RFC 3768, RFC 9568): which router answers for an address that several share.
#pragma once

#include "agent/engine/dissect/dissector.hpp"

namespace vmirror {

struct VrrpMessage {
  std::uint8_t version = 0;  ///< 2 or 3
  std::uint8_t router_id = 0;
  std::uint8_t priority = 0;   ///< 255: it owns the addresses; 0: it gives up.
  std::uint8_t auth_type = 0;  ///< Version 2: 0 none, 1 a password in clear, 2 AH
  std::uint32_t interval_ms = 0;
  std::uint8_t address_size = 4;
  Bytes addresses;
};

/// `bytes`: behind the IP header, whose version is `ip_version`. truncated; bad_value: a version or
/// a type that is not known.
Parsed<VrrpMessage> parse_vrrp(Bytes bytes, std::uint8_t ip_version);

/// Record `vrrp`: version, vrid, priority, interval_ms, addresses [] (64 at most), auth (of version
/// 2: none | password | ah). Facts of the sender: router (vrrp.vrid).
/// Act: weak_authentication, where a password goes in clear.
extern const Dissector kVrrp;

}  // namespace vmirror
