// One ethtool request to an interface (linux/ethtool.h). For this folder only.
#pragma once

#include <linux/ethtool.h>
#include <linux/sockios.h>

#include <cstring>
#include <string>

#include "agent/engine/capture/control_socket.hpp"

namespace vmirror {

class Ethtool {
 public:
  /// False: the driver does not know the request, or there is no such interface.
  template <typename Request>
  bool ask(const std::string& interface, Request& request) const {
    ifreq ifr{};
    std::strncpy(ifr.ifr_name, interface.c_str(), IFNAMSIZ - 1);
    ifr.ifr_data = reinterpret_cast<char*>(&request);
    return socket_.call(SIOCETHTOOL, ifr) == 0;
  }
  /// ETHTOOL_GDRVINFO's name; empty: not told.
  std::string driver(const std::string& interface) const {
    ethtool_drvinfo info{};
    info.cmd = ETHTOOL_GDRVINFO;
    if (!ask(interface, info)) return {};
    return {info.driver, ::strnlen(info.driver, sizeof info.driver)};
  }

 private:
  ControlSocket socket_;
};

}  // namespace vmirror
