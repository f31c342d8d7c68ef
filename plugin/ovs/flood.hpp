// Who gets the copies of an RSPAN VLAN. Pure.
//
//   bridge of the source --patch port--> bridge --patch port--> ...
//     all ports there that carry the VLAN
#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "plugin/api/model.hpp"

namespace vmirror::ovs {

/// Copies go to every port that carries the VLAN, the source's own included (xbundle_includes_vlan
/// in ofproto-dpif-xlate), and through a patch port to the bridge at its other end. What a port
/// without tag and trunks carries nobody said; of an uplink, a patch port and a bridge's own device
/// this is how they are meant.
struct Flood {
  std::set<PortKey> unasked;     ///< Of others', with no word that they want it.
  std::set<PortKey> others;      ///< The rest.
  std::set<std::string> beyond;  ///< The switches that a patch port leads to.
  std::string home;              ///< The switch of the source.

  /// "vnet0, vnet1 on br1": the switch is named where it is another than `home`.
  std::string text(const std::set<PortKey>& ports) const;
};

Flood flood_of(const Observed& observed, const std::string& switch_name, std::uint16_t vlan);

/// "vnet0, vnet1 and 5 more"
std::string few(const std::set<std::string>& names);
/// The switch that has the port; null: none has. The database has no two ports of one name.
const Switch* switch_with_port(const Observed& observed, const std::string& port);

}  // namespace vmirror::ovs
