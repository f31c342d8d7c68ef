#include "plugin/vsphere/drs.hpp"

#include <algorithm>
#include <map>

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

void put_rule(pugi::xml_node spec, const RuleChange& change) {
  pugi::xml_node each = spec.append_child("rulesSpec");
  constexpr const char* kOperations[] = {"add", "edit", "remove"};
  each.append_child("operation").text() = kOperations[static_cast<int>(change.operation)];
  if (change.operation == RuleChange::Operation::remove) {
    pugi::xml_node key = each.append_child("removeKey");
    key.append_attribute("xsi:type") = "xsd:int";
    key.text() = change.rule.key;
    return;
  }
  pugi::xml_node info = each.append_child("info");
  info.append_attribute("xsi:type") = "ClusterAffinityRuleSpec";
  if (change.operation == RuleChange::Operation::edit)
    info.append_child("key").text() = change.rule.key;
  info.append_child("enabled").text() = true;
  info.append_child("name").text() = change.rule.name.c_str();
  info.append_child("userCreated").text() = true;
  for (const Ref& machine : change.rule.machines) put_ref(info, "vm", machine);
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

Objects affinity_rules(const SessionMap& sessions, const Observed& world,
                       const RuleOptions& options) {
  Objects out;
  if (!options.wanted) return out;
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
    out.set({cluster, kRuleKind, rule.name}, {std::make_shared<const RuleValue>(rule)});
  }
  return out;
}

Result<void> carry_out(VimClient& client, const ClusterChange& change, std::stop_token stop) {
  const auto begun = client.must({.self = change.cluster,
                                  .name = "ReconfigureComputeResource_Task",
                                  .arguments =
                                      [&](pugi::xml_node call) {
                                        pugi::xml_node spec = call.append_child("spec");
                                        spec.append_attribute("xsi:type") = "ClusterConfigSpecEx";
                                        for (const RuleChange& each : change.changes)
                                          put_rule(spec, each);
                                        call.append_child("modify").text() = true;
                                      }},
                                 stop);
  if (!begun) return tl::unexpected(begun.error());
  auto task =
      end_of_task(client, task_of(*begun),
                  "the change of the rules of cluster " + change.cluster.id, kRulePatience, stop);
  if (!task) return tl::unexpected(task.error());
  if (task->state == TaskInfo::State::success) return {};
  return tl::unexpected(std::move(task->error));
}

bool shows(const Inventory& inventory, const ClusterChange& change) {
  const Cluster* cluster = inventory.clusters.get(change.cluster);
  if (!cluster) return true;
  return std::ranges::all_of(change.changes, [&](const RuleChange& each) {
    const auto is = std::ranges::find(cluster->rules, each.rule.name, &AffinityRule::name);
    if (each.operation == RuleChange::Operation::remove) return is == cluster->rules.end();
    return is != cluster->rules.end() && is->enabled &&
           in_order(*is).machines == in_order(each.rule).machines;
  });
}

}  // namespace vmirror::vsphere
