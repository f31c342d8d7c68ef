// CDP (Cisco Discovery Protocol): what a switch, a router or a phone says of itself on each link.
#pragma once

#include "agent/engine/dissect/dissector.hpp"

namespace vmirror {

/// A CDP packet. What is not there is empty.
struct CdpMessage {
  std::uint8_t version = 0;
  std::uint8_t ttl = 0;  ///< Seconds that this holds.
  std::string_view device_id, port_id, software_version, platform, vtp_domain;
  bool has_capabilities = false;
  std::uint32_t capabilities = 0;
  std::uint16_t native_vlan = 0;
  IpAddress address, management_address;  ///< The first of each list that is IPv4 or IPv6.
};

/// `bytes`: behind the SNAP header. truncated; bad_length: an element too short for its type.
Parsed<CdpMessage> parse_cdp(Bytes bytes);

/// Record `cdp`: version, ttl, device_id, port_id, address, capabilities [], software_version,
/// platform, vtp_domain, native_vlan, management_address.
/// Facts of the frame's source MAC: host_name (cdp.device_id), model (cdp.platform), description
/// (cdp.software_version), ip_address (cdp.address, cdp.management_address), router
/// (cdp.capabilities).
extern const Dissector kCdp;

}  // namespace vmirror
