#include "agent/engine/capture/nic.hpp"

#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "agent/engine/capture/ethtool.hpp"
#include "agent/engine/capture/offloads.hpp"

namespace vmirror {
namespace {

/// Copies an attribute's value, as far as it goes.
template <typename T>
void get(const rtattr* attribute, T& out) {
  std::memcpy(&out, RTA_DATA(attribute), std::min<std::size_t>(sizeof out, RTA_PAYLOAD(attribute)));
}

/// Asks for a link, and reads the answer (rtnetlink(7)).
std::optional<LinkCounters> ask_link(int socket, unsigned index) {
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
  LinkCounters out;
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
    out.rx_frames = stats.rx_packets;
    out.rx_bytes = stats.rx_bytes;
    out.tx_frames = stats.tx_packets;
    out.tx_bytes = stats.tx_bytes;
    out.tx_dropped = stats.tx_dropped;
    out.rx_missed = stats.rx_missed_errors + stats.rx_fifo_errors;
  }
  out.carrier = carrier != 0;
  return counted ? std::optional(out) : std::nullopt;
}

}  // namespace

std::optional<LinkCounters> read_link(const std::string& interface) {
  const unsigned index = ::if_nametoindex(interface.c_str());
  if (index == 0) return {};
  const int socket = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (socket < 0) return {};
  const auto reading = ask_link(socket, index);
  ::close(socket);
  return reading;
}

std::optional<NicState> read_nic(const std::string& interface) {
  const auto link = read_link(interface);
  if (!link) return std::nullopt;
  const Ethtool ethtool;
  NicState out{interface, ethtool.driver(interface), {}, {}, false, {}, *link};
  ethtool_ringparam ring{};
  ring.cmd = ETHTOOL_GRINGPARAM;
  if (ethtool.ask(interface, ring) && ring.rx_max_pending > 0)
    out.ring = {ring.rx_pending, ring.rx_max_pending};
  ethtool_channels channels{};
  channels.cmd = ETHTOOL_GCHANNELS;
  if (ethtool.ask(interface, channels)) {
    out.combined = channels.max_combined > 0;
    if (out.combined || channels.max_rx > 0)
      out.queues = {channels.combined_count + channels.rx_count,
                    std::max(channels.max_combined, channels.max_rx)};
  }
  out.merging = merging_offloads(interface, false);
  return out;
}

}  // namespace vmirror
