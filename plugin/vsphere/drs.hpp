// Rules of DRS that keep a sensor with its sources: for copies that reach the sensor only on one
// host, those of a standard switch and of a session between dvPorts.
//
//   session to a monitor NIC --affinity_rules--> kind "DRS rule" of the cluster: the two on a host
//                                                kinds "DRS VM group", "DRS host group" and
//                                                "DRS VM-host rule": sensor and sources on some
//                                                hosts
//                            --carry_out--> ReconfigureComputeResource_Task, groupSpec, rulesSpec
//
// Source: Broadcom, "vSphere Web Services API": ClusterComputeResource, ClusterConfigSpecEx,
// ClusterRuleSpec, ClusterAffinityRuleSpec, ClusterVmHostRuleInfo, ClusterGroupSpec.
#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <variant>
#include <vector>

#include "plugin/api/model.hpp"
#include "plugin/vsphere/client.hpp"

namespace vmirror::vsphere {

constexpr const char* kRuleKind = "DRS rule";
constexpr const char* kHostRuleKind = "DRS VM-host rule";
constexpr const char* kMachineGroupKind = "DRS VM group";
constexpr const char* kHostGroupKind = "DRS host group";
/// A host of the cluster: never ours, and there to be chosen.
constexpr const char* kClusterHostKind = "cluster host";
/// Switch::kind of a cluster: it has no ports, and is there for its rules.
constexpr const char* kClusterKind = "DRS cluster";
/// The value of this label of a port is the name of the cluster that its machine is in.
constexpr const char* kClusterLabel = "vm-cluster";

/// A rule of ours is named "OWNER: SENSOR with SOURCE", or "OWNER: SENSOR and its sources", as is
/// the group of machines; the group of hosts "OWNER: hosts for SENSOR". The owner is the mark.
std::string rule_name(const std::string& owner, const std::string& sensor,
                      const std::string& source);
bool is_rule_of(const std::string& owner, const std::string& rule);

class RuleValue final : public ObjectValue {
 public:
  explicit RuleValue(AffinityRule r);
  std::string text() const override;
  std::string difference(const ObjectValue& is) const override;

  /// The order of the machines says nothing. `key` is of one that is there.
  const AffinityRule rule;
};

class HostRuleValue final : public ObjectValue {
 public:
  explicit HostRuleValue(HostRule r) : rule(std::move(r)) {}
  std::string text() const override;
  std::string difference(const ObjectValue& is) const override;
  const HostRule rule;  ///< `key` is of one that is there.
};

class GroupOfCluster final : public ObjectValue {
 public:
  explicit GroupOfCluster(ClusterGroup g);
  std::string text() const override;
  std::string difference(const ObjectValue& is) const override;
  const ClusterGroup group;  ///< Members in order.
};

class ClusterHost final : public ObjectValue {
 public:
  explicit ClusterHost(Ref r) : ref(std::move(r)) {}
  std::string text() const override { return ref.id; }
  std::string difference(const ObjectValue& is) const override;
  const Ref ref;
};

struct RuleOptions {
  std::string owner;
  bool wanted = false;              ///< Rules of two machines; else there are none.
  std::optional<Mac> adapter = {};  ///< The sensor's, where a target names no monitor NIC.
  bool has_receiver = false;        ///< Sessions of distributed switches follow by themselves.
  /// Names of hosts, globs, that sensor and sources are to run on; empty: no such rules.
  std::vector<std::string> hosts = {};
};

/// What the sessions want of the clusters. Where the sensor is in another cluster no rule helps.
/// Pure.
Objects affinity_rules(const SessionMap& sessions, const Observed& world,
                       const RuleOptions& options);

struct RuleChange {
  enum class Operation { add, edit, remove };
  Operation operation = Operation::add;
  std::variant<AffinityRule, HostRule, ClusterGroup> what;
};
struct ClusterChange {
  Ref cluster;
  std::vector<RuleChange> changes;
};

/// In at most three tasks, because rules name groups: groups that come or change, rules, groups
/// that go. Needs the privilege Host.Inventory.EditCluster.
Result<void> carry_out(VimClient& client, const ClusterChange& change, std::stop_token stop = {});
/// True where the inventory shows all of it.
bool shows(const Inventory& inventory, const ClusterChange& change);

}  // namespace vmirror::vsphere
