#include "agent/control/evidence/device_counters.hpp"

#include "agent/engine/capture/nic.hpp"

namespace vmirror {

std::optional<DeviceReading> read_device(const std::string& device) {
  const auto link = read_link(device);
  if (!link) return {};
  return DeviceReading{{.out_frames = link->rx_frames,
                        .out_bytes = link->rx_bytes,
                        .in_frames = link->tx_frames,
                        .in_bytes = link->tx_bytes,
                        .in_dropped = link->tx_dropped},
                       link->carrier,
                       link->carrier_losses};
}

CoverageLog::ReadDevice port_reader(bool on_this_host) {
  if (!on_this_host) return {};
  return [](const Port& port) -> std::optional<PortReading> {
    if (!port.type.empty() && port.type != "system") return std::nullopt;
    const Time from = wall_clock();
    const auto reading = read_device(port.name);
    if (!reading) return std::nullopt;
    return PortReading{from, wall_clock(), reading->counters, port.id};
  };
}

}  // namespace vmirror
