#include "plugin/vsphere/observe.hpp"

#include <algorithm>
#include <cctype>
#include <set>
#include <utility>

#include "plugin/api/mirror_object.hpp"
#include "plugin/vsphere/drs.hpp"
#include "plugin/vsphere/session_object.hpp"

namespace vmirror::vsphere {
namespace {

constexpr const char* kNsxSwitch = "NSX (opaque networks)";

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

/// True where the ports of all machines are named and placed by both alike.
bool same_places(const Inventory& a, const Inventory& b) {
  const auto same_switch = [](const DistributedSwitch& x, const DistributedSwitch& y) {
    return x.name == y.name && x.uuid == y.uuid;
  };
  bool same = a.hosts == b.hosts && a.port_groups == b.port_groups && a.clusters == b.clusters;
  if (same)
    diff(a.switches, b.switches,
         [&](const Ref&, const DistributedSwitch* x, const DistributedSwitch* y) {
           same = same && x && y && same_switch(*x, *y);
         });
  return same;
}

/// What the switch's own flags deny, by their names.
std::string denied(const DistributedSwitch& dvs) {
  const VspanCapability& can = dvs.capability;
  if (!can.any) return "vspanSupported";
  std::string out;
  for (const auto& [has, name] : {std::pair(can.encapsulated, "encapRemoteSourceSupported"),
                                  {can.erspan, "erspanProtocolSupported"},
                                  {can.remote_source, "remoteSourceSupported"},
                                  {can.dv_port, "dvportSupported"}})
    if (!has) out += (out.empty() ? "" : ", ") + std::string(name);
  return out;
}

Capabilities capabilities_of(const DistributedSwitch& dvs, bool has_receiver) {
  using enum TargetKind;
  Capabilities out{.version = "VMware distributed switch", .mirrors = kMaxSessions};
  out.snaplen = SnaplenRange{kLeastLength, 65535};
  out.proofs = {ProofSource::collector};
  if (!dvs.extension.empty()) {
    out.version += " of the extension " + dvs.extension + ", which alone may change it,";
    return out;
  }
  if (const std::string lacks = denied(dvs); !lacks.empty())
    out.version += " whose capabilities lack " + lacks;
  const VspanCapability& can = dvs.capability;
  if (!can.any) return out;
  if (can.encapsulated) out.targets.insert(gre);
  if (can.encapsulated && can.erspan) out.targets.insert({erspan2, erspan3});
  if (can.remote_source && !dvs.uplinks.empty()) out.targets.insert(rspan);
  if (can.dv_port || (has_receiver && can.encapsulated && can.erspan)) out.targets.insert(local);
  return out;
}

/// The name of each key, made unique where several have one.
template <typename Values>
std::map<Ref, std::string> unique_names(const Values& values) {
  std::map<Ref, std::string> out;
  std::set<std::string> taken;
  for (const auto& [ref, value] : values)
    if (!taken.insert(out[ref] = value.name).second)
      taken.insert(out[ref] = value.name + " (" + ref.id + ")");
  return out;
}

}  // namespace

std::shared_ptr<const Observed> Observer::update(const Inventory& inventory,
                                                 const AskedPorts& asked,
                                                 const AskedOptions& options) {
  const bool again = last_ && same_places(inventory_, inventory) && host_options_ == options;
  host_options_ = options;
  const Inventory before = std::exchange(inventory_, inventory);
  const AskedPorts asked_before = std::exchange(asked_, asked);
  bool changed = true;
  if (!again) {
    rebuild();
  } else {
    changed = false;
    diff(before.switches, inventory.switches,
         [&](const Ref& ref, const DistributedSwitch*, const DistributedSwitch* is) {
           show(ref, *is);  // same_places: none came or went.
           changed = true;
         });
    std::set<Ref> machines;
    diff(before.machines, inventory.machines,
         [&](const Ref& ref, const Machine*, const Machine*) { machines.insert(ref); });
    diff(asked_before, asked, [&](const auto&, const DvPort* was, const DvPort* is) {
      for (const DvPort* each : {was, is})
        if (each && each->entity.type == "VirtualMachine") machines.insert(each->entity);
    });
    for (const Ref& ref : machines) {
      changed = true;
      forget(ref);
      if (const Machine* machine = inventory.machines.get(ref)) show(ref, *machine);
    }
  }
  for (const std::string& name : std::exchange(span_touched_, {})) show_span(name);
  if (changed) {
    next_.revision++;
    last_ = std::make_shared<const Observed>(next_);
  }
  return last_;
}

const Ref* Observer::ref_of(const std::string& switch_name) const {
  const auto it = by_name_.find(switch_name);
  return it == by_name_.end() ? nullptr : &it->second;
}

const StandardSwitch* Observer::standard_of(const std::string& switch_name) const {
  const auto it = standard_.find(switch_name);
  return it == standard_.end() ? nullptr : &it->second;
}

const Ref* Observer::cluster_of(const std::string& switch_name) const {
  const auto it = clusters_.find(switch_name);
  return it == clusters_.end() ? nullptr : &it->second;
}

void Observer::rebuild() {
  const std::uint64_t revision = next_.revision;
  next_ = {};
  next_.revision = revision;
  of_.clear();
  groups_.clear();
  for (const auto& [ref, group] : inventory_.port_groups) groups_[group.key] = ref;
  name_switches();
  standard_.clear();
  show_clusters();
  for (const auto& [ref, dvs] : inventory_.switches) show(ref, dvs);
  if (!options_.span.name.empty())
    for (const auto& [ref, host] : inventory_.hosts) show_vswitches(ref, host);
  for (const auto& [ref, machine] : inventory_.machines) show(ref, machine);
}

void Observer::name_switches() {
  names_ = unique_names(inventory_.switches);
  by_name_.clear();
  by_uuid_.clear();
  for (const auto& [ref, name] : names_) {
    by_name_[name] = ref;
    by_uuid_[lower(inventory_.switches.at(ref).uuid)] = ref;
  }
}

void Observer::show(const Ref& ref, const DistributedSwitch& dvs) {
  const std::string& name = names_.at(ref);
  Switch& sw = next_.switches[name];
  sw.name = name;
  sw.kind = kDistributedKind;
  sw.capabilities = capabilities_of(dvs, options_.receiver.has_value());
  if (!options_.acts) {
    sw.capabilities.targets.clear();
    sw.capabilities.version += " whose sessions another agent makes (`acts: false` here)";
  }
  sw.revision = dvs.config_version;
  for (const std::string& uplink : dvs.uplinks) {
    Port port;
    port.name = port.id = uplink;
    port.type = kUplinkType;
    port.uplink = true;
    port.labels[kHostLabel] = "(every host)";
    sw.ports.set(uplink, std::move(port));
  }
  show_sessions(sw, dvs);
}

void Observer::show_sessions(Switch& sw, const DistributedSwitch& dvs) {
  std::map<ObjectKey, ObservedObject> objects;
  sw.mirrors.clear();
  for (const VspanSession& session : dvs.sessions) {
    Mirror mirror = mirror_of(session, sw.name, options_.owner);
    mirror.owned = mirror.owned && options_.acts;
    // Names need not be unique: an addition whose answer was lost may have been made twice.
    if (sw.mirrors.contains(mirror.name)) mirror.name += " (key " + session.key + ")";
    VspanSession named = session;
    named.name = mirror.name;
    objects[mirror_key(sw.name, mirror.name)] = {
        {std::make_shared<const SessionValue>(std::move(named))}, mirror.owned};
    sw.mirrors.emplace(mirror.name, std::move(mirror));
  }
  put_objects(sw.name, std::move(objects));
}

/// In place of all that the switch had.
void Observer::put_objects(const std::string& switch_name,
                           std::map<ObjectKey, ObservedObject> objects) {
  std::vector<ObjectKey> gone;
  for (auto it = next_.objects.lower_bound({switch_name, {}, {}});
       it != next_.objects.end() && it->first.switch_name == switch_name; ++it)
    if (!objects.contains(it->first)) gone.push_back(it->first);
  for (const ObjectKey& key : gone) next_.objects.erase(key);
  for (auto& [key, object] : objects) next_.objects.set(key, std::move(object));
}

/// A cluster is shown as a switch without ports, for its rules.
void Observer::show_clusters() {
  const auto is_ours = [&](const std::string& name) {
    return options_.acts && is_rule_of(options_.owner, name);
  };
  cluster_names_ = unique_names(inventory_.clusters);
  clusters_.clear();
  for (auto& [ref, name] : cluster_names_) {
    name = "cluster " + name;
    clusters_[name] = ref;
    const Cluster& cluster = inventory_.clusters.at(ref);
    Switch& sw = next_.switches[name];
    sw.name = name;
    sw.kind = kClusterKind;
    sw.capabilities.version = cluster.drs ? "DRS" : "DRS, which is off: its rules have no effect";
    for (const AffinityRule& rule : cluster.rules)
      next_.objects.set({name, kRuleKind, rule.name},
                        {{std::make_shared<const RuleValue>(rule)}, is_ours(rule.name)});
    for (const HostRule& rule : cluster.host_rules)
      next_.objects.set({name, kHostRuleKind, rule.name},
                        {{std::make_shared<const HostRuleValue>(rule),
                          {{name, kMachineGroupKind, rule.machine_group},
                           {name, kHostGroupKind, rule.host_group}}},
                         is_ours(rule.name)});
    for (const ClusterGroup& group : cluster.groups)
      next_.objects.set({name, group.of_hosts ? kHostGroupKind : kMachineGroupKind, group.name},
                        {{std::make_shared<const GroupOfCluster>(group)}, is_ours(group.name)});
    for (const auto& [host_ref, host] : inventory_.hosts)
      if (host.cluster == ref)
        next_.objects.set({name, kClusterHostKind, host.name},
                          {{std::make_shared<const ClusterHost>(host_ref)}, false});
  }
}

// ---- Standard switches --------------------------------------------------------------------------

void Observer::show_vswitches(const Ref& ref, const Host& host) {
  for (const Vswitch& vswitch : host.vswitches) {
    Switch& sw = standard_switch(vswitch.name, host);
    standard_[sw.name] = {ref, host.network_system, host.option_manager, vswitch.name};
    for (const std::string& uplink : vswitch.uplinks) {
      Port port;
      port.name = port.id = uplink;
      port.type = kUplinkType;
      port.uplink = true;
      port.labels[kHostLabel] = host.name;
      sw.ports.set(uplink, std::move(port));
    }
    span_touched_.insert(sw.name);
  }
}

/// What the switch has of the SPAN port groups, and which of it is ours.
void Observer::show_span(const std::string& switch_name) {
  const auto at = standard_.find(switch_name);
  if (at == standard_.end()) return;
  Switch& sw = next_.switches.at(switch_name);
  const Host& host = inventory_.hosts.at(at->second.host);
  std::map<ObjectKey, ObservedObject> objects;
  const auto add = [&](const char* kind, const std::string& name, auto value, bool owned) {
    ObservedObject& object = objects[{switch_name, kind, name}];
    object.object.value = std::make_shared<const decltype(value)>(std::move(value));
    object.owned = owned && options_.acts;
    return &object.object;
  };
  sw.mirrors.clear();
  for (const SpanGroup& wanted : span_groups(options_.span, options_.owner)) {
    const auto group = std::ranges::find_if(host.port_groups, [&](const PortGroup& g) {
      return g.name == wanted.name && g.vswitch == at->second.vswitch;
    });
    if (group == host.port_groups.end()) continue;
    const ObjectKey key{switch_name, kGroupKind, group->name};
    bool others = false;
    const bool moves = !options_.span.park.empty();
    for (const auto& [name, port] : sw.ports) {
      if (label_of(port, kPortGroupLabel) != group->name) continue;
      const bool is_ours = options_.span.adapter && port.mac == options_.span.adapter;
      others = others || !is_ours || !moves;
      if (!is_ours) continue;
      const auto [machine, device] = device_of(port.id);
      add(kAdapterKind, name, AdapterValue(group->name, machine, device), moves)->needs = {
          key, {switch_name, kPromiscuousKind, group->name}};
    }
    // One that somebody else uses can't be removed, and stays.
    add(kGroupKind, group->name, GroupValue(group->vlan),
        !options_.span.adopt && (!others || group->vlan != wanted.vlan));
    if (!group->promiscuous) continue;
    add(kPromiscuousKind, group->name, PromiscuousValue(), group->own_promiscuous == true)
        ->needs = {key};
    Mirror& mirror = sw.mirrors[group->name];
    mirror.name = mirror.id = group->name;
    mirror.switch_name = switch_name;
    mirror.all = true;
    mirror.vlans = mirror_vlans(group->vlan);
    mirror.owned = group->own_promiscuous == true && options_.acts;
    if (const auto to = span_output(sw, group->name, options_.span.adapter)) mirror.output = *to;
  }
  if (const int* option = host_options_.get(at->second.host); option && *option == 1)
    add(kOptionKind, kReversePathOption, OptionValue(), false);
  put_objects(switch_name, std::move(objects));
}

// ---- Machines -----------------------------------------------------------------------------------

void Observer::forget(const Ref& machine) {
  const auto it = of_.find(machine);
  if (it == of_.end()) return;
  for (const PortKey& key : it->second) {
    const auto sw = next_.switches.find(key.switch_name);
    if (sw == next_.switches.end()) continue;
    const Port* port = sw->second.ports.get(key.port);
    if (port && port->id.starts_with(machine.id + "/")) sw->second.ports.erase(key.port);
    if (standard_.contains(key.switch_name)) {
      span_touched_.insert(key.switch_name);
      continue;
    }
    // A standard switch, or NSX's, is there for its ports.
    if (sw->second.ports.empty() && !by_name_.contains(key.switch_name)) next_.switches.erase(sw);
  }
  of_.erase(it);
}

void Observer::show(const Ref& ref, const Machine& machine) {
  if (machine.is_template) return;
  for (const Nic& nic : machine.nics) {
    Port port;
    const std::string device = std::to_string(nic.key);
    port.id = ref.id + "/" + device;
    port.vm = lower(machine.uuid);
    port.interface_id = port.vm + "/" + device;
    port.mac = nic.mac.is_zero() ? std::nullopt : std::optional(nic.mac);
    port.link_up = machine.powered_on && nic.connected;
    port.labels["vm-name"] = machine.name;
    if (const Host* host = inventory_.hosts.get(machine.host)) {
      port.labels[kHostLabel] = host->name;
      if (const auto cluster = cluster_names_.find(host->cluster); cluster != cluster_names_.end())
        port.labels[kClusterLabel] = cluster->second;
    }
    if (const auto told = machine.addresses.find(nic.key); told != machine.addresses.end())
      for (const std::string& address : told->second) {
        std::string& label = port.labels[kAddressLabel];
        label += (label.empty() ? "" : " ") + address;
      }
    const auto at = place(ref, machine, nic, port);
    if (!at) continue;
    of_[ref].push_back(*at);
    next_.switches.at(at->switch_name).ports.set(at->port, std::move(port));
    if (standard_.contains(at->switch_name)) span_touched_.insert(at->switch_name);
  }
}

/// Where the NIC is plugged in; fills in what this says of the port. None: on no switch.
std::optional<PortKey> Observer::place(const Ref& ref, const Machine& machine, const Nic& nic,
                                       Port& port) {
  port.name = machine.name + "/" + (nic.label.empty() ? std::to_string(nic.key) : nic.label);
  const auto on = [&](const Switch& sw) {
    if (const Port* held = sw.ports.get(port.name); held && held->id != port.id)
      port.name += " (" + ref.id + ")";
    return PortKey{sw.name, port.name};
  };
  switch (nic.backing.kind) {
    case Backing::Kind::dv_port: {
      const auto sw = by_uuid_.find(lower(nic.backing.switch_uuid));
      if (sw == by_uuid_.end() || nic.backing.port_key.empty()) return {};
      port.name = nic.backing.port_key;
      port.id += "/" + port.name + "/" + nic.backing.cookie;
      bool promiscuous = false;
      if (const auto group = groups_.find(nic.backing.portgroup_key); group != groups_.end()) {
        const DistributedPortGroup& is = inventory_.port_groups.at(group->second);
        port.labels[kPortGroupLabel] = is.name;
        promiscuous = is.promiscuous;
        if (is.backing == "nsx") port.type = kNsxType;
      }
      if (const DvPort* asked = asked_.get({sw->second, port.name}))
        promiscuous = asked->promiscuous;
      if (promiscuous) port.labels[kPromiscuousLabel] = "true";
      const DistributedSwitch& dvs = inventory_.switches.at(sw->second);
      if (!dvs.extension.empty())
        port.labels[kNoReceiverLabel] = "the switch belongs to the extension " + dvs.extension;
      else if (!dvs.capability.remote_dest)
        port.labels[kNoReceiverLabel] = "the switch lacks remoteDestSupported";
      return PortKey{names_.at(sw->second), port.name};
    }
    case Backing::Kind::port_group: {
      const Host* host = inventory_.hosts.get(machine.host);
      if (!host) return {};
      port.labels[kPortGroupLabel] = nic.backing.network;
      const auto group =
          std::ranges::find(host->port_groups, nic.backing.network, &PortGroup::name);
      if (group == host->port_groups.end())
        return on(other_switch(
            "port group " + nic.backing.network + "@" + host->name, "no switch",
            "port group " + nic.backing.network + ", which host " + host->name +
                " does not have (make it there, or connect the adapter to another one),",
            host->name));
      if (group->vlan > 0 && group->vlan < 4095)
        port.vlan = static_cast<std::uint16_t>(group->vlan);
      return on(standard_switch(group->vswitch, *host));
    }
    case Backing::Kind::opaque:
      port.type = kNsxType;
      return on(other_switch(kNsxSwitch, "NSX network",
                             "NSX network, whose frames NSX alone can mirror,", {}));
    case Backing::Kind::none:
    case Backing::Kind::other:
      break;
  }
  return {};
}

Switch& Observer::standard_switch(const std::string& vswitch, const Host& host) {
  Switch& sw = other_switch(vswitch + "@" + host.name, kStandardKind,
                            "VMware standard switch, which has no mirroring sessions,", host.name);
  sw.capabilities.one_direction = false;
  sw.capabilities.granularity = Granularity::whole_switch;
  if (options_.span.name.empty()) return sw;
  sw.capabilities.version = "VMware standard switch";
  if (options_.acts)
    sw.capabilities.targets = {TargetKind::local};
  else
    sw.capabilities.version += " whose port groups another agent makes (`acts: false` here)";
  return sw;
}

Switch& Observer::other_switch(const std::string& name, const char* kind,
                               const std::string& version, const std::string& host) {
  Switch& sw = next_.switches[name];
  if (sw.name.empty()) {
    sw.name = name;
    sw.kind = kind;
    sw.host = host;
    sw.capabilities.version = version;
    sw.capabilities.mirrors = kMaxSessions;
  }
  return sw;
}

}  // namespace vmirror::vsphere
