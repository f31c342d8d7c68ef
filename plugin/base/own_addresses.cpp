#include "plugin/base/own_addresses.hpp"

#include <ifaddrs.h>
#include <linux/if_packet.h>
#include <netinet/in.h>

#include <memory>

namespace vmirror {

std::set<IpAddress> own_addresses() {
  std::set<IpAddress> out;
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) return out;
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> list(first, ::freeifaddrs);
  for (const ifaddrs* at = first; at != nullptr; at = at->ifa_next) {
    if (at->ifa_addr == nullptr) continue;
    IpAddress address;
    if (at->ifa_addr->sa_family == AF_INET) {
      sockaddr_in in{};
      std::memcpy(&in, at->ifa_addr, sizeof in);
      address.version = 4;
      std::memcpy(address.octets.data(), &in.sin_addr, 4);
    } else if (at->ifa_addr->sa_family == AF_INET6) {
      sockaddr_in6 in{};
      std::memcpy(&in, at->ifa_addr, sizeof in);
      address.version = 6;
      std::memcpy(address.octets.data(), &in.sin6_addr, 16);
    }
    if (!address.empty() && !address.is_loopback()) out.insert(address);
  }
  return out;
}

std::set<Mac> own_macs() {
  std::set<Mac> out;
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) return out;
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> list(first, ::freeifaddrs);
  for (const ifaddrs* at = first; at != nullptr; at = at->ifa_next) {
    if (at->ifa_addr == nullptr || at->ifa_addr->sa_family != AF_PACKET) continue;
    sockaddr_ll link{};
    std::memcpy(&link, at->ifa_addr, sizeof link);
    if (link.sll_halen == 6 && !Mac::from(link.sll_addr).is_zero())
      out.insert(Mac::from(link.sll_addr));
  }
  return out;
}

}  // namespace vmirror
