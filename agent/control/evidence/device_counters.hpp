// The kernel's counters and carrier of a port, without waiting. A virtual switch writes its own
// counters only from time to time, for example every 5 s. An appliance VM cannot read them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "agent/control/evidence/coverage_log.hpp"
#include "plugin/api/model.hpp"

namespace vmirror {

struct DeviceReading {
  /// In the directions of the guest that has the device (a tap, a veth): frames that the kernel
  /// received on the device are frames that the guest sent. Without the packets that the host
  /// itself sends through the device by IPv6 (its neighbour discovery): they pass no switch.
  PortCounters counters;
  /// The device has a carrier. A port that a switch makes as a tap has no carrier while the
  /// switch's daemon is down.
  bool carrier = false;
  std::uint32_t carrier_losses = 0;  ///< Since the device was made.
};

/// None: there is no such device in this network namespace. Any thread.
/// Source: read_link (agent/engine/capture/nic.hpp).
std::optional<DeviceReading> read_device(const std::string& device);

/// The same for a switch's port, with the time. Empty in an appliance VM. Ports that the switch
/// makes (internal, tunnel) are left out: only the switch counts all of their frames.
CoverageLog::ReadDevice port_reader(bool on_this_host);

}  // namespace vmirror
