#include "plugin/hyperv/observe.hpp"

#include <algorithm>
#include <cctype>
#include <utility>

#include "plugin/hyperv/affinity.hpp"

namespace vmirror::hyperv {
namespace {

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

/// "OS: 10.0.20348 SP: 0.0 Stack: 3.0" -> "10.0.20348"
std::string build_of(const std::string& product) {
  const std::string_view begin = "OS: ";
  const std::size_t at = product.find(begin);
  if (at == product.npos) return product;
  const std::size_t from = at + begin.size();
  return product.substr(from, product.find(' ', from) - from);
}

/// What is there is kept where it is the same, so that the new map descends from the old one.
template <typename Map>
Map descend(Map before, const Map& now) {
  std::vector<std::decay_t<decltype(before.begin()->first)>> gone;
  for (const auto& [key, value] : before)
    if (!now.contains(key)) gone.push_back(key);
  for (const auto& key : gone) before.erase(key);
  for (const auto& [key, value] : now) {
    const auto* is = before.get(key);
    if (!is || !(*is == value)) before.set(key, value);
  }
  return before;
}

std::string cluster_name(const FailoverCluster& cluster) {
  return "cluster " + cluster.name;
}

}  // namespace

std::string mark_owner(const std::string& owner) {
  return owner + "/wmi";
}

std::optional<Observer::Place> Observer::place_of(const ObjectKey& key) const {
  if (key.kind == kOwnersKind) {
    const auto at = of_groups_.find(key);
    return at == of_groups_.end() ? std::nullopt : std::optional(at->second);
  }
  const auto at = places_.find(key.switch_name);
  return at == places_.end() ? std::nullopt : std::optional(at->second);
}

std::shared_ptr<const Observed> Observer::update(std::vector<NodeReading> nodes) {
  if (last_ && nodes == nodes_) return last_;
  nodes_ = std::move(nodes);
  places_.clear();
  of_groups_.clear();
  ambiguous_.clear();
  std::map<std::string, std::string> ids;
  for (const NodeReading& at : nodes_)
    if (at.state)
      for (const auto& [id, machine] : at.state->machines)
        if (ids.try_emplace(machine.name, id).first->second != id) ambiguous_.insert(machine.name);
  auto out = std::make_shared<Observed>();
  out->revision = last_ ? last_->revision + 1 : 1;
  for (std::size_t node = 0; node < nodes_.size(); node++) {
    const NodeReading& at = nodes_[node];
    if (!at.state) {  // What a node that can't be read has is unknown; that it can't is shown.
      Switch& sw = out->switches["(" + at.url + ")"];
      sw.name = "(" + at.url + ")";
      sw.kind = "Hyper-V host that can't be read";
      sw.capabilities.version = at.error.text();
      sw.capabilities.mirrors = 1;
      continue;
    }
    for (const auto& [id, sw] : at.state->switches) show(*out, node, sw);
    if (at.state->cluster) show_cluster(*out, node);
  }
  if (last_) {
    out->objects = descend(last_->objects, out->objects);
    for (auto& [name, sw] : out->switches)
      if (const auto before = last_->switches.find(name); before != last_->switches.end())
        sw.ports = descend(before->second.ports, sw.ports);
  }
  return last_ = std::move(out);
}

std::string Observer::name_of(std::size_t node, const VirtualSwitch& sw) const {
  const HostState& state = *nodes_[node].state;
  const auto same = std::ranges::count_if(
      state.switches, [&](const auto& each) { return each.second.name == sw.name; });
  std::string out = sw.name;
  if (nodes_.size() > 1) out += "@" + state.name;
  return same > 1 ? out + " (" + sw.id + ")" : out;
}

/// The cluster's group of the VM; empty: it has none. A cluster knows its VMs by their names.
std::string Observer::group_of(const HostState& state, const Machine& machine) const {
  if (!state.cluster || ambiguous_.contains(machine.name)) return {};
  const auto at = state.cluster->groups.find(machine.name);
  return at == state.cluster->groups.end() ? std::string() : at->second;
}

Port Observer::port_of(const Machine& machine, const Adapter& adapter, const VirtualSwitch& sw,
                       const HostState& state) const {
  Port out;
  out.name = adapter.port_name;
  out.id = adapter.id + "/" + sw.id;
  out.vm = lower(machine.id);
  out.interface_id = lower(adapter.id);
  out.mac = adapter.mac;
  if (!adapter.mac) out.mac_unknown = "the VM was never started";
  out.link_up = machine.running;
  if (adapter.connection.sr_iov && sw.iov) out.type = kSrIovType;
  const VlanSetting& vlans = adapter.connection.vlans;
  if (vlans.mode == VlanSetting::Mode::access) out.vlan = vlans.vlan;
  if (vlans.mode == VlanSetting::Mode::trunk) {
    out.trunks.emplace();
    if (VlanSet(vlans.trunk).set(0) != VlanSet().set())
      for (std::uint16_t vlan = 0; vlan < kVlans; vlan++)
        if (vlans.trunk[vlan]) out.trunks->insert(vlan);
  }
  out.labels["vm-name"] = machine.name;
  out.labels[kHostLabel] = state.name;
  if (const std::string group = group_of(state, machine); !group.empty()) {
    out.labels[kClusterLabel] = cluster_name(*state.cluster);
    out.labels[kGroupLabel] = group;
  }
  return out;
}

void Observer::show(Observed& out, std::size_t node, const VirtualSwitch& sw) {
  const NodeReading& at = nodes_[node];
  const std::string name = name_of(node, sw);
  places_[name] = {node, sw.id};
  Switch& to = out.switches[name];
  to.name = name;
  to.host = at.state->name;
  to.kind = "Hyper-V virtual switch";
  Capabilities& can = to.capabilities;
  can.version = "Hyper-V, Windows " + build_of(at.product) +
                (at.events ? ", moves told by the cluster's events" : "") +
                (at.state->cluster_error.empty()
                     ? ""
                     : ", cluster that can't be read: " + at.state->cluster_error);
  can.mirrors = 1;
  can.one_direction = false;
  if (sw.team)
    can.version += ", switch on the LBFO team " + sw.nic + ", where port mirroring does not work,";
  else
    can.targets = {TargetKind::local};
  show_ports(out, *at.state, sw, to);
  const Mark* mark = find_mark(sw.notes, "capture", "");
  const bool ours = mark && mark->is_for(mark_owner(owner_));
  if (sw.capture != false || ours)
    out.objects.set({name, kExtensionKind, kCaptureName},
                    {{std::make_shared<const CaptureValue>(sw.capture)}, ours});
}

/// A cluster is shown as a switch without ports. Its nodes tell the same of it: the first counts.
void Observer::show_cluster(Observed& out, std::size_t node) {
  const HostState& state = *nodes_[node].state;
  const FailoverCluster& cluster = *state.cluster;
  const std::string name = cluster_name(cluster);
  const auto [at, first] = out.switches.try_emplace(name);
  if (first) {
    at->second.name = name;
    at->second.kind = cluster.rules ? kRulesCluster : kOwnersCluster;
    at->second.capabilities.version = "Windows " + build_of(nodes_[node].product);
    places_[name] = {node, {}};
    for (const auto& [rule_name, rule] :
         cluster.rules.value_or(std::map<std::string, ClusterRule>{}))
      out.objects.set({name, kRuleKind, rule_name},
                      {{std::make_shared<const RuleValue>(rule)}, is_rule_of(owner_, rule_name)});
  }
  for (const auto& [id, machine] : state.machines) {
    const std::string group = group_of(state, machine);
    if (group.empty()) continue;
    const ObjectKey key{name, kOwnersKind, group};
    of_groups_[key] = {node, {}};
    const auto owners = cluster.preferred_owners.find(group);
    const Mark* mark = find_mark(machine.notes, kOwnersMark, "");
    const bool ours = mark && mark->is_for(mark_owner(owner_));
    if (owners == cluster.preferred_owners.end() && !ours) continue;
    out.objects.set(
        key,
        {{std::make_shared<const OwnersValue>(
             owners == cluster.preferred_owners.end() ? std::set<std::string>{} : owners->second)},
         ours});
  }
}

void Observer::show_ports(Observed& out, const HostState& state, const VirtualSwitch& sw,
                          Switch& to) {
  for (const auto& [id, machine] : state.machines)
    for (const auto& [adapter_id, adapter] : machine.adapters) {
      if (adapter.switch_id != sw.id) continue;
      to.ports.set(adapter.port_name, port_of(machine, adapter, sw, state));
      show_settings(out, to, adapter.port_name, adapter.connection, machine.notes, adapter.id);
    }
  if (!sw.external) return;
  Port port;
  port.name = kExternalPort;
  port.id = sw.external->id;
  port.type = "external";
  port.uplink = port.link_up = true;
  port.labels["nic"] = sw.nic;
  port.labels[kHostLabel] = state.name;
  to.ports.set(kExternalPort, std::move(port));
  show_settings(out, to, kExternalPort, *sw.external, sw.notes, "");
}

/// A setting at its default is no object, unless a mark of ours says that it is to be one.
void Observer::show_settings(Observed& out, Switch& to, const std::string& port,
                             const Connection& of, const Notes& notes, const std::string& on) {
  const auto is_ours = [&](const char* kind) {
    const Mark* mark = find_mark(notes, kind, on);
    return mark && mark->is_for(mark_owner(owner_));
  };
  const Security& security = of.security;
  const bool ours = is_ours(mode_mark(on.empty()));
  if (security.mode != MonitorMode::none || ours)
    out.objects.set({to.name, kModeKind, port},
                    {{std::make_shared<const ModeValue>(security.mode, security.session)}, ours});
  if (security.mode != MonitorMode::none) {
    Mirror& mirror = to.mirrors[mirror_name(security.session)];
    mirror.name = mirror_name(security.session);
    mirror.switch_name = to.name;
    mirror.owned = mirror.owned || ours;
    if (security.mode == MonitorMode::source) {
      mirror.in_ports.insert(port);
      mirror.out_ports.insert(port);
    } else if (!mirror.output || ours || port < mirror.output_port()) {
      // Of several destinations, which all get the copies, ours is shown.
      const ObservedObject* shown =
          mirror.output ? out.objects.get({to.name, kModeKind, mirror.output_port()}) : nullptr;
      if (!shown || ours || !shown->owned) mirror.output = MonitorOutput{port};
    }
  }
  const bool vlans_ours = is_ours("vlan");
  if (!on.empty() && (of.vlans.mode != VlanSetting::Mode::untagged || vlans_ours))
    out.objects.set({to.name, kVlanKind, port},
                    {{std::make_shared<const VlanValue>(of.vlans)}, vlans_ours});
}

}  // namespace vmirror::hyperv
