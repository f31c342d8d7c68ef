// From the portable filter to what Mirror rows of Open vSwitch express. Pure.
#pragma once

#include <vector>

#include "plugin/api/pack.hpp"

namespace vmirror::ovs {

/// Each cut costs a mirror, of the 32 that a bridge has.
constexpr std::size_t kMostCuts = 8;

/// See CutUp. Directions become selections, VLANs select_vlan, on any version. The rest becomes
/// exact values of Mirror.filter (Capabilities::match: 3.4 and later), one mirror for each
/// combination: `tcp,tcp_dst=502`. ovs-vswitchd takes no more there: a mask, a port without its
/// protocol and a field given twice are refused in its log, and the mirror is then gone. So what
/// needs them is Error::Kind::unsupported, as are `not` and more than kMostCuts combinations.
Result<std::vector<Cut>> cut_up(const Session& session, const Capabilities& can);

}  // namespace vmirror::ovs
