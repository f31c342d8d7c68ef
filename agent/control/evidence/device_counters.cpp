#include "agent/control/evidence/device_counters.hpp"

#include <algorithm>
#include <fstream>

#include "agent/engine/capture/nic.hpp"

namespace vmirror {
namespace {

struct Sent {
  std::uint64_t packets = 0, bytes = 0;
};

/// What the host itself sent through the device by IPv6: its neighbour discovery, for one. By the
/// names of the counters, since their numbers in rtnetlink's IFLA_INET6_STATS differ by kernel.
Sent sent_by_the_host(const std::string& device) {
  std::ifstream counters("/proc/thread-self/net/dev_snmp6/" + device);
  std::string name;
  std::uint64_t value = 0, requests = 0;
  std::optional<std::uint64_t> transmits;  // Since Linux 6.7, where a request may be many packets.
  Sent out;
  while (counters >> name >> value) {
    if (name == "Ip6OutRequests") requests = value;
    if (name == "Ip6OutTransmits") transmits = value;
    if (name == "Ip6OutOctets") out.bytes = value;
  }
  out.packets = transmits.value_or(requests);
  out.bytes += out.packets * 14;  // Each has an Ethernet header on its way.
  return out;
}

std::uint64_t without(std::uint64_t all, std::uint64_t part) {
  return all - std::min(all, part);
}

}  // namespace

std::optional<DeviceReading> read_device(const std::string& device) {
  // First: a packet that is sent between the two readings is then counted for the guest, as before.
  const Sent own = sent_by_the_host(device);
  const auto link = read_link(device);
  if (!link) return {};
  return DeviceReading{{.out_frames = link->rx_frames,
                        .out_bytes = link->rx_bytes,
                        .in_frames = without(link->tx_frames, own.packets),
                        .in_bytes = without(link->tx_bytes, own.bytes),
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
