// What a session's target becomes on a bridge: an internal port of ours, the monitor NIC, an ERSPAN
// or GRE port, a VLAN. Refuses what would loop. Pure.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "plugin/api/pack.hpp"
#include "plugin/ovs/flood.hpp"

namespace vmirror::ovs {

/// The outputs of one realisation: knows what all sessions ask for, for session IDs and MTUs are
/// chosen among all. A value: it borrows nothing.
///
/// A port of ours is named after its bridge and target alone: "vmr-br0" for the local target when
/// that fits into a device name (15 bytes) and the owner is "vmirror", else "vmr-" and a hash.
///
/// Of mirrors with one output the switch makes one copy of a frame, in the manner of the mirror
/// that selects the sender. So sessions that differ in snaplen or VLANs get outputs of their own,
/// where we may choose: a local port, and an ERSPAN tunnel with another ID. Else they are warned.
///
/// An ERSPAN session left to us gets an ID of 1..1023 from the hash of owner, bridge and collector,
/// the next free one where that is taken on any bridge: ovs-vswitchd tells tunnels apart by remote
/// and key, whichever bridge they are on. A port of ours keeps the ID that it has.
class Outputs {
 public:
  Outputs(const Demand& demand, const Landmarks& landmarks, const Observed& observed,
          std::string owner);

  /// See FindOutput.
  Result<OutputChoice> find(const Session& session, const Switch& sw) const;
  /// See OutputRules.
  std::string basis() const;
  /// Of a switch that was observed.
  const Capabilities& capabilities(const std::string& switch_name) const {
    return capabilities_.at(switch_name);
  }

 private:
  /// One tunnel port of ours.
  struct Tunnel {
    std::string switch_name, key, port, type;
    std::string output_key;  ///< See Output; `key` may say the manner, too.
    IpAddress remote;
    int version = 0;                     ///< ERSPAN type; 0: GRE.
    std::optional<std::uint32_t> asked;  ///< Session ID or GRE key asked for.
    std::optional<std::uint32_t> id;     ///< The one that it gets.
    bool assigned = false;               ///< It has it: a GRE tunnel may have none.
    std::string taken_by;                ///< Not empty: who else has `asked`.
    Direction direction = Direction::none;
  };
  using Taken = std::map<std::pair<std::string, std::string>, std::string>;
  /// How the packets to one collector leave.
  struct WayOut {
    std::set<std::string> devices;   ///< That the switch says; empty: it has not said.
    std::set<std::string> switches;  ///< That have such a device, and those patched to them.
    bool by_uplink = false;          ///< One of the switches has a port that is known to lead out.
  };

  /// A port of ours that an output needs.
  struct OwnPort {
    std::string name;
    ObjectKey key;
    Object object;
  };

  std::string port_name(const std::string& switch_name, const std::string& key) const;
  Tunnel tunnel_of(const std::string& switch_name, const Target& target,
                   const std::string& manner) const;
  void note_tunnels(const Landmarks& landmarks, const Observed& observed, Taken& taken);
  void follow_patches(WayOut& way, const Landmarks& landmarks, const Observed& observed) const;
  void assign(Tunnel& tunnel, const Observed& observed, Taken& taken, bool sticky) const;

  /// The internal port that local copies go to. Where copies go to what isn't ours, a VLAN or the
  /// monitor NIC, the bridge has it all the same: only by a port of ours can a changed mirror be
  /// brought to flows that run (docs/decisions/0014).
  OwnPort local_port(const Switch& sw, const std::string& manner = {}) const;
  std::string plain_manner(const std::string& switch_name, const Target& target,
                           const std::set<std::string>& manners, const Observed& observed) const;
  std::string own_manner(const std::string& switch_name, const Target& target,
                         const std::string& manner) const;
  Result<OutputChoice> output(const Session& session, const Switch& sw) const;
  std::vector<std::string> warnings(const Session& session, const Port& source) const;
  Result<OutputChoice> local(const Session& session, const Switch& sw) const;
  Result<OutputChoice> monitor_nic(const Session& session, const Switch& sw, const Mac& mac) const;
  Result<OutputChoice> tunnel(const Session& session, const Switch& sw) const;
  Result<OutputChoice> rspan(const Session& session, const Switch& sw,
                             const RspanTarget& target) const;
  Result<void> check_underlay(const Session& session, const Switch& sw, const Tunnel& tunnel) const;

  const std::string owner_;
  std::map<std::string, Capabilities> capabilities_;  ///< By switch.
  std::map<std::string, std::uint32_t> mtu_;          ///< Of the local port, by switch.
  std::map<std::pair<std::string, std::uint16_t>, Flood> floods_;  ///< By switch and VLAN.
  std::map<Mac, PortKey> monitors_;     ///< The monitor NICs that are asked for.
  std::map<std::string, WayOut> ways_;  ///< Of our tunnels' packets, by collector.
  std::set<IpAddress> own_addresses_;
  std::set<std::string> userspace_;  ///< The switches whose datapath that is.
  std::map<std::pair<std::string, std::string>, Tunnel> tunnels_;  ///< By switch and key.
  /// Targets, by switch, to which sessions of several manners copy.
  std::set<std::pair<std::string, Target>> mixed_;
  std::map<std::pair<std::string, Target>, std::string>
      plain_;                                           ///< By switch and target: see above.
  std::set<std::pair<std::string, Target>> both_ends_;  ///< Share::both_ends
  std::set<std::string> controlled_;                    ///< Switches with rules of a controller.
  std::map<std::string, std::string> balancing_bonds_;  ///< By switch: one of them.
};

/// Packs sessions on bridges. See Driver::realiser().
std::unique_ptr<Realiser> make_realiser(const std::string& owner);
/// The same, once. See Driver::realise().
Realisation realise_once(const Desired& desired, const Observed& observed,
                         const std::string& owner);

}  // namespace vmirror::ovs
