// What sessions need on virtual switches: a NIC that is a source, the monitor adapter that is the
// destination, its trunk, and the NDIS capture extension. Pure.
//
//   source ports --copies of both directions--> the switch's monitor adapter
#pragma once

#include <memory>
#include <string>

#include "plugin/api/realiser.hpp"
#include "plugin/hyperv/affinity.hpp"
#include "plugin/hyperv/vlans.hpp"

namespace vmirror::hyperv {

struct RealiserOptions {
  /// The monitor adapters by name ("VM/adapter"), a glob as in fnmatch(3), one on each switch.
  /// Empty: the one with the MAC of the session's target.
  std::string monitor = {};
  std::uint8_t session = 0;  ///< MonitorSession
  VlanSetting trunk = {};    ///< Of the monitor adapters.
  AffinityOptions affinity = {};
};

std::unique_ptr<Realiser> make_realiser(RealiserOptions options);

}  // namespace vmirror::hyperv
