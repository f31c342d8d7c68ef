// A port's counters as this host's kernel has them, at once: a virtual switch writes its own only
// now and then (Open vSwitch: every 5 s). Not to be had from an appliance VM.
#pragma once

#include <optional>
#include <string>

#include "plugin/api/model.hpp"

namespace vmirror {

/// Of a guest's device (a tap, a veth), in the guest's directions: what the kernel received on it
/// is what the guest sent. None where there is no such device in this network namespace.
/// Any thread. Source: rtnetlink(7), RTM_GETLINK; IFLA_STATS64 in linux/if_link.h.
std::optional<PortCounters> device_counters(const std::string& device);

}  // namespace vmirror
