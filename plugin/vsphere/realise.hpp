// What each target becomes on a distributed switch: the driver's rules for the packer, and the
// packer's mirrors as mirroring sessions. Pure.
//
//   engine here    ERSPAN II to the receiver's address, because that follows a machine by itself;
//                  without a receiver dvPortMirror to the monitor NIC's port
//   ERSPAN, GRE    encapsulatedRemoteMirrorSource to the address
//   RSPAN          remoteMirrorSource to an uplink, with the VLAN; see rspan.hpp for its other end
//
// Sessions of standard switches are span_realise.hpp's.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>

#include "plugin/api/realiser.hpp"
#include "plugin/vsphere/span.hpp"

namespace vmirror::vsphere {

struct RealiserOptions {
  std::string owner;
  std::optional<IpAddress> receiver = {};  ///< Where the engine takes ERSPAN in.
  /// The name of the hosts' uplink that RSPAN leaves by; empty: the first by name.
  std::string uplink = {};
  /// Of this machine's own NICs: copies to the receiver that are of one of them would be copied
  /// again.
  std::set<Mac> own_macs = {};
  SpanOptions span = {};
  bool drs_rules = false;  ///< A sensor is kept with its sources where its copies need that.
  std::vector<std::string> drs_hosts = {};  ///< See RuleOptions::hosts.
  std::optional<Mac> rspan_adapter = {};    ///< See rspan_receiver().
};

std::unique_ptr<Realiser> make_realiser(RealiserOptions options);

}  // namespace vmirror::vsphere
