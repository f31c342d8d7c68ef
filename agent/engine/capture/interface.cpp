#include "agent/engine/capture/interface.hpp"

#include <ifaddrs.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>

#include "agent/engine/capture/control_socket.hpp"

namespace vmirror {
namespace {

tl::unexpected<Error> failed(const std::string& interface, const char* what, int error) {
  const bool gone = error == ENODEV || error == ENXIO;
  return fail(gone ? Error::Kind::missing : Error::Kind::refused,
              std::string(what) + ": " + std::strerror(error), interface,
              gone ? "the switch has not made the port yet" : "run the daemon with CAP_NET_ADMIN");
}

/// Off where the kernel has IPv6 at all; a namespace without it has nothing to switch off.
void disable_ipv6(const std::string& interface) {
  std::ofstream("/proc/sys/net/ipv6/conf/" + interface + "/disable_ipv6") << "1\n";
}

}  // namespace

Result<void> make_silent_receiver(const std::string& interface) {
  ifreq data{};
  if (interface.empty() || interface.size() >= sizeof data.ifr_name)
    return fail(Error::Kind::invalid, "no interface's name", interface, "give 1 to 15 characters");
  std::memcpy(data.ifr_name, interface.c_str(), interface.size() + 1);
  const ControlSocket socket;
  if (const int error = socket.call(SIOCGIFFLAGS, data))
    return failed(interface, "can't read its flags", error);
  const short wanted = static_cast<short>((data.ifr_flags | IFF_NOARP) | IFF_UP);
  // Before it is up: the kernel solicits routers on the way up.
  disable_ipv6(interface);
  if (data.ifr_flags == wanted) return {};
  data.ifr_flags = wanted;
  if (const int error = socket.call(SIOCSIFFLAGS, data))
    return failed(interface, "can't bring it up", error);
  return {};
}

Result<std::string> find_interface(const Mac& mac) {
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0)
    return fail(Error::Kind::internal, std::string("getifaddrs: ") + std::strerror(errno));
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> list(first, ::freeifaddrs);
  for (const ifaddrs* at = first; at != nullptr; at = at->ifa_next) {
    if (at->ifa_addr == nullptr || at->ifa_addr->sa_family != AF_PACKET) continue;
    sockaddr_ll link{};
    std::memcpy(&link, at->ifa_addr, sizeof link);
    if (link.sll_halen == 6 && Mac::from(link.sll_addr) == mac) return std::string(at->ifa_name);
  }
  return fail(Error::Kind::missing, "no interface has the MAC " + mac.text(), "local.monitor_nic",
              "`ip link` shows the MACs of this machine");
}

}  // namespace vmirror
