#include "plugin/vsphere/read.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "plugin/net/soap.hpp"

namespace vmirror::vsphere {
namespace {

using net::child;
using net::local_name;
using net::text_of;
using pugi::xml_node;

Error malformed(std::string what) {
  return {Error::Kind::invalid, std::move(what), "answer of the server", {}};
}
Error past(const char* what, std::size_t bound) {
  return {Error::Kind::exhausted,
          "more than " + std::to_string(bound) + " " + what,
          "answer of the server",
          {}};
}

std::string string_of(xml_node node, std::string_view name) {
  return std::string(text_of(node, name));
}
bool is_true(std::string_view text) {
  return text == "true" || text == "1";
}
bool bool_of(xml_node node, std::string_view name) {
  return is_true(text_of(node, name));
}
std::optional<int> number_in(std::string_view text) {
  int out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  return out;
}
std::optional<int> number_of(xml_node node, std::string_view name) {
  return number_in(text_of(node, name));
}

/// Calls `each` with every child element of that name; whether there were not too many.
template <typename Each>
bool for_children(xml_node node, std::string_view name, Each each) {
  std::size_t count = 0;
  for (const xml_node item : node.children())
    if (local_name(item) == name) {
      if (++count > kMaxItems) return false;
      each(item);
    }
  return true;
}

// ---- Machines ---------------------------------------------------------------------------------

Backing read_backing(xml_node node) {
  Backing out;
  if (!node) return out;
  std::string_view type = xsi_type(node);
  if (type.starts_with("VirtualEthernetCard")) type.remove_prefix(19);
  if (type.ends_with("BackingInfo")) type.remove_suffix(11);
  out.type = type;
  if (type == "DistributedVirtualPort") {
    const xml_node port = child(node, "port");
    out.kind = Backing::Kind::dv_port;
    out.switch_uuid = text_of(port, "switchUuid");
    out.portgroup_key = text_of(port, "portgroupKey");
    out.port_key = text_of(port, "portKey");
    out.cookie = text_of(port, "connectionCookie");
  } else if (type == "Network") {
    out.kind = Backing::Kind::port_group;
    out.network = text_of(node, "deviceName");
  } else if (type == "OpaqueNetwork") {
    out.kind = Backing::Kind::opaque;
    out.network = text_of(node, "opaqueNetworkId");
  } else {
    out.kind = Backing::Kind::other;
  }
  return out;
}

/// Only network cards have a MAC, whatever their type is called.
Result<std::vector<Nic>> read_nics(xml_node devices) {
  std::vector<Nic> out;
  bool fit = true;
  for (const xml_node device : devices.children()) {
    const xml_node address = child(device, "macAddress");
    if (!address && !child(device, "addressType")) continue;
    fit = fit && out.size() < kMaxItems;
    if (!fit) break;
    Nic nic;
    nic.key = number_of(device, "key").value_or(0);
    nic.label = text_of(child(device, "deviceInfo"), "label");
    nic.type = xsi_type(device);
    if (const auto mac = Mac::parse(address.child_value())) nic.mac = *mac;
    nic.backing = read_backing(child(device, "backing"));
    nic.connected = bool_of(child(device, "connectable"), "connected");
    out.push_back(std::move(nic));
  }
  if (!fit) return tl::unexpected(past("NICs of a machine", kMaxItems));
  return out;
}

Result<bool> apply(Machine& machine, std::string_view name, xml_node value) {
  if (name == "name") {
    machine.name = value.child_value();
  } else if (name == "config.instanceUuid") {
    machine.uuid = value.child_value();
  } else if (name == "config.template") {
    machine.is_template = is_true(value.child_value());
  } else if (name == "runtime.host") {
    machine.host = read_ref(value);
  } else if (name == "runtime.powerState") {
    machine.powered_on = std::string_view(value.child_value()) == "poweredOn";
  } else if (name == "config.hardware.device") {
    auto nics = read_nics(value);
    if (!nics) return tl::unexpected(nics.error());
    machine.nics = std::move(*nics);
  } else if (name == "guest.net") {
    machine.addresses.clear();
    const bool fit = for_children(value, "GuestNicInfo", [&](xml_node nic) {
      const auto key = number_of(nic, "deviceConfigId");
      for (const xml_node item : nic.children())
        if (key && local_name(item) == "ipAddress")
          machine.addresses[*key].emplace_back(item.child_value());
    });
    if (!fit) return tl::unexpected(past("addresses of a machine", kMaxItems));
  } else {
    return false;
  }
  return true;
}

// ---- Hosts ------------------------------------------------------------------------------------

/// Of the key "key-vim.host.PhysicalNic-vmnic0": "vmnic0".
std::string uplink_name(std::string_view key) {
  return std::string(key.substr(key.rfind('-') + 1));
}

Result<bool> apply(Host& host, std::string_view name, xml_node value) {
  if (name == "name") {
    host.name = value.child_value();
  } else if (name == "runtime.connectionState") {
    host.connected = std::string_view(value.child_value()) == "connected";
  } else if (name == "config.network.portgroup") {
    host.port_groups.clear();
    const bool fit = for_children(value, "HostPortGroup", [&](xml_node group) {
      const xml_node spec = child(group, "spec");
      host.port_groups.push_back(
          {string_of(spec, "name"), string_of(spec, "vswitchName"),
           number_of(spec, "vlanId").value_or(0),
           bool_of(child(child(group, "computedPolicy"), "security"), "allowPromiscuous")});
      const xml_node own = child(child(child(spec, "policy"), "security"), "allowPromiscuous");
      if (own) host.port_groups.back().own_promiscuous = is_true(own.child_value());
    });
    if (!fit) return tl::unexpected(past("port groups of a host", kMaxItems));
  } else if (name == "config.network.vswitch") {
    host.vswitches.clear();
    const bool fit = for_children(value, "HostVirtualSwitch", [&](xml_node vswitch) {
      Vswitch& out = host.vswitches.emplace_back();
      out.name = text_of(vswitch, "name");
      for_children(vswitch, "pnic",
                   [&](xml_node pnic) { out.uplinks.push_back(uplink_name(pnic.child_value())); });
    });
    if (!fit) return tl::unexpected(past("switches of a host", kMaxItems));
  } else if (name == "configManager.networkSystem") {
    host.network_system = read_ref(value);
  } else if (name == "configManager.advancedOption") {
    host.option_manager = read_ref(value);
  } else if (name == "parent") {
    host.cluster = read_ref(value);
  } else {
    return false;
  }
  return true;
}

// ---- Clusters ---------------------------------------------------------------------------------

Result<bool> apply(Cluster& cluster, std::string_view name, xml_node value) {
  if (name == "name") {
    cluster.name = value.child_value();
  } else if (name == "configurationEx") {
    cluster.drs = bool_of(child(value, "drsConfig"), "enabled");
    cluster.rules.clear();
    cluster.host_rules.clear();
    cluster.groups.clear();
    bool fit = for_children(value, "rule", [&](xml_node rule) {
      if (xsi_type(rule) == "ClusterVmHostRuleInfo")
        cluster.host_rules.push_back({number_of(rule, "key").value_or(0),
                                      std::string(text_of(rule, "name")), bool_of(rule, "enabled"),
                                      bool_of(rule, "mandatory"),
                                      std::string(text_of(rule, "vmGroupName")),
                                      std::string(text_of(rule, "affineHostGroupName"))});
      if (xsi_type(rule) != "ClusterAffinityRuleSpec") return;
      AffinityRule& out = cluster.rules.emplace_back();
      out.key = number_of(rule, "key").value_or(0);
      out.name = text_of(rule, "name");
      out.enabled = bool_of(rule, "enabled");
      for_children(rule, "vm",
                   [&](xml_node machine) { out.machines.push_back(read_ref(machine)); });
    });
    fit = fit && for_children(value, "group", [&](xml_node group) {
            ClusterGroup& out = cluster.groups.emplace_back();
            out.name = text_of(group, "name");
            out.of_hosts = xsi_type(group) == "ClusterHostGroup";
            for_children(group, out.of_hosts ? "host" : "vm",
                         [&](xml_node member) { out.members.push_back(read_ref(member)); });
          });
    if (!fit) return tl::unexpected(past("rules or groups of a cluster", kMaxItems));
  } else {
    return false;
  }
  return true;
}

// ---- Distributed switches ---------------------------------------------------------------------

VspanPort read_port(xml_node node) {
  VspanPort out;
  for (const xml_node item : node.children()) {
    const std::string_view name = local_name(item);
    if (name == "portKey") out.ports.emplace_back(item.child_value());
    if (name == "uplinkPortName") out.uplinks.emplace_back(item.child_value());
    if (name == "ipAddress") out.addresses.emplace_back(item.child_value());
    if (name == "vlans")
      if (const auto vlan = number_in(item.child_value())) out.vlans.push_back(*vlan);
  }
  return out;
}

VspanCapability read_capability(xml_node node) {
  const xml_node features = child(node, "featuresSupported");
  const xml_node vspan = child(features, "vspanCapability");
  VspanCapability out;
  out.any = bool_of(features, "vspanSupported");
  out.dv_port = bool_of(vspan, "dvportSupported");
  out.remote_source = bool_of(vspan, "remoteSourceSupported");
  out.remote_dest = bool_of(vspan, "remoteDestSupported");
  out.encapsulated = bool_of(vspan, "encapRemoteSourceSupported");
  out.mixed_dest = bool_of(vspan, "mixedDestSupported");
  out.erspan = bool_of(vspan, "erspanProtocolSupported");
  out.netstack = bool_of(vspan, "mirrorNetstackSupported");
  return out;
}

Result<bool> apply(DistributedSwitch& dvs, std::string_view name, xml_node value) {
  if (name == "name") {
    dvs.name = value.child_value();
  } else if (name == "uuid") {
    dvs.uuid = value.child_value();
  } else if (name == "capability") {
    dvs.capability = read_capability(value);
  } else if (name == "config") {
    dvs.config_version = text_of(value, "configVersion");
    dvs.extension = text_of(value, "extensionKey");
    dvs.hosts.clear();
    dvs.sessions.clear();
    dvs.uplinks.clear();
    const bool fit =
        for_children(value, "host",
                     [&](xml_node host) {
                       const xml_node config = child(host, "config");
                       dvs.hosts.push_back(read_ref(child(config, "host")));
                     }) &&
        for_children(value, "vspanSession",
                     [&](xml_node session) { dvs.sessions.push_back(read_session(session)); }) &&
        for_children(child(value, "uplinkPortPolicy"), "uplinkPortName",
                     [&](xml_node name) { dvs.uplinks.emplace_back(name.child_value()); });
    if (!fit) return tl::unexpected(past("hosts, sessions or uplinks of a switch", kMaxItems));
  } else {
    return false;
  }
  return true;
}

Result<bool> apply(DistributedPortGroup& group, std::string_view name, xml_node value) {
  if (name == "key") {
    group.key = value.child_value();
  } else if (name == "name") {
    group.name = value.child_value();
  } else if (name == "config") {
    group.distributed_switch = read_ref(child(value, "distributedVirtualSwitch"));
    group.binding = text_of(value, "type");
    group.backing = text_of(value, "backingType");
    group.uplink = bool_of(value, "uplink");
    const xml_node security = child(child(value, "defaultPortConfig"), "securityPolicy");
    group.promiscuous = bool_of(child(security, "allowPromiscuous"), "value");
  } else {
    return false;
  }
  return true;
}

// ---- Updates ----------------------------------------------------------------------------------

/// A path of an update that is within a property which we asked for as a whole.
bool is_part_of(std::string_view path, std::string_view whole) {
  return path.size() > whole.size() && path.starts_with(whole) &&
         (path[whole.size()] == '.' || path[whole.size()] == '[');
}

template <typename T>
Result<bool> fold_object(const Ref& ref, std::string_view type, xml_node update,
                         PersistentMap<Ref, T>& objects) {
  const std::string_view kind = text_of(update, "kind");
  if (kind == "leave") return objects.erase(ref);
  if (kind != "enter" && kind != "modify")
    return tl::unexpected(malformed("an update of an unknown kind"));
  const T* before = objects.get(ref);
  if (!before && objects.size() >= kMaxObjects)
    return tl::unexpected(past("objects of a kind", kMaxObjects));
  T next = before && kind == "modify" ? *before : T{};
  for (const xml_node change : update.children()) {
    if (local_name(change) != "changeSet") continue;
    const std::string_view name = text_of(change, "name");
    // A property that was removed has no value, which reads as an empty one.
    const auto known = apply(next, name, child(change, "val"));
    if (!known) return known;
    if (*known) continue;
    for (const auto& [of, paths] : kWatchedProperties)
      if (of == type && std::ranges::any_of(
                            paths, [&](const std::string& path) { return is_part_of(name, path); }))
        return tl::unexpected(malformed("a part of a property, where the whole was asked for"));
  }
  return objects.set(ref, std::move(next));
}

Result<bool> fold_object(xml_node update, Inventory& inventory) {
  const Ref ref = read_ref(child(update, "obj"));
  if (ref.empty()) return tl::unexpected(malformed("an update of no object"));
  if (ref.type == "VirtualMachine") return fold_object(ref, ref.type, update, inventory.machines);
  if (ref.type == "HostSystem") return fold_object(ref, ref.type, update, inventory.hosts);
  if (ref.type == "ClusterComputeResource")
    return fold_object(ref, ref.type, update, inventory.clusters);
  if (ref.type == "DistributedVirtualPortgroup")
    return fold_object(ref, ref.type, update, inventory.port_groups);
  if (ref.type.ends_with("DistributedVirtualSwitch"))  // VmwareDistributedVirtualSwitch is one.
    return fold_object(ref, "DistributedVirtualSwitch", update, inventory.switches);
  return false;
}

// ---- Writing ----------------------------------------------------------------------------------

void put(xml_node parent, const char* name, const std::string& text) {
  parent.append_child(name).text() = text.c_str();
}
void put(xml_node parent, const char* name, bool value) {
  parent.append_child(name).text() = value;
}
void put_some(xml_node parent, const char* name, const std::string& text) {
  if (!text.empty()) put(parent, name, text);
}
void put_some(xml_node parent, const char* name, const std::optional<int>& value) {
  if (value) parent.append_child(name).text() = *value;
}
void put_some(xml_node parent, const char* name, const VspanPort& port) {
  if (port.empty()) return;
  xml_node node = parent.append_child(name);
  for (const std::string& key : port.ports) put(node, "portKey", key);
  for (const std::string& uplink : port.uplinks) put(node, "uplinkPortName", uplink);
  for (const int vlan : port.vlans) node.append_child("vlans").text() = vlan;
  for (const std::string& address : port.addresses) put(node, "ipAddress", address);
}

/// Numbers of a version: "8.0.1.0".
std::optional<std::array<int, 4>> numbers_of(std::string_view version) {
  std::array<int, 4> out{};
  for (int& number : out) {
    const std::size_t dot = version.find('.');
    const auto read = number_in(version.substr(0, dot));
    if (!read || *read < 0) return {};
    number = *read;
    if (dot == version.npos) return out;
    version.remove_prefix(dot + 1);
  }
  return {};
}

}  // namespace

const std::vector<std::pair<std::string, std::vector<std::string>>> kWatchedProperties = {
    {"VirtualMachine",
     {"name", "config.instanceUuid", "config.template", "config.hardware.device", "guest.net",
      "runtime.host", "runtime.powerState"}},
    {"HostSystem",
     {"name", "runtime.connectionState", "config.network.portgroup", "config.network.vswitch",
      "configManager.networkSystem", "configManager.advancedOption", "parent"}},
    // As a whole: only ClusterConfigInfoEx has rules. Watched where rules are asked for.
    {"ClusterComputeResource", {"name", "configurationEx"}},
    // `config` as a whole: parts of it that only VmwareDistributedVirtualSwitch has are no path.
    {"DistributedVirtualSwitch", {"name", "uuid", "config", "capability"}},
    {"DistributedVirtualPortgroup", {"name", "key", "config"}},
};

std::string_view xsi_type(xml_node node) {
  for (const pugi::xml_attribute attribute : node.attributes()) {
    const std::string_view name = attribute.name(), value = attribute.value();
    if (name.ends_with(":type")) return value.substr(value.find(':') + 1);
  }
  return {};
}

Ref read_ref(xml_node node) {
  return {node.attribute("type").value(), node.child_value()};
}

void put_ref(xml_node parent, const char* name, const Ref& ref) {
  xml_node node = parent.append_child(name);
  node.append_attribute("type") = ref.type.c_str();
  node.text() = ref.id.c_str();
}

Result<Folded> fold(xml_node update_set, Inventory& inventory) {
  Folded out;
  out.version = text_of(update_set, "version");
  out.truncated = bool_of(update_set, "truncated");
  if (out.version.empty()) return tl::unexpected(malformed("an update without a version"));
  for (const xml_node filter : update_set.children()) {
    if (local_name(filter) != "filterSet") continue;
    for (const xml_node object : filter.children()) {
      if (local_name(object) != "objectSet") continue;
      const auto changed = fold_object(object, inventory);
      if (!changed) return tl::unexpected(changed.error());
      out.changed = out.changed || *changed;
      for (const xml_node missing : object.children()) {
        if (local_name(missing) != "missingSet") continue;
        if (out.missing++ > 0) continue;
        const xml_node localized = child(missing, "fault");
        const xml_node fault = child(localized, "fault");
        const Ref ref = read_ref(child(object, "obj"));
        out.first_missing = error_of_fault(
            xsi_type(fault), fault, text_of(localized, "localizedMessage"),
            "property " + string_of(missing, "path") + " of " + ref.type + " " + ref.id);
      }
    }
  }
  return out;
}

void encode(const VspanSession& session, xml_node node) {
  put_some(node, "key", session.key);
  put_some(node, "name", session.name);
  put_some(node, "description", session.description);
  put(node, "enabled", session.enabled);
  put_some(node, "sourcePortTransmitted", session.transmitted);
  put_some(node, "sourcePortReceived", session.received);
  put_some(node, "destinationPort", session.destination);
  put_some(node, "encapsulationVlanId", session.encapsulation_vlan);
  put(node, "stripOriginalVlan", session.strip_vlan);
  put_some(node, "mirroredPacketLength", session.length);
  put(node, "normalTrafficAllowed", session.normal_traffic);
  put_some(node, "sessionType", session.type);
  put_some(node, "samplingRate", session.sampling_rate);
  put_some(node, "encapType", session.encapsulation);
  put_some(node, "erspanId", session.erspan_id);
  put_some(node, "erspanCOS", session.erspan_cos);
  if (session.erspan_nanoseconds) put(node, "erspanGraNanosec", *session.erspan_nanoseconds);
  put_some(node, "netstack", session.netstack);
}

VspanSession read_session(xml_node node) {
  VspanSession out;
  out.key = text_of(node, "key");
  out.name = text_of(node, "name");
  out.description = text_of(node, "description");
  out.enabled = bool_of(node, "enabled");
  out.transmitted = read_port(child(node, "sourcePortTransmitted"));
  out.received = read_port(child(node, "sourcePortReceived"));
  out.destination = read_port(child(node, "destinationPort"));
  out.encapsulation_vlan = number_of(node, "encapsulationVlanId");
  out.strip_vlan = bool_of(node, "stripOriginalVlan");
  out.length = number_of(node, "mirroredPacketLength");
  out.normal_traffic = bool_of(node, "normalTrafficAllowed");
  out.type = text_of(node, "sessionType");
  out.sampling_rate = number_of(node, "samplingRate");
  out.encapsulation = text_of(node, "encapType");
  out.erspan_id = number_of(node, "erspanId");
  out.erspan_cos = number_of(node, "erspanCOS");
  if (child(node, "erspanGraNanosec")) out.erspan_nanoseconds = bool_of(node, "erspanGraNanosec");
  out.netstack = text_of(node, "netstack");
  return out;
}

Result<std::string> choose_version(xml_node document) {
  if (local_name(document) != "namespaces")
    return tl::unexpected(malformed("no list of the API's versions"));
  const auto newest = *numbers_of(kNewestVersion);
  std::array<int, 4> best{};
  std::string out;
  const auto consider = [&](xml_node version) {
    const auto numbers = numbers_of(version.child_value());
    if (!numbers || *numbers > newest || *numbers < best) return;
    best = *numbers;
    out = version.child_value();
  };
  for (const xml_node each : document.children()) {
    if (text_of(each, "name") != "urn:vim25") continue;
    consider(child(each, "version"));
    for (const xml_node prior : child(each, "priorVersions").children()) consider(prior);
  }
  if (out.empty())
    return fail(Error::Kind::unsupported,
                "the server has no version of the API vim25 up to " + std::string(kNewestVersion),
                "/sdk/vimServiceVersions.xml", "is it a vCenter or an ESXi host?");
  return out;
}

}  // namespace vmirror::vsphere
