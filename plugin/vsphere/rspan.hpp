// The receiving end of RSPAN on a distributed switch: a session of the type remoteMirrorDest that
// gives the VLANs to an adapter of the agent's.
//
//   session to RSPAN VLAN 100 --> remoteMirrorSource: ports -> uplink, VLAN 100
//                             --> remoteMirrorDest: VLAN 100 -> the adapter's dvPort
//
// The physical switches carry the VLAN between the two. The session follows the adapter.
#pragma once

#include <optional>
#include <set>
#include <string>

#include "plugin/api/model.hpp"

namespace vmirror::vsphere {

struct RspanReceiver {
  Objects objects;
  std::set<std::string> sessions;  ///< Those to RSPAN VLANs.
  std::string unreceived;          ///< Why nothing here takes these in, and the remedy; or empty.
};
/// The VLANs of all sessions to RSPAN on distributed switches, to the dvPort that has the MAC: one
/// session, because a port is the destination of one at most. A conflict that the switch would
/// answer with a fault, for all changes of its task, is told beforehand. Pure.
RspanReceiver rspan_receiver(const SessionMap& sessions, const Observed& world,
                             const std::string& owner, const std::optional<Mac>& adapter);

}  // namespace vmirror::vsphere
