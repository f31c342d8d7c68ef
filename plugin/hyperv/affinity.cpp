#include "plugin/hyperv/affinity.hpp"

#include <fnmatch.h>

#include <algorithm>

#include "plugin/api/labels.hpp"
#include "plugin/hyperv/observe.hpp"

namespace vmirror::hyperv {
namespace {

/// "2 VMs", or their names where these are few.
std::string text_of(const std::set<std::string>& names) {
  return join_names({names.begin(), names.end()});
}

/// The VM that takes the copies.
struct Sensor {
  const Port* port = nullptr;  ///< Null: none is there.
  bool several = false;
};

class Wishes {
 public:
  Wishes(const Observed& world, const AffinityOptions& options)
      : world_(world), options_(options) {}

  Affinity run(const SessionMap& sessions) {
    for (const auto& [name, s] : sessions)
      if (auto why = add(name, s); !why.empty()) out_.apart[name] = std::move(why);
    for (const auto& [key, sources] : sources_of_) prefer(key, sources);
    return std::move(out_);
  }

 private:
  struct Sources {
    std::map<std::string, std::size_t> on;  ///< Sources, by the node that they run on.
    std::set<std::string> sessions;
  };

  /// Empty: the session's wish is noted, or it has none.
  std::string add(const std::string& name, const vmirror::Session& s) {
    const auto* local = std::get_if<LocalTarget>(&s.target);
    const Port* source = switch_of(world_, s.switch_name).ports.get(s.port);
    if (!local || !source || source->uplink) return {};
    const Sensor& sensor = sensor_of(local->monitor_nic);
    if (!sensor.port || sensor.port->vm == source->vm) return {};
    if (sensor.several)
      return "`monitor` fits several VMs, of which each takes over what moves to its node: such "
             "sensors need no affinity rule (leave `affinity_rules` out, or narrow `monitor`)";
    for (const Port* each : {sensor.port, source})
      if (label_of(*each, kGroupLabel).empty())
        return "VM " + label_of(*each, "vm-name") +
               " is no role of a failover cluster that can be read, so that no rule keeps it with "
               "the other (Add-ClusterVirtualMachineRole)";
    const std::string cluster = label_of(*source, kClusterLabel);
    if (label_of(*sensor.port, kClusterLabel) != cluster)
      return "the sensor is in another failover cluster";
    if (switch_of(world_, cluster).kind == kOwnersCluster) {
      Sources& sources = sources_of_[{cluster, kOwnersKind, label_of(*sensor.port, kGroupLabel)}];
      sources.on[label_of(*source, kHostLabel)]++;
      sources.sessions.insert(name);
      return {};
    }
    const std::string rule =
        rule_name(options_.owner, label_of(*sensor.port, "vm-name"), label_of(*source, "vm-name"));
    out_.objects.set({cluster, kRuleKind, rule},
                     {std::make_shared<const RuleValue>(ClusterRule{
                         kSameNode,
                         true,
                         {label_of(*sensor.port, kGroupLabel), label_of(*source, kGroupLabel)}})});
    return {};
  }

  void prefer(const ObjectKey& key, const Sources& sources) {
    const ObservedObject* is = world_.objects.get(key);
    if (is && !is->owned) {
      for (const std::string& session : sources.sessions)
        out_.apart[session] = "the preferred owners of the sensor are " + is->object.value->text() +
                              ", set by somebody else (Set-ClusterOwnerNode)";
      return;
    }
    const auto most = std::ranges::max_element(
        sources.on, [](const auto& a, const auto& b) { return a.second < b.second; });
    out_.objects.set(key,
                     {std::make_shared<const OwnersValue>(std::set<std::string>{most->first})});
  }

  const Sensor& sensor_of(const std::optional<Mac>& nic) {
    const auto [at, anew] = sensors_.try_emplace(nic);
    if (!anew) return at->second;
    for (const auto& [switch_name, sw] : world_.switches)
      for (const auto& [name, port] : sw.ports) {
        const bool fits = options_.monitor.empty()
                              ? nic && port.mac == nic
                              : ::fnmatch(options_.monitor.c_str(), name.c_str(), 0) == 0;
        if (port.uplink || !fits) continue;
        if (at->second.port && at->second.port->vm != port.vm) at->second.several = true;
        at->second.port = &port;
      }
    return at->second;
  }

  const Observed& world_;
  const AffinityOptions& options_;
  std::map<std::optional<Mac>, Sensor> sensors_;
  std::map<ObjectKey, Sources> sources_of_;  ///< By the preferred owners of their sensor.
  Affinity out_;
};

}  // namespace

std::string rule_name(const std::string& owner, const std::string& sensor,
                      const std::string& source) {
  return owner + ": " + sensor + " with " + source;
}

bool is_rule_of(const std::string& owner, const std::string& rule) {
  return rule.starts_with(owner + ": ");
}

std::string join_names(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& each : names) out += (out.empty() ? "" : ",") + each;
  return out;
}

std::vector<std::string> split_names(const std::string& text) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(',', at), text.size());
    out.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return out;
}

std::string RuleValue::text() const {
  constexpr const char* kTypes[] = {"of no type", "same fault domain", "same node",
                                    "different fault domain", "different node"};
  return (rule.enabled ? "" : "disabled, ") +
         std::string(rule.type < std::size(kTypes) ? kTypes[rule.type] : "of an unknown type") +
         " for " + (rule.groups.empty() ? "nobody" : text_of(rule.groups));
}

std::string RuleValue::difference(const ObjectValue& other) const {
  const auto* is = value_as<RuleValue>(&other);
  if (is == nullptr || is->rule.type != rule.type) return "type differs";
  if (is->rule.groups != rule.groups) return "groups differ";
  return is->rule.enabled == rule.enabled ? "" : "enabled differs";
}

std::string OwnersValue::text() const {
  return nodes.empty() ? "none" : text_of(nodes);
}

std::string OwnersValue::difference(const ObjectValue& other) const {
  const auto* is = value_as<OwnersValue>(&other);
  return is && is->nodes == nodes ? "" : "nodes differ";
}

Affinity affinity_of(const SessionMap& sessions, const Observed& world,
                     const AffinityOptions& options) {
  return options.wanted ? Wishes(world, options).run(sessions) : Affinity{};
}

}  // namespace vmirror::hyperv
