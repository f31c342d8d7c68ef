#include "agent/control/evidence/device_counters.hpp"

#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace vmirror {
namespace {

/// Copies an attribute's value, as far as it goes.
template <typename T>
void get(const rtattr* attribute, T& out) {
  std::memcpy(&out, RTA_DATA(attribute), std::min<std::size_t>(sizeof out, RTA_PAYLOAD(attribute)));
}

/// Asks for a link, and reads the answer (rtnetlink(7)).
std::optional<DeviceReading> read_link(int socket, unsigned index) {
  struct {
    nlmsghdr header;
    ifinfomsg body;
  } request{};
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = RTM_GETLINK;
  request.header.nlmsg_flags = NLM_F_REQUEST;
  request.body.ifi_index = static_cast<int>(index);
  if (::send(socket, &request, sizeof request, 0) != sizeof request) return {};
  alignas(nlmsghdr) std::array<char, 16384> answer{};
  const ssize_t size = ::recv(socket, answer.data(), answer.size(), 0);
  const auto* header = reinterpret_cast<const nlmsghdr*>(answer.data());
  if (size < static_cast<ssize_t>(NLMSG_LENGTH(sizeof(ifinfomsg))) ||
      header->nlmsg_type != RTM_NEWLINK)
    return {};
  const auto* body = reinterpret_cast<const ifinfomsg*>(NLMSG_DATA(header));
  DeviceReading out;
  std::uint8_t carrier = 0;
  bool counted = false;
  auto left = static_cast<int>(IFLA_PAYLOAD(header));
  for (const rtattr* at = IFLA_RTA(body); RTA_OK(at, left); at = RTA_NEXT(at, left)) {
    if (at->rta_type == IFLA_CARRIER) get(at, carrier);
    if (at->rta_type == IFLA_CARRIER_DOWN_COUNT) get(at, out.carrier_losses);
    if (at->rta_type != IFLA_STATS64) continue;
    rtnl_link_stats64 stats{};
    get(at, stats);
    counted = true;
    out.counters = {.out_frames = stats.rx_packets,
                    .out_bytes = stats.rx_bytes,
                    .in_frames = stats.tx_packets,
                    .in_bytes = stats.tx_bytes,
                    .in_dropped = stats.tx_dropped};
  }
  out.carrier = carrier != 0;
  return counted ? std::optional(out) : std::nullopt;
}

}  // namespace

std::optional<DeviceReading> read_device(const std::string& device) {
  const unsigned index = ::if_nametoindex(device.c_str());
  if (index == 0) return {};
  const int socket = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (socket < 0) return {};
  const auto reading = read_link(socket, index);
  ::close(socket);
  return reading;
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
