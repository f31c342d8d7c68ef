// Rules of DRS that keep a sensor with its sources: for copies that reach the sensor only on one
// host, those of a standard switch and of a session between dvPorts.
//
//   session to a monitor NIC --affinity_rules--> kind "DRS rule" of the cluster
//                            --carry_out--> ReconfigureComputeResource_Task, rulesSpec
//
// Source: Broadcom, "vSphere Web Services API": ClusterComputeResource, ClusterConfigSpecEx,
// ClusterRuleSpec, ClusterAffinityRuleSpec.
#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "plugin/api/model.hpp"
#include "plugin/vsphere/client.hpp"

namespace vmirror::vsphere {

constexpr const char* kRuleKind = "DRS rule";
/// Switch::kind of a cluster: it has no ports, and is there for its rules.
constexpr const char* kClusterKind = "DRS cluster";
/// The value of this label of a port is the name of the cluster that its machine is in.
constexpr const char* kClusterLabel = "vm-cluster";

/// A rule of ours is named "OWNER: SENSOR with SOURCE": the owner is the mark.
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

struct RuleOptions {
  std::string owner;
  bool wanted = false;              ///< Else there are none.
  std::optional<Mac> adapter = {};  ///< The sensor's, where a target names no monitor NIC.
  bool has_receiver = false;        ///< Sessions of distributed switches follow by themselves.
};

/// What the sessions want of the clusters. Where the sensor is in another cluster no rule helps.
/// Pure.
Objects affinity_rules(const SessionMap& sessions, const Observed& world,
                       const RuleOptions& options);

struct RuleChange {
  enum class Operation { add, edit, remove };
  Operation operation = Operation::add;
  AffinityRule rule;
};
/// All of one cluster, in one task.
struct ClusterChange {
  Ref cluster;
  std::vector<RuleChange> changes;
};

/// Needs the privilege Host.Inventory.EditCluster.
Result<void> carry_out(VimClient& client, const ClusterChange& change, std::stop_token stop = {});
/// True where the inventory shows all of it.
bool shows(const Inventory& inventory, const ClusterChange& change);

}  // namespace vmirror::vsphere
