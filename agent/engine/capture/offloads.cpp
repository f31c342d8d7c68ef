#include "agent/engine/capture/offloads.hpp"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <optional>

namespace vmirror {
namespace {

template <typename Request>
bool ethtool(int fd, const std::string& interface, Request& request) {
  ifreq ifr{};
  std::strncpy(ifr.ifr_name, interface.c_str(), IFNAMSIZ - 1);
  ifr.ifr_data = reinterpret_cast<char*>(&request);
  return ioctl(fd, SIOCETHTOOL, &ifr) == 0;
}

std::optional<std::uint32_t> ask(int fd, const std::string& interface, std::uint32_t command,
                                 std::uint32_t value = 0) {
  ethtool_value request{command, value};
  if (!ethtool(fd, interface, request)) return std::nullopt;
  return request.data;
}

/// An internal port of Open vSwitch's kernel datapath shows these offloads as on and has none: a
/// large frame in a copy is as the guest sent it.
bool only_shows_them(int fd, const std::string& interface) {
  ethtool_drvinfo driver{};
  driver.cmd = ETHTOOL_GDRVINFO;
  return ethtool(fd, interface, driver) && std::strcmp(driver.driver, "openvswitch") == 0;
}

}  // namespace

std::vector<std::string> merging_offloads(const std::string& interface, bool off) {
  std::vector<std::string> out;
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return out;
  if (off) {
    ask(fd, interface, ETHTOOL_SGRO, 0);
    if (const auto flags = ask(fd, interface, ETHTOOL_GFLAGS))
      ask(fd, interface, ETHTOOL_SFLAGS, *flags & ~static_cast<std::uint32_t>(ETH_FLAG_LRO));
  }
  const bool real = !only_shows_them(fd, interface);
  if (real && ask(fd, interface, ETHTOOL_GGRO).value_or(0) != 0)
    out.emplace_back("generic-receive-offload");
  if (real && (ask(fd, interface, ETHTOOL_GFLAGS).value_or(0) & ETH_FLAG_LRO) != 0)
    out.emplace_back("large-receive-offload");
  close(fd);
  return out;
}

}  // namespace vmirror
