// The addresses of this host.
#pragma once

#include <set>

#include "plugin/base/address.hpp"

namespace vmirror {

/// Of all interfaces of this network namespace, loopback left out; empty where they can't be read.
/// Time is linear in the interfaces. Source: getifaddrs(3).
std::set<IpAddress> own_addresses();

/// The Ethernet addresses of the same interfaces.
std::set<Mac> own_macs();

}  // namespace vmirror
