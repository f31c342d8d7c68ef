// One ethtool request to an interface (linux/ethtool.h). For this folder only.
#pragma once

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <string>

namespace vmirror {

/// A socket for ethtool's requests, closed at the end.
class Ethtool {
 public:
  Ethtool() : fd_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {}
  ~Ethtool() {
    if (fd_ >= 0) ::close(fd_);
  }
  Ethtool(const Ethtool&) = delete;
  Ethtool& operator=(const Ethtool&) = delete;

  /// False: the driver does not know the request, or there is no such interface.
  template <typename Request>
  bool ask(const std::string& interface, Request& request) const {
    ifreq ifr{};
    std::strncpy(ifr.ifr_name, interface.c_str(), IFNAMSIZ - 1);
    ifr.ifr_data = reinterpret_cast<char*>(&request);
    return ::ioctl(fd_, SIOCETHTOOL, &ifr) == 0;
  }
  /// ETHTOOL_GDRVINFO's name; empty: not told.
  std::string driver(const std::string& interface) const {
    ethtool_drvinfo info{};
    info.cmd = ETHTOOL_GDRVINFO;
    if (!ask(interface, info)) return {};
    return {info.driver, ::strnlen(info.driver, sizeof info.driver)};
  }

 private:
  int fd_;
};

}  // namespace vmirror
