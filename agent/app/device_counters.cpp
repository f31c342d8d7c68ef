#include "agent/app/device_counters.hpp"

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

/// The answer to RTM_GETLINK, up to IFLA_STATS64 (rtnetlink(7)).
std::optional<rtnl_link_stats64> link_stats(int socket, unsigned index) {
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
  auto left = static_cast<int>(IFLA_PAYLOAD(header));
  for (const rtattr* at = IFLA_RTA(body); RTA_OK(at, left); at = RTA_NEXT(at, left)) {
    if (at->rta_type != IFLA_STATS64) continue;
    rtnl_link_stats64 stats{};
    std::memcpy(&stats, RTA_DATA(at), std::min<std::size_t>(sizeof stats, RTA_PAYLOAD(at)));
    return stats;
  }
  return {};
}

}  // namespace

std::optional<PortCounters> device_counters(const std::string& device) {
  const unsigned index = ::if_nametoindex(device.c_str());
  if (index == 0) return {};
  const int socket = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (socket < 0) return {};
  const auto stats = link_stats(socket, index);
  ::close(socket);
  if (!stats) return {};
  return PortCounters{.out_frames = stats->rx_packets,
                      .out_bytes = stats->rx_bytes,
                      .in_frames = stats->tx_packets,
                      .in_bytes = stats->tx_bytes,
                      .dropped = stats->rx_dropped + stats->tx_dropped};
}

}  // namespace vmirror
