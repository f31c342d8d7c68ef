// What a Hyper-V host was seen to have: values, named as in the namespace root/virtualization/v2.
//
//   Msvm_VirtualSystemSettingData "Microsoft:VM"          Machine
//     Msvm_SyntheticEthernetPortSettingData "Microsoft:VM\NIC"     Adapter (or Emulated...)
//       Msvm_EthernetPortAllocationSettingData "Microsoft:VM\NIC\C"  its Connection
//         Msvm_EthernetSwitchPort...SettingData "Microsoft:VM\NIC\C\FEATURE\..."  the features
//   Msvm_VirtualEthernetSwitchSettingData "Microsoft:SWITCH"   VirtualSwitch
//     Msvm_EthernetPortAllocationSettingData "Microsoft:SWITCH\PORT"  its own ports, with features
//
// and in root/MSCluster:
//
//   MSCluster_Cluster, MSCluster_Resource "Virtual Machine NAME" -> OwnerGroup
//   MSCluster_ResourceGroupToPreferredNode, MSCluster_AffinityRule
//
// The InstanceIDs begin with those of what they belong to, so that one query of each class and a
// join on this side replace a query for each VM.
//
// Sources: Microsoft, "Hyper-V WMI provider (V2)", "Failover Cluster WMI provider"; the class
// MSCluster_AffinityRule is in no reference: its properties and methods are as Microsoft's library
// for Go (github.com/microsoft/wmi) has them.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "plugin/base/address.hpp"
#include "plugin/hyperv/cim.hpp"
#include "plugin/hyperv/marks.hpp"
#include "plugin/hyperv/vlans.hpp"

namespace vmirror::hyperv {

/// The Name of the extension "Microsoft NDIS Capture", whose display name is translated.
constexpr const char* kCaptureExtension = "EA24CD6C-D17A-4348-9190-09F0D5BE83DD";
constexpr const char* kSecurityClass = "Msvm_EthernetSwitchPortSecuritySettingData";
constexpr const char* kVlanClass = "Msvm_EthernetSwitchPortVlanSettingData";
constexpr const char* kConnectionClass = "Msvm_EthernetPortAllocationSettingData";
/// The name of a switch's port that leads out of the host.
constexpr const char* kExternalPort = "external port";

/// MonitorMode
enum class MonitorMode : std::uint8_t { none, destination, source };

/// A port's security setting, which also holds mirroring.
struct Security {
  std::string id;  ///< InstanceID; empty: the port has none, and all is at its default.
  MonitorMode mode = MonitorMode::none;
  std::uint8_t session = 0;  ///< MonitorSession
  bool operator==(const Security&) const = default;
};

struct Connection {
  std::string id;  ///< InstanceID
  Security security;
  VlanSetting vlans;
  bool sr_iov = false;  ///< IOVOffloadWeight over 0: frames may pass by the switch.
  bool operator==(const Connection&) const = default;
};

struct Adapter {
  std::string id, name;    ///< GUID; as the VM's settings show it.
  std::string port_name;   ///< Unique on its switch: "VM/adapter".
  std::string switch_id;   ///< GUID; empty: not connected.
  std::optional<Mac> mac;  ///< None: the VM was never started.
  Connection connection;
  bool operator==(const Adapter&) const = default;
};

struct Machine {
  std::string id, name;
  Notes notes;
  bool running = false;
  std::map<std::string, Adapter> adapters;  ///< By GUID.
  bool operator==(const Machine&) const = default;
};

struct VirtualSwitch {
  std::string id, name;
  Notes notes;
  std::optional<bool> capture;  ///< The NDIS capture extension is on; none: not offered.
  std::optional<Connection> external;
  std::string nic;    ///< Of the external port, for people; empty: the switch has none.
  bool team = false;  ///< That NIC is an LBFO team.
  bool iov = false;   ///< IOVPreferred: it offers SR-IOV.
  bool operator==(const VirtualSwitch&) const = default;
};

/// A rule of a failover cluster on where its groups run (MSCluster_AffinityRule).
struct ClusterRule {
  std::uint64_t type = 0;        ///< RuleType; see kSameNode.
  bool enabled = false;          ///< Enabled is not 0.
  std::set<std::string> groups;  ///< Names of cluster groups.
  bool operator==(const ClusterRule&) const = default;
};
constexpr std::uint64_t kSameNode = 2;

/// The failover cluster of a host, as far as it says where VMs run.
struct FailoverCluster {
  std::string name;
  std::map<std::string, std::string> groups;                      ///< Of VMs, by the VM's name.
  std::map<std::string, std::set<std::string>> preferred_owners;  ///< Nodes, by the group's name.
  /// By name. None: the cluster knows no such rules (before Windows Server 2022).
  std::optional<std::map<std::string, ClusterRule>> rules;
  bool operator==(const FailoverCluster&) const = default;
};

struct HostState {
  std::string name;  ///< The computer's.
  std::map<std::string, Machine> machines;
  std::map<std::string, VirtualSwitch> switches;
  std::optional<FailoverCluster> cluster;  ///< None: the host is in none, or it was not read.
  std::string cluster_error;  ///< Why it can't be read; empty: it can, or is not to be.
  bool operator==(const HostState&) const = default;
};

/// The queries that a host is read by, in the order of queries().
enum class Table : std::uint8_t {
  connections,
  features,
  machines,
  adapters,
  legacy_adapters,
  switches,
  extensions,
  external_ports,
  systems,
  clusters,  ///< From here on of the failover cluster: read only on request.
  cluster_vms,
  preferred_nodes,
  affinity_rules,
};
constexpr std::size_t kHostTables = 9, kTables = 13;
struct Query {
  const char *space, *wql;
};
const std::array<Query, kTables>& queries();
/// None: the host has no such class, or was not asked.
using Tables = std::array<std::optional<std::vector<Instance>>, kTables>;
ClusterRule read_rule(const Instance& rule);

/// Joins what the queries found. What has a form that nobody expects is left out. Pure.
HostState read_host(const Tables& tables);

/// GUIDs in capitals, as Hyper-V writes them.
std::string upper(std::string text);

}  // namespace vmirror::hyperv
