// What a vCenter or an ESXi host was seen to have: values, named as in the vim25 API. Each field
// says the property that it comes from.
//
// Source: Broadcom, "vSphere Web Services API": VirtualMachine, HostSystem,
// VmwareDistributedVirtualSwitch, DistributedVirtualPortgroup.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "plugin/base/address.hpp"
#include "plugin/base/persistent_map.hpp"

namespace vmirror::vsphere {

/// A ManagedObjectReference: an object of the server, "VirtualMachine" "vm-42".
struct Ref {
  std::string type, id;
  auto operator<=>(const Ref&) const = default;
  bool empty() const { return id.empty(); }
};

/// Where a NIC is plugged in (VirtualEthernetCard.backing).
struct Backing {
  enum class Kind {
    none,        ///< No backing, as of a passed-through adapter.
    dv_port,     ///< A port of a distributed switch.
    port_group,  ///< A port group of a standard switch, by its name.
    opaque,      ///< A network of NSX.
    other        ///< Another kind, which `type` names.
  };
  Kind kind = Kind::none;
  std::string type;  ///< The type of the API, without "VirtualEthernetCard" and "BackingInfo".
  std::string switch_uuid, portgroup_key, port_key;  ///< dv_port. No port_key: none is assigned.
  std::string network;      ///< port_group: name; opaque: the network's ID.
  std::string cookie = {};  ///< dv_port: connectionCookie, another one with each connection.
  bool operator==(const Backing&) const = default;
};

struct Nic {
  int key = 0;        ///< Of the device: 4000, 4001, ...
  std::string label;  ///< "Network adapter 1"
  std::string type;   ///< "VirtualVmxnet3"; all kinds derive from VirtualEthernetCard.
  Mac mac;
  Backing backing;
  bool connected = false;
  bool operator==(const Nic&) const = default;
};

struct Machine {
  std::string name;
  std::string uuid;          ///< config.instanceUuid: unique in a vCenter, kept when it migrates.
  Ref host;                  ///< runtime.host
  bool powered_on = false;   ///< runtime.powerState
  bool is_template = false;  ///< config.template
  std::vector<Nic> nics;     ///< config.hardware.device
  /// guest.net: addresses by the key of the device, where VMware Tools run and tell them.
  std::map<int, std::vector<std::string>> addresses;
  bool operator==(const Machine&) const = default;
};

/// HostPortGroup: of a standard switch.
struct PortGroup {
  std::string name, vswitch;
  int vlan = 0;              ///< 1 to 4094; 0: none; 4095: all.
  bool promiscuous = false;  ///< computedPolicy.security.allowPromiscuous: what is in force.
  /// spec.policy.security.allowPromiscuous; none: the switch's counts.
  std::optional<bool> own_promiscuous = {};
  bool operator==(const PortGroup&) const = default;
};

/// HostVirtualSwitch
struct Vswitch {
  std::string name;
  std::vector<std::string> uplinks;  ///< pnic: the adapters' names, "vmnic0".
  bool operator==(const Vswitch&) const = default;
};

struct Host {
  std::string name;
  bool connected = false;               ///< runtime.connectionState
  std::vector<PortGroup> port_groups;   ///< config.network.portgroup
  std::vector<Vswitch> vswitches = {};  ///< config.network.vswitch
  Ref network_system = {};              ///< configManager.networkSystem: changes the port groups.
  Ref option_manager = {};              ///< configManager.advancedOption
  Ref cluster = {};                     ///< parent
  bool operator==(const Host&) const = default;
};

/// Where a mirror session takes or puts frames (VMwareVspanPort).
struct VspanPort {
  std::vector<std::string> ports;      ///< portKey
  std::vector<std::string> uplinks;    ///< uplinkPortName
  std::vector<int> vlans;              ///< vlans
  std::vector<std::string> addresses;  ///< ipAddress: IPv4 or IPv6
  bool empty() const {
    return ports.empty() && uplinks.empty() && vlans.empty() && addresses.empty();
  }
  bool operator==(const VspanPort&) const = default;
};

/// A port-mirroring session of a distributed switch (VMwareVspanSession).
struct VspanSession {
  std::string key;  ///< vCenter makes it. Names need not be unique.
  std::string name, description;
  bool enabled = false;
  VspanPort transmitted;  ///< What these ports send: the guests' `out`.
  VspanPort received;     ///< What these ports receive: the guests' `in`.
  VspanPort destination;
  std::optional<int> encapsulation_vlan;  ///< For remoteMirrorSource.
  bool strip_vlan = false;
  std::optional<int> length;    ///< mirroredPacketLength: 60 or more; none: whole frames.
  bool normal_traffic = false;  ///< Whether a destination port also takes other traffic.
  std::string type;  ///< sessionType: "encapsulatedRemoteMirrorSource", "dvPortMirror", ...
  std::optional<int> sampling_rate;        ///< One of so many frames, 1 to 65,535.
  std::string encapsulation;               ///< encapType: "gre", "erspan2", "erspan3".
  std::optional<int> erspan_id;            ///< 0 to 1,023
  std::optional<int> erspan_cos;           ///< 0 to 7
  std::optional<bool> erspan_nanoseconds;  ///< erspanGraNanosec, for erspan3.
  std::string netstack;                    ///< Of the host, for where the copies leave.
  bool operator==(const VspanSession&) const = default;
};

/// capability.featuresSupported of a VmwareDistributedVirtualSwitch. What is absent is not
/// supported.
struct VspanCapability {
  bool any = false;            ///< vspanSupported; the others are of vspanCapability.
  bool dv_port = false;        ///< dvportSupported: dvPortMirror
  bool remote_source = false;  ///< remoteSourceSupported: remoteMirrorSource
  bool remote_dest = false;    ///< remoteDestSupported: remoteMirrorDest
  bool encapsulated = false;   ///< encapRemoteSourceSupported: encapsulatedRemoteMirrorSource
  bool mixed_dest = false;     ///< mixedDestSupported: mixedDestMirror
  bool erspan = false;         ///< erspanProtocolSupported: ERSPAN II and III
  bool netstack = false;       ///< mirrorNetstackSupported
  bool operator==(const VspanCapability&) const = default;
};

struct DistributedSwitch {
  std::string name, uuid;
  std::string config_version;  ///< config.configVersion: a change must name the one that was seen.
  std::string extension;   ///< config.extensionKey: whose the switch is, where it is somebody's.
  std::vector<Ref> hosts;  ///< config.host
  std::vector<std::string> uplinks;  ///< config.uplinkPortPolicy.uplinkPortName
  VspanCapability capability;
  std::vector<VspanSession> sessions;  ///< config.vspanSession
  bool operator==(const DistributedSwitch&) const = default;
};

struct DistributedPortGroup {
  std::string key, name;
  Ref distributed_switch;
  std::string binding;  ///< config.type: "earlyBinding", "ephemeral", ...
  std::string backing;  ///< config.backingType: "nsx" where it is NSX's; else "standard", empty.
  bool promiscuous = false;  ///< config.defaultPortConfig.securityPolicy.allowPromiscuous
  bool uplink = false;       ///< config.uplink: for the hosts' own adapters.
  bool operator==(const DistributedPortGroup&) const = default;
};

/// A rule of DRS that keeps machines on one host (ClusterAffinityRuleSpec).
struct AffinityRule {
  int key = 0;  ///< vCenter makes it.
  std::string name;
  bool enabled = false;
  std::vector<Ref> machines;
  bool operator==(const AffinityRule&) const = default;
};

/// A rule of DRS that keeps a group of machines on a group of hosts (ClusterVmHostRuleInfo).
struct HostRule {
  int key = 0;  ///< vCenter makes it.
  std::string name;
  bool enabled = false;
  bool mandatory = false;  ///< "must run on", which also binds HA; else "should run on".
  std::string machine_group, host_group;
  bool operator==(const HostRule&) const = default;
};

/// A group that rules name (ClusterVmGroup, ClusterHostGroup).
struct ClusterGroup {
  std::string name;
  bool of_hosts = false;
  std::vector<Ref> members;
  bool operator==(const ClusterGroup&) const = default;
};

/// ClusterComputeResource
struct Cluster {
  std::string name;
  bool drs = false;                       ///< configurationEx.drsConfig.enabled
  std::vector<AffinityRule> rules;        ///< configurationEx.rule, those of this kind,
  std::vector<HostRule> host_rules = {};  ///< and those of this.
  std::vector<ClusterGroup> groups = {};  ///< configurationEx.group
  bool operator==(const Cluster&) const = default;
};

/// All of a server, by reference. Copies share what is the same.
struct Inventory {
  PersistentMap<Ref, Machine> machines;
  PersistentMap<Ref, Host> hosts;
  PersistentMap<Ref, DistributedSwitch> switches;
  PersistentMap<Ref, DistributedPortGroup> port_groups;
  PersistentMap<Ref, Cluster> clusters;
  bool operator==(const Inventory&) const = default;
};

}  // namespace vmirror::vsphere
