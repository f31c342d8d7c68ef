// The kernel's side of a mirror's output port: an interface that nothing but us should use.
#pragma once

#include <string>

#include "plugin/base/address.hpp"
#include "plugin/base/result.hpp"

namespace vmirror {

/// Makes an interface a silent receiver: up, without ARP, and without IPv6, so that the host
/// neither answers mirrored frames nor sends its own into the port. Idempotent.
/// Error::Kind::missing: no such interface; Error::Kind::refused: no CAP_NET_ADMIN. Source:
/// netdevice(7); Documentation/networking/ip-sysctl.rst, disable_ipv6.
Result<void> make_silent_receiver(const std::string& interface);

/// The interface that has this MAC: an appliance's monitor NIC. Error::Kind::missing.
Result<std::string> find_interface(const Mac& mac);

}  // namespace vmirror
