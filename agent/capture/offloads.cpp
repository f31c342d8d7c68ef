#include "agent/capture/offloads.hpp"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <optional>

namespace vmirror {
namespace {

std::optional<std::uint32_t> ask(int fd, const std::string& interface, std::uint32_t command,
                                 std::uint32_t value = 0) {
  ethtool_value request{command, value};
  ifreq ifr{};
  std::strncpy(ifr.ifr_name, interface.c_str(), IFNAMSIZ - 1);
  ifr.ifr_data = reinterpret_cast<char*>(&request);
  if (ioctl(fd, SIOCETHTOOL, &ifr) != 0) return std::nullopt;
  return request.data;
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
  if (ask(fd, interface, ETHTOOL_GGRO).value_or(0) != 0)
    out.emplace_back("generic-receive-offload");
  if ((ask(fd, interface, ETHTOOL_GFLAGS).value_or(0) & ETH_FLAG_LRO) != 0)
    out.emplace_back("large-receive-offload");
  close(fd);
  return out;
}

}  // namespace vmirror
