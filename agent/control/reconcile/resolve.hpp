// resolve: computes the sessions wanted on this host from policies and locations. Pure.
//
//   policies, locations -> one session for each NIC and target, for all policies together
//
// Policies that want the same NIC at the same target share one session. Their directions are
// joined. The policy of the highest priority decides snaplen, VLANs and filter. Of two policies of
// this priority that disagree, the policy whose name sorts first decides, and the other is refused
// for this NIC. If the driver refuses the deciding policy, the next policy decides.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agent/control/reconcile/policy_resolver.hpp"

namespace vmirror {

struct Resolved {
  Desired desired;  ///< By switch, port and target.
  std::vector<Refusal> refused;
  std::vector<PolicyStatus> policies;     ///< By name.
  std::map<std::string, Location> where;  ///< By session: the location of its NIC.
};

/// `monitor_nic`: the appliance's, for the target `local`; none if the agent runs on the host.
/// A policy whose expiry is not after `now` selects nothing. A NIC that migrates has sessions on
/// both hosts, also while it is incoming. Names: "vnet0@local"; for ports of one name on two
/// switches "br0/vnet0@local"; for two targets with one address "vnet0@erspan-192.0.2.9~2".
Resolved resolve(std::span<const Policy> policies, const Locations& locations, Time now,
                 const std::optional<Mac>& monitor_nic = std::nullopt);

/// True if a session's `policy`, several policies joined by '+', has this policy.
bool has_policy(std::string_view joined, std::string_view name);

/// Driver::realise() of the driver.
using Realise = std::function<Realisation(const Desired&, const Observed&)>;

struct Agreed {
  Resolved resolved;
  Realisation realisation;  ///< For `resolved`.
};
/// The sessions that the driver can serve in `observed`: see PolicyResolver::heed().
Agreed agree(std::span<const Policy> policies, const Locations& locations, Time now,
             const std::optional<Mac>& monitor_nic, const Observed& observed,
             const Realise& realise);

}  // namespace vmirror
