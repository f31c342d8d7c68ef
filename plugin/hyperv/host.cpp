#include "plugin/hyperv/host.hpp"

#include <algorithm>
#include <cctype>

namespace vmirror::hyperv {
namespace {

constexpr std::string_view kPrefix = "Microsoft:";
constexpr std::string_view kTeamDriver = "Multiplexor";  // Of LBFO; not translated.
constexpr std::size_t kGuid = 36;

/// "Microsoft:A\B\C" -> {"A", "B", "C"}; empty: another form.
std::vector<std::string> parts_of(std::string_view instance_id) {
  std::vector<std::string> out;
  if (!instance_id.starts_with(kPrefix)) return out;
  instance_id.remove_prefix(kPrefix.size());
  while (true) {
    const std::size_t end = std::min(instance_id.find('\\'), instance_id.size());
    out.push_back(upper(std::string(instance_id.substr(0, end))));
    if (end == instance_id.size()) return out;
    instance_id.remove_prefix(end + 1);
  }
}

/// The value of a key in an object path: \\HOST\root\...:Msvm_X.Name="VALUE",...
std::string key_of(const std::string& path, const std::string& key) {
  const std::string begin = key + "=\"";
  for (std::size_t at = 0; (at = path.find(begin, at)) != path.npos; at++) {
    if (at == 0 || (path[at - 1] != '.' && path[at - 1] != ',')) continue;
    const std::size_t from = at + begin.size();
    return path.substr(from, path.find('"', from) - from);
  }
  return {};
}

/// "00155D0A0B0C"; all zeros before the VM's first start.
std::optional<Mac> mac_of(const std::string& digits) {
  std::string text;
  for (std::size_t i = 0; i < digits.size(); i++)
    text += (i != 0 && i % 2 == 0 ? ":" : "") + std::string(1, digits[i]);
  const auto out = Mac::parse(text);
  return out && !out->is_zero() ? std::optional(*out) : std::nullopt;
}

class Join {
 public:
  explicit Join(const Tables& tables) : tables_(tables) {}

  HostState run() {
    for (const Instance& each : of(Table::switches)) add_switch(each);
    for (const Instance& each : of(Table::machines)) add_machine(each);
    for (const Instance& each : of(Table::adapters)) add_adapter(each);
    for (const Instance& each : of(Table::legacy_adapters)) add_adapter(each);
    for (const Instance& each : of(Table::connections)) add_connection(each);
    for (const Instance& each : of(Table::features)) add_feature(each);
    for (const Instance& each : of(Table::extensions)) {
      const auto at = out_.switches.find(upper(each.text("SystemName")));
      const auto state = each.number("EnabledState");
      if (at != out_.switches.end() && (state == 2 || state == 3)) at->second.capture = state == 2;
    }
    for (const Instance& each : of(Table::systems)) add_system(each);
    name_ports();
    for (const Instance& each : of(Table::clusters)) add_cluster(each);
    return std::move(out_);
  }

 private:
  const std::vector<Instance>& of(Table table) const {
    static const std::vector<Instance> none;
    const auto& held = tables_[static_cast<std::size_t>(table)];
    return held ? *held : none;
  }

  void add_switch(const Instance& each) {
    const auto parts = parts_of(each.text("InstanceID"));
    if (parts.size() != 1) return;
    VirtualSwitch& to = out_.switches[parts[0]];
    to.id = parts[0];
    to.name = each.text("ElementName");
    to.notes = parse_notes(each.all("Notes"));
    to.iov = each.text("IOVPreferred") == "true";
  }

  void add_machine(const Instance& each) {
    const auto parts = parts_of(each.text("InstanceID"));
    if (parts.size() != 1) return;
    Machine& to = out_.machines[parts[0]];
    to.id = parts[0];
    to.name = each.text("ElementName");
    to.notes = parse_notes(each.all("Notes"));
  }

  void add_adapter(const Instance& each) {
    const auto parts = parts_of(each.text("InstanceID"));
    if (parts.size() != 2) return;
    const auto machine = out_.machines.find(parts[0]);
    if (machine == out_.machines.end()) return;  // A checkpoint's.
    Adapter& to = machine->second.adapters[parts[1]];
    to.id = parts[1];
    to.name = each.text("ElementName");
    to.mac = mac_of(each.text("Address"));
  }

  void add_connection(const Instance& each) {
    const std::string& id = each.text("InstanceID");
    const auto parts = parts_of(id);
    const std::string& resource = each.text("HostResource");
    if (parts.size() == 3) {
      const auto machine = out_.machines.find(parts[0]);
      if (machine == out_.machines.end()) return;
      const auto adapter = machine->second.adapters.find(parts[1]);
      if (adapter == machine->second.adapters.end()) return;
      adapter->second.connection.id = id;
      if (each.number("EnabledState") != 3)
        adapter->second.switch_id = upper(key_of(resource, "Name"));
      connections_[upper(id)] = &adapter->second.connection;
    } else if (parts.size() == 2) {
      const auto at = out_.switches.find(parts[0]);
      if (at == out_.switches.end() || resource.find("Msvm_ExternalEthernetPort") == resource.npos)
        return;  // A port of the host itself.
      at->second.external.emplace().id = id;
      at->second.nic = resource;
      const std::string device = key_of(resource, "DeviceID");
      for (const Instance& nic : of(Table::external_ports))
        if (!device.empty() && nic.text("DeviceID") == device)
          at->second.nic = nic.text("ElementName");
      at->second.team = at->second.nic.find(kTeamDriver) != std::string::npos;
      connections_[upper(id)] = &*at->second.external;
    }
  }

