// A port's counters and carrier as this host's kernel has them, at once: a virtual switch writes
// its own only now and then (every 5 s, say). Not to be had from an appliance VM.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "agent/control/evidence/coverage_log.hpp"
#include "plugin/api/model.hpp"

namespace vmirror {

struct DeviceReading {
  /// In the directions of the guest whose device (a tap, a veth) it is: what the kernel received on
  /// it is what the guest sent.
  PortCounters counters;
  /// It has a carrier. A port that a switch makes as a tap has none while its daemon is
  /// down.
  bool carrier = false;
  std::uint32_t carrier_losses = 0;  ///< Since it was made.
};

/// None where there is no such device in this network namespace. Any thread.
/// Source: rtnetlink(7), RTM_GETLINK; IFLA_STATS64, IFLA_CARRIER and IFLA_CARRIER_DOWN_COUNT in
/// linux/if_link.h.
std::optional<DeviceReading> read_device(const std::string& device);

/// The same of a switch's port, with the moment. Empty in an appliance VM. A port that the switch
/// makes itself (internal, a tunnel) is left to it: of these it counts what its device does not.
CoverageLog::ReadDevice port_reader(bool on_this_host);

}  // namespace vmirror
