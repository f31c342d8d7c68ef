// What a Hyper-V host was seen to have: values, named as in the namespace root/virtualization/v2.
//
//   Msvm_VirtualSystemSettingData "Microsoft:VM"          Machine
//     Msvm_SyntheticEthernetPortSettingData "Microsoft:VM\NIC"     Adapter (or Emulated...)
//       Msvm_EthernetPortAllocationSettingData "Microsoft:VM\NIC\C"  its Connection
//         Msvm_EthernetSwitchPort...SettingData "Microsoft:VM\NIC\C\FEATURE\..."  the features
//   Msvm_VirtualEthernetSwitchSettingData "Microsoft:SWITCH"   VirtualSwitch
//     Msvm_EthernetPortAllocationSettingData "Microsoft:SWITCH\PORT"  its own ports, with features
//
// The InstanceIDs begin with those of what they belong to, so that one query of each class and a
// join on this side replace a query for each VM.
//
// Source: Microsoft, "Hyper-V WMI provider (V2)".
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
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

struct HostState {
  std::string name;  ///< The computer's.
  std::map<std::string, Machine> machines;
  std::map<std::string, VirtualSwitch> switches;
  bool operator==(const HostState&) const = default;
};

/// The queries that a host is read by, in the order of kQueries.
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
};
constexpr std::size_t kTables = 9;
const std::array<const char*, kTables>& queries();
using Tables = std::array<std::vector<Instance>, kTables>;

/// Joins what the queries found. What has a form that nobody expects is left out. Pure.
HostState read_host(const Tables& tables);

/// GUIDs in capitals, as Hyper-V writes them.
std::string upper(std::string text);

}  // namespace vmirror::hyperv
