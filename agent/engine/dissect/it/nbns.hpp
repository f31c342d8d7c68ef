// NetBIOS name service (RFC 1001, RFC 1002): names that Windows machines claim and look for.
#pragma once

#include "agent/engine/dissect/it/dns_message.hpp"

namespace vmirror {

/// A NetBIOS name: 15 characters without the blanks at their end, and what it is a name of.
struct NetbiosName {
  char text[15];
  std::uint8_t size = 0;
  std::uint8_t suffix = 0;  ///< 0x00 workstation, or domain; 0x1c domain controllers; 0x20 server
};

/// `first`: the first label of a name: 32 letters, of which two are a byte. None: it is no NetBIOS
/// name.
std::optional<NetbiosName> netbios_name(std::string_view first);

/// Record `nbns`: type (query | answer), id, opcode (query | registration | release | wack |
/// refresh), name, suffix ("20"), rcode of an answer, addresses [] and group (of an answer, or of
/// what is registered), names [{name, suffix, group}] and mac of a node's status, latency_us.
/// Facts: host_name (nbns.name) of the address that a machine registers or answers for, domain of
/// it (a group's), role "domain_controller" (nbns.suffix) of whom answers as 0x1c.
extern const Dissector kNbns;

}  // namespace vmirror
