// LLDP (IEEE 802.1AB): what a switch, a phone or a controller says of itself on each link.
#pragma once

#include "agent/engine/dissect/dissector.hpp"

namespace vmirror {

/// An identifier with its kind: a MAC, an IP address or a text.
struct LldpId {
  std::uint8_t subtype = 0;
  Bytes value;
};

/// An LLDP data unit. What is not there is empty.
struct LldpMessage {
  LldpId chassis, port;
  std::uint16_t ttl = 0;  ///< Seconds that this holds; 0: the neighbour leaves.
  std::string_view port_description, system_name, system_description;
  bool has_capabilities = false;
  std::uint16_t capabilities = 0, enabled_capabilities = 0;
  IpAddress management_address;  ///< The first that is an IP address.
  std::uint16_t port_vlan = 0;   ///< IEEE 802.1: PVID
  /// LLDP-MED inventory (ANSI/TIA-1057).
  std::string_view hardware, firmware, software, serial_number, manufacturer, model;
};

/// `bytes`: behind the EtherType; padding may follow. truncated; bad_value: it does not begin with
/// chassis, port and time to live; bad_length: an element too short for its type.
Parsed<LldpMessage> parse_lldp(Bytes bytes);

/// Record `lldp`: chassis_id, port_id, ttl, port_description, system_name, system_description,
/// capabilities [], capabilities_enabled [], management_address, port_vlan, hardware, firmware,
/// software, serial_number, manufacturer, model.
/// Facts of the frame's source MAC: host_name, description, ip_address, router, vendor, model,
/// firmware, serial_number, each from the field of that name here.
extern const Dissector kLldp;

}  // namespace vmirror
