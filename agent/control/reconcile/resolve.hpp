// resolve: from policies and locations to the sessions that are wanted on this host. Pure.
//
//   policies, locations -> one session for each NIC and target, whoever asked for it
//
// Policies that want the same NIC at the same target share one session: directions are joined;
// snaplen, VLANs and filter are those of the highest priority. Where two of that priority disagree,
// the one whose name sorts first decides and the other is refused there. A policy decides only
// where the driver can do what it asks for: else the next one does, and it is refused there.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "agent/control/reconcile/policy_resolver.hpp"

namespace vmirror {

struct Resolved {
  Desired desired;  ///< By switch, port and target.
  std::vector<Refusal> refused;
  std::vector<PolicyStatus> policies;     ///< By name.
  std::map<std::string, Location> where;  ///< By session: its NIC.
};

/// `monitor_nic`: the appliance's, for the target `local`; none where the agent runs on the host.
/// At `now` and later than a policy's expiry it selects nothing. Both NICs of a migration get
/// their sessions, the incoming one too. Names: "vnet0@local"; where two switches have ports of
/// one name, "br0/vnet0@local"; where one address is given twice, "vnet0@erspan-192.0.2.9~2".
Resolved resolve(std::span<const Policy> policies, const Locations& locations, Time now,
                 const std::optional<Mac>& monitor_nic = std::nullopt);

/// The driver's, once: Driver::realise().
using Realise = std::function<Realisation(const Desired&, const Observed&)>;

struct Agreed {
  Resolved resolved;
  Realisation realisation;  ///< For `resolved`.
};
/// What the driver can serve of it in `observed`: see PolicyResolver::heed().
Agreed agree(std::span<const Policy> policies, const Locations& locations, Time now,
             const std::optional<Mac>& monitor_nic, const Observed& observed,
             const Realise& realise);

}  // namespace vmirror
