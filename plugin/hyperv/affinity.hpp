// What keeps a sensor with its sources where both are roles of a failover cluster.
//
//   session to a monitor adapter --affinity_of--> kind "affinity rule" of the cluster, or kind
//                                                 "preferred owners" of the sensor's group where
//                                                 the cluster knows no rules
//
// A rule of ours is named "OWNER: SENSOR with SOURCE". The class has no description: the name is
// the mark. Preferred owners have their mark in the notes of the sensor (marks.hpp).
//
// Sources: Microsoft, "Cluster affinity" (Windows Server 2022), SetPreferredOwners of the
// "Failover Cluster WMI provider".
#pragma once

#include <map>
#include <optional>
#include <set>
#include <stop_token>
#include <string>

#include "plugin/api/model.hpp"
#include "plugin/hyperv/host.hpp"
#include "plugin/hyperv/wsman.hpp"

namespace vmirror::hyperv {

constexpr const char* kRuleKind = "affinity rule";
constexpr const char* kOwnersKind = "preferred owners";
constexpr const char* kOwnersMark = "owners";  ///< The kind of their marks; `on` is empty.
/// Switch::kind of a cluster: it has no ports, and is there for its rules or its groups' owners.
constexpr const char* kRulesCluster = "failover cluster";
constexpr const char* kOwnersCluster = "failover cluster without affinity rules";
/// Labels of a port: the cluster (the name of its Switch) and the group that the VM is in.
constexpr const char* kClusterLabel = "vm-cluster";
constexpr const char* kGroupLabel = "vm-group";

std::string rule_name(const std::string& owner, const std::string& sensor,
                      const std::string& source);
bool is_rule_of(const std::string& owner, const std::string& rule);
/// Names with commas between; of an empty text there are none.
std::string join_names(const std::vector<std::string>& names);
std::vector<std::string> split_names(const std::string& text);

class RuleValue final : public ObjectValue {
 public:
  explicit RuleValue(ClusterRule r) : rule(std::move(r)) {}
  std::string text() const override;
  std::string difference(const ObjectValue& is) const override;
  const ClusterRule rule;
};

/// The nodes where a group is to run, if it can; their order says nothing.
class OwnersValue final : public ObjectValue {
 public:
  explicit OwnersValue(std::set<std::string> n) : nodes(std::move(n)) {}
  std::string text() const override;
  std::string difference(const ObjectValue& is) const override;
  const std::set<std::string> nodes;
};

struct AffinityOptions {
  std::string owner;
  bool wanted = false;       ///< Else there is nothing.
  std::string monitor = {};  ///< As RealiserOptions has it.
};
struct Affinity {
  Objects objects;
  /// By session: why nothing keeps its sensor with its source, with the remedy.
  std::map<std::string, std::string> apart;
};
/// What the sessions want of the clusters: a rule for each source, or for the sensor the node that
/// most of its sources are on. With a sensor on each node nothing is wanted. Pure.
Affinity affinity_of(const SessionMap& sessions, const Observed& world,
                     const AffinityOptions& options);

/// Carries out a step of kRuleKind. False: the rule is another than the step was made from, and
/// nothing was done. Errors: the client's; Error::Kind::refused: the cluster's, with its number.
Result<bool> change_rule(WsmanClient& client, const Step& step, const std::stop_token& stop);
/// The preferred owners of a group, in their order, and what they are to be.
Result<std::vector<std::string>> read_owners(WsmanClient& client, const std::string& group,
                                             const std::stop_token& stop);
Result<void> write_owners(WsmanClient& client, const std::string& group,
                          const std::vector<std::string>& nodes, const std::stop_token& stop);

}  // namespace vmirror::hyperv
