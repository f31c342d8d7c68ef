// locate: from what a switch shows to where each NIC is. Pure.
#pragma once

#include <string>

#include "agent/model/location.hpp"
#include "plugin/api/model.hpp"

namespace vmirror {

/// One location for each port that isn't ours, by switch and port. `host` is this host's name.
///
/// The VM's name is the port's label `vm-name` (Open vSwitch: external_ids:vm-name), or what the
/// switch calls the VM where that is no UUID; its UUID is what the switch calls it else. A port
/// whose label `iface-status` is `inactive` is incoming: the hypervisor's way of saying that the
/// guest uses another one (ovs-vswitchd.conf.db(5), Interface, external_ids:iface-status).
Locations locate(const Observed& observed, const std::string& host);

}  // namespace vmirror
