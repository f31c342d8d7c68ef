// The ports of a distributed switch: where they are, what is connected to them, and their counters.
// They are no properties: the server is asked each time.
//
// Source: Broadcom, "vSphere Web Services API": DistributedVirtualSwitch.FetchDVPorts,
// DistributedVirtualPort, DistributedVirtualSwitchPortConnectee.
#pragma once

#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

#include "plugin/vsphere/client.hpp"

namespace vmirror::vsphere {

/// What is connected to a port. Mirror a machine's alone: the copies of a VMkernel adapter's frames
/// leave by that adapter and are copied again (Broadcom article 327931).
enum class Connectee { nothing, machine, vmkernel, uplink, other };

struct DvPort {
  std::string key, portgroup_key;
  Ref host;  ///< proxyHost: where the port is now; empty: on none.
  Connectee connectee = Connectee::nothing;
  Ref entity;           ///< The machine, or the host, that is connected.
  std::string nic_key;  ///< Of the machine's device: "4000"; of a host's adapter: "vmk0", "vmnic0".
  Mac mac;              ///< Of what is connected, where it is up.
  bool link_up = false;
  bool promiscuous = false;  ///< In force: the port's own setting, or its port group's.
  bool in_conflict = false;  ///< The host's view of the port differs from vCenter's.
  /// Frames of all kinds (unicast, multicast, broadcast), as the API calls them, since the port
  /// came up. The server reads them from the host when it is asked to (refresh_ports).
  std::uint64_t packets_in = 0, packets_out = 0;
  bool operator==(const DvPort&) const = default;
};

constexpr std::size_t kMaxPortsPerCall = 500;  ///< Of about 4 kB of XML each.

/// The ports of these keys, in the server's order. A key that the switch does not have is left out.
/// Needs the privilege System.Read.
Result<std::vector<DvPort>> fetch_ports(VimClient& client, const Ref& distributed_switch,
                                        const std::vector<std::string>& keys,
                                        std::stop_token stop = {});

/// RefreshDVPortState: makes the counters of these ports those of now. A key that the switch does
/// not have fails the whole call.
Result<void> refresh_ports(VimClient& client, const Ref& distributed_switch,
                           const std::vector<std::string>& keys, std::stop_token stop = {});

/// A DistributedVirtualPort. Pure.
DvPort read_dv_port(pugi::xml_node node);

}  // namespace vmirror::vsphere