  void add_feature(const Instance& each) {
    const std::string& id = each.text("InstanceID");
    const auto at = connections_.find(upper(owner_of(id)));
    if (at == connections_.end()) return;  // A template, or a checkpoint's.
    Connection& to = *at->second;
    if (each.cls == kSecurityClass) {
      const auto mode = each.number("MonitorMode");
      to.security = {id, mode <= 2 ? static_cast<MonitorMode>(mode) : MonitorMode::none,
                     static_cast<std::uint8_t>(each.number("MonitorSession"))};
    } else if (each.cls == kVlanClass) {
      to.vlans = read_vlans(each);
    } else if (each.number("IOVOffloadWeight") != 0) {
      to.sr_iov = true;
    }
  }

  /// The InstanceID of the port of a feature: what is before its last two parts.
  static std::string owner_of(const std::string& id) {
    const std::size_t last = id.rfind('\\');
    if (last == id.npos || last == 0) return {};
    const std::size_t before = id.rfind('\\', last - 1);
    return before == id.npos ? std::string() : id.substr(0, before);
  }

  /// VMs are named by their GUIDs, the host by its name.
  void add_system(const Instance& each) {
    const std::string& name = each.text("Name");
    const auto machine = out_.machines.find(upper(name));
    if (machine != out_.machines.end())
      machine->second.running = each.number("EnabledState") == 2;
    else if (name.size() != kGuid || std::ranges::count(name, '-') != 4)
      out_.name = each.text("ElementName").empty() ? name : each.text("ElementName");
  }

  void add_cluster(const Instance& each) {
    FailoverCluster& to = out_.cluster.emplace();
    to.name = each.text("Name");
    const std::string prefix = "Virtual Machine ";  // Nobody translates it, nor renames it.
    for (const Instance& resource : of(Table::cluster_vms))
      if (resource.text("Name").starts_with(prefix))
        to.groups[resource.text("Name").substr(prefix.size())] = resource.text("OwnerGroup");
    const auto name_of = [](const Instance& link, const char* end) {
      const auto at = link.references.find(end);
      if (at == link.references.end()) return std::string();
      const auto key = at->second.keys.find("Name");
      return key == at->second.keys.end() ? std::string() : key->second;
    };
    for (const Instance& link : of(Table::preferred_nodes))
      to.preferred_owners[name_of(link, "GroupComponent")].insert(name_of(link, "PartComponent"));
    if (!tables_[static_cast<std::size_t>(Table::affinity_rules)]) return;
    to.rules.emplace();
    for (const Instance& rule : of(Table::affinity_rules))
      (*to.rules)[rule.text("Name")] = read_rule(rule);
  }

  /// Names of VMs and of adapters are not unique: all of a name on a switch have their GUID, too.
  void name_ports() {
    std::map<std::pair<std::string, std::string>, std::vector<Adapter*>> named;
    for (auto& [id, machine] : out_.machines)
      for (auto& [adapter_id, adapter] : machine.adapters) {
        adapter.port_name = machine.name + (adapter.name.empty() ? "" : "/") + adapter.name;
        named[{adapter.switch_id, adapter.port_name}].push_back(&adapter);
      }
    for (auto& [key, adapters] : named)
      if (adapters.size() > 1 || key.second == kExternalPort)
        for (Adapter* each : adapters) each->port_name += " (" + each->id + ")";
  }

  const Tables& tables_;
  HostState out_;
  std::map<std::string, Connection*> connections_;  ///< By InstanceID in capitals.
};

}  // namespace

const std::array<Query, kTables>& queries() {
  static constexpr std::array<Query, kTables> kQueries = {{
      {kVirtualization, "SELECT * FROM Msvm_EthernetPortAllocationSettingData"},
      {kVirtualization, "SELECT * FROM Msvm_EthernetSwitchPortFeatureSettingData"},
      {kVirtualization,
       "SELECT * FROM Msvm_VirtualSystemSettingData WHERE VirtualSystemType = "
       "'Microsoft:Hyper-V:System:Realized'"},
      {kVirtualization, "SELECT * FROM Msvm_SyntheticEthernetPortSettingData"},
      {kVirtualization, "SELECT * FROM Msvm_EmulatedEthernetPortSettingData"},
      {kVirtualization, "SELECT * FROM Msvm_VirtualEthernetSwitchSettingData"},
      {kVirtualization,
       "SELECT * FROM Msvm_EthernetSwitchExtension WHERE Name = "
       "'EA24CD6C-D17A-4348-9190-09F0D5BE83DD'"},
      {kVirtualization, "SELECT * FROM Msvm_ExternalEthernetPort"},
      {kVirtualization, "SELECT * FROM Msvm_ComputerSystem"},
      {kCluster, "SELECT * FROM MSCluster_Cluster"},
      {kCluster, "SELECT * FROM MSCluster_Resource WHERE Type = 'Virtual Machine'"},
      {kCluster, "SELECT * FROM MSCluster_ResourceGroupToPreferredNode"},
      {kCluster, "SELECT * FROM MSCluster_AffinityRule"},
  }};
  return kQueries;
}

ClusterRule read_rule(const Instance& rule) {
  const auto& groups = rule.all("Groups");
  return {rule.number("RuleType"), rule.number("Enabled") != 0, {groups.begin(), groups.end()}};
}

HostState read_host(const Tables& tables) {
  return Join(tables).run();
}

std::string upper(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

}  // namespace vmirror::hyperv
