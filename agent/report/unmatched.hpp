// What of a policy's selectors no NIC of this host has, in words. Pure.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/control/reconcile/session_judge.hpp"
#include "agent/model/policy.hpp"

namespace vmirror {

using LocationStatuses = PersistentMap<PortKey, LocationStatus>;

/// The hypervisor, which tells titles, networks and moves of guests.
struct HypervisorView {
  std::string uri;
  bool connected = false;
  std::string error;  ///< Why it is not connected; empty: it was not asked yet.
};

/// What the NICs of this host are called, for selectors that name one thing.
class KnownNames {
 public:
  explicit KnownNames(const LocationStatuses& locations);
  /// The names without `*`, `?` or `[` in vm, uuid, mac and port that no NIC of this host has:
  /// "no port here is called `vnet9`". Costs the policy's entries.
  std::vector<std::string> missing(const Policy& policy) const;

 private:
  std::set<std::string, std::less<>> vms_, uuids_, macs_, ports_;
};

/// Each entry of `select` that no NIC of this host matches, with the cause: a glob that matches
/// nothing and the name that is nearest, a MAC that no MAC can match, a key that needs a
/// hypervisor's word. `hypervisor`: none where the daemon asks none. Costs entries times NICs.
std::vector<std::string> unmatched(const Policy& policy, const LocationStatuses& locations,
                                   const std::optional<HypervisorView>& hypervisor);
/// "libvirt (qemu:///system) can't be read: ..."; empty: it is connected.
std::string why_unread(const HypervisorView& hypervisor);

}  // namespace vmirror
