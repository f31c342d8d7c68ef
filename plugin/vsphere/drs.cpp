#include "plugin/vsphere/drs.hpp"

#include <fnmatch.h>

#include <algorithm>
#include <map>

#include "plugin/base/text.hpp"
#include "plugin/vsphere/observe.hpp"
#include "plugin/vsphere/task.hpp"

namespace vmirror::vsphere {
namespace {

constexpr std::chrono::seconds kRulePatience{60};

AffinityRule in_order(AffinityRule rule) {
  std::ranges::sort(rule.machines);
  return rule;
}

/// Its copies reach the monitor NIC on one host only.
bool is_bound_to_a_host(const vmirror::Session& s, const Observed& world,
                        const RuleOptions& options) {
  if (!std::holds_alternative<LocalTarget>(s.target)) return false;
  const Switch& sw = switch_of(world, s.switch_name);
  return sw.kind == kStandardKind || (sw.kind == kDistributedKind && !options.has_receiver);
}

/// A spec with its operation. What is removed is named by `key`, the rest of it is left to the
/// caller: null then.
pugi::xml_node put_spec(pugi::xml_node to, const char* name, const RuleChange& change,
                        const char* key_type, const std::string& key) {
  pugi::xml_node each = to.append_child(name);
  constexpr const char* kOperations[] = {"add", "edit", "remove"};
  each.append_child("operation").text() = kOperations[static_cast<int>(change.operation)];
  if (change.operation != RuleChange::Operation::remove) return each.append_child("info");
  pugi::xml_node removed = each.append_child("removeKey");
  removed.append_attribute("xsi:type") = key_type;
  removed.text() = key.c_str();
  return {};
}

/// What all kinds of rules have, in the schema's order.
template <typename Rule>
pugi::xml_node put_rule(pugi::xml_node to, const RuleChange& change, const Rule& rule,
                        const char* type) {
  pugi::xml_node info = put_spec(to, "rulesSpec", change, "xsd:int", std::to_string(rule.key));
  if (!info) return info;
  info.append_attribute("xsi:type") = type;
  if (change.operation == RuleChange::Operation::edit) info.append_child("key").text() = rule.key;
  info.append_child("enabled").text() = true;
  info.append_child("name").text() = rule.name.c_str();
  return info;
}

void put(pugi::xml_node to, const RuleChange& change, const AffinityRule& rule) {
  pugi::xml_node info = put_rule(to, change, rule, "ClusterAffinityRuleSpec");
  if (!info) return;
  info.append_child("userCreated").text() = true;
  for (const Ref& machine : rule.machines) put_ref(info, "vm", machine);
}

void put(pugi::xml_node to, const RuleChange& change, const HostRule& rule) {
  pugi::xml_node info = put_rule(to, change, rule, "ClusterVmHostRuleInfo");
  if (!info) return;
  info.append_child("mandatory").text() = rule.mandatory;
  info.append_child("userCreated").text() = true;
  info.append_child("vmGroupName").text() = rule.machine_group.c_str();
  info.append_child("affineHostGroupName").text() = rule.host_group.c_str();
}

void put(pugi::xml_node to, const RuleChange& change, const ClusterGroup& group) {
  pugi::xml_node info = put_spec(to, "groupSpec", change, "xsd:string", group.name);
  if (!info) return;
  info.append_attribute("xsi:type") = group.of_hosts ? "ClusterHostGroup" : "ClusterVmGroup";
  info.append_child("name").text() = group.name.c_str();
  info.append_child("userCreated").text() = true;
  for (const Ref& member : group.members) put_ref(info, group.of_hosts ? "host" : "vm", member);
}

/// The task that a change is part of, of the three.
int turn_of(const RuleChange& change) {
  if (!std::holds_alternative<ClusterGroup>(change.what)) return 1;
  return change.operation == RuleChange::Operation::remove ? 2 : 0;
}

bool is(const Cluster& cluster, const AffinityRule& rule, bool gone) {
  const auto at = std::ranges::find(cluster.rules, rule.name, &AffinityRule::name);
  if (gone || at == cluster.rules.end()) return gone == (at == cluster.rules.end());
  return at->enabled && in_order(*at).machines == in_order(rule).machines;
}

bool is(const Cluster& cluster, const HostRule& rule, bool gone) {
  const auto at = std::ranges::find(cluster.host_rules, rule.name, &HostRule::name);
  if (gone || at == cluster.host_rules.end()) return gone == (at == cluster.host_rules.end());
  return HostRuleValue(rule).difference(HostRuleValue(*at)).empty();
}

bool is(const Cluster& cluster, const ClusterGroup& group, bool gone) {
  const auto at = std::ranges::find(cluster.groups, group.name, &ClusterGroup::name);
  if (gone || at == cluster.groups.end()) return gone == (at == cluster.groups.end());
  return GroupOfCluster(group).difference(GroupOfCluster(*at)).empty();
}

/// Hosts of the cluster that the globs choose.
std::vector<Ref> hosts_of(const Observed& world, const std::string& cluster,
                          const std::vector<std::string>& globs) {
  std::vector<Ref> out;
  for (auto it = world.objects.lower_bound({cluster, kClusterHostKind, {}});
       it != world.objects.end() && it->first.switch_name == cluster &&
       it->first.kind == kClusterHostKind;
       ++it)
    if (std::ranges::any_of(globs, [&](const std::string& glob) {
          return ::fnmatch(glob.c_str(), it->first.name.c_str(), 0) == 0;
        }))
      out.push_back(value_as<ClusterHost>(it->second.object.value.get())->ref);
  return out;
}

/// A sensor and its sources on some hosts of their cluster.
void add_host_rule(Objects& out, const std::string& cluster, const std::string& owner,
                   const std::string& sensor, std::vector<Ref> machines, std::vector<Ref> hosts) {
  const std::string name = owner + ": " + sensor + " and its sources";
  const ObjectKey vms{cluster, kMachineGroupKind, name},
      on{cluster, kHostGroupKind, owner + ": hosts for " + sensor};
  out.set(
      vms,
      {std::make_shared<const GroupOfCluster>(ClusterGroup{vms.name, false, std::move(machines)})});
  out.set(on,
          {std::make_shared<const GroupOfCluster>(ClusterGroup{on.name, true, std::move(hosts)})});
  out.set({cluster, kHostRuleKind, name},
          {std::make_shared<const HostRuleValue>(HostRule{0, name, true, false, vms.name, on.name}),
           {vms, on}});
}

}  // namespace

std::string rule_name(const std::string& owner, const std::string& sensor,
                      const std::string& source) {
  return owner + ": " + sensor + " with " + source;
}

bool is_rule_of(const std::string& owner, const std::string& rule) {
  return rule.starts_with(owner + ": ");
}

RuleValue::RuleValue(AffinityRule r) : rule(std::move(r)) {}

std::string RuleValue::text() const {
  return (rule.enabled ? "" : "disabled, ") + std::string("keeps ") +
         std::to_string(rule.machines.size()) + " machines on one host";
}

std::string RuleValue::difference(const ObjectValue& other) const {
  const auto* is = value_as<RuleValue>(&other);
  if (is == nullptr) return "kind differs";
  if (in_order(is->rule).machines != in_order(rule).machines) return "machines differ";
  return is->rule.enabled == rule.enabled ? "" : "enabled differs";
}

std::string HostRuleValue::text() const {
  return std::string(rule.enabled ? "" : "disabled, ") + rule.machine_group +
         (rule.mandatory ? " must" : " should") + " run on " + rule.host_group;
}

std::string HostRuleValue::difference(const ObjectValue& other) const {
  const auto* is = value_as<HostRuleValue>(&other);
  if (is == nullptr) return "kind differs";
  if (is->rule.machine_group != rule.machine_group || is->rule.host_group != rule.host_group)
    return "groups differ";
  if (is->rule.mandatory != rule.mandatory) return "mandatory differs";
  return is->rule.enabled == rule.enabled ? "" : "enabled differs";
}

GroupOfCluster::GroupOfCluster(ClusterGroup g)
    : group([&] {
        std::ranges::sort(g.members);
        const auto again = std::ranges::unique(g.members);
        g.members.erase(again.begin(), again.end());
        return std::move(g);
      }()) {}

std::string GroupOfCluster::text() const {
  return count(group.members.size(), group.of_hosts ? "host" : "machine");
}

std::string GroupOfCluster::difference(const ObjectValue& other) const {
  const auto* is = value_as<GroupOfCluster>(&other);
  if (is == nullptr || is->group.of_hosts != group.of_hosts) return "kind differs";
  return is->group.members == group.members ? "" : "members differ";
}

std::string ClusterHost::difference(const ObjectValue& other) const {
  const auto* is = value_as<ClusterHost>(&other);
  return is && is->ref == ref ? "" : "host differs";
}

Objects affinity_rules(const SessionMap& sessions, const Observed& world,
                       const RuleOptions& options) {
  Objects out;
  if (!options.wanted && options.hosts.empty()) return out;
  std::map<Mac, const Port*> sensors;
  const auto monitor_of = [&](const vmirror::Session& s) {
    const auto& given = std::get<LocalTarget>(s.target).monitor_nic;
    return given ? given : options.adapter;
  };
  for (const auto& [name, s] : sessions)
    if (is_bound_to_a_host(s, world, options))
      if (const auto mac = monitor_of(s)) sensors[*mac] = nullptr;
  if (sensors.empty()) return out;
  for (const auto& [name, sw] : world.switches)
    for (const auto& [port_name, port] : sw.ports)
      if (port.mac)
        if (const auto sensor = sensors.find(*port.mac); sensor != sensors.end())
          sensor->second = &port;
  std::map<std::pair<std::string, std::string>, std::vector<Ref>> of_sensors;  // And its cluster.
  for (const auto& [name, s] : sessions) {
    if (!is_bound_to_a_host(s, world, options)) continue;
    const auto mac = monitor_of(s);
    const Port* sensor = mac ? sensors.at(*mac) : nullptr;
    const Port* source = switch_of(world, s.switch_name).ports.get(s.port);
    if (!sensor || !source || source->uplink) continue;
    const std::string cluster = label_of(*source, kClusterLabel);
    if (cluster.empty() || label_of(*sensor, kClusterLabel) != cluster) continue;
    AffinityRule rule;
    rule.name =
        rule_name(options.owner, label_of(*sensor, "vm-name"), label_of(*source, "vm-name"));
    rule.enabled = true;
    rule.machines = {device_of(sensor->id).first, device_of(source->id).first};
    if (rule.machines[0] == rule.machines[1]) continue;
    auto& together = of_sensors[{cluster, label_of(*sensor, "vm-name")}];
    together.insert(together.end(), rule.machines.begin(), rule.machines.end());
    if (options.wanted)
      out.set({cluster, kRuleKind, rule.name}, {std::make_shared<const RuleValue>(rule)});
  }
  for (auto& [of, machines] : of_sensors)
    if (auto hosts = hosts_of(world, of.first, options.hosts); !hosts.empty())
      add_host_rule(out, of.first, options.owner, of.second, std::move(machines), std::move(hosts));
  return out;
}

Result<void> carry_out(VimClient& client, const ClusterChange& change, std::stop_token stop) {
  for (int turn = 0; turn < 3; turn++) {
    if (std::ranges::none_of(change.changes,
                             [&](const RuleChange& each) { return turn_of(each) == turn; }))
      continue;
    const auto begun = client.must(
        {.self = change.cluster,
         .name = "ReconfigureComputeResource_Task",
         .arguments =
             [&](pugi::xml_node call) {
               pugi::xml_node spec = call.append_child("spec");
               spec.append_attribute("xsi:type") = "ClusterConfigSpecEx";
               for (const RuleChange& each : change.changes)
                 if (turn_of(each) == turn)
                   std::visit([&](const auto& what) { put(spec, each, what); }, each.what);
               call.append_child("modify").text() = true;
             }},
        stop);
    if (!begun) return tl::unexpected(begun.error());
    auto task =
        end_of_task(client, task_of(*begun),
                    "the change of the rules of cluster " + change.cluster.id, kRulePatience, stop);
    if (!task) return tl::unexpected(task.error());
    if (task->state != TaskInfo::State::success) return tl::unexpected(std::move(task->error));
  }
  return {};
}

bool shows(const Inventory& inventory, const ClusterChange& change) {
  const Cluster* cluster = inventory.clusters.get(change.cluster);
  if (!cluster) return true;
  return std::ranges::all_of(change.changes, [&](const RuleChange& each) {
    const bool gone = each.operation == RuleChange::Operation::remove;
    return std::visit([&](const auto& what) { return is(*cluster, what, gone); }, each.what);
  });
}

}  // namespace vmirror::vsphere
