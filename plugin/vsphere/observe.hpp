// From a server's inventory to the world as the driver's contract has it. Pure.
//
//   Inventory, what was asked of ports --> Observer --> switches: distributed, standard, NSX's
//                                                        ports: one for each NIC of a machine
//                                                        mirrors and objects: mirroring sessions,
//                                                        SPAN port groups of standard switches
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "plugin/api/labels.hpp"
#include "plugin/api/model.hpp"
#include "plugin/vsphere/ports.hpp"
#include "plugin/vsphere/span.hpp"
#include "plugin/vsphere/values.hpp"

namespace vmirror::vsphere {

/// Sessions of one switch, those of others included. No limit of the server's is published: this
/// one is ours.
constexpr std::size_t kMaxSessions = 64;
/// The shortest copy that a session can be told to keep, in bytes (mirroredPacketLength).
constexpr std::uint32_t kLeastLength = 60;

/// The value of this label of a port is the name of the host that its machine is on.
constexpr const char* kHostLabel = "vm-host";
/// And of this one the name of its port group.
constexpr const char* kPortGroupLabel = "portgroup";
/// The addresses of the machine's NIC as VMware Tools tell them, with blanks between.
constexpr const char* kAddressLabel = "ip-address";
/// A port has this label, `true`, where its policy is promiscuous mode: it can't be mirrored.
constexpr const char* kPromiscuousLabel = "promiscuous";
/// And this one where its switch can have no session remoteMirrorDest: the value says why.
constexpr const char* kNoReceiverLabel = "no-rspan-destination";
/// Port::type of what an NSX port group or network has.
constexpr const char* kNsxType = "nsx";
/// Switch::kind of a distributed switch.
constexpr const char* kDistributedKind = "VMware distributed switch";
/// Switch::kind of a standard switch.
constexpr const char* kStandardKind = "VMware standard switch";
/// Port::type of a name that the hosts' own adapters have on a switch.
constexpr const char* kUplinkType = "uplink";

struct ObserverOptions {
  std::string owner;
  /// Where the engine takes ERSPAN in; none: it has a monitor NIC alone.
  std::optional<IpAddress> receiver = {};
  /// False: another agent makes the sessions, and this one only looks.
  bool acts = true;
  SpanOptions span = {};
};

/// What the server said of ports that it was asked for, by switch.
using AskedPorts = PersistentMap<std::pair<Ref, std::string>, DvPort>;
/// And what it said of hosts: the value of kReversePathOption. A host that was not asked is absent.
using AskedOptions = PersistentMap<Ref, int>;

/// Of one thread at a time.
class Observer {
 public:
  explicit Observer(ObserverOptions options) : options_(std::move(options)) {}

  /// Costs what differs from the last call's arguments, where these are their ancestors; all, when
  /// a host, a switch or a port group came, went, or got another name.
  std::shared_ptr<const Observed> update(const Inventory& inventory, const AskedPorts& asked,
                                         const AskedOptions& options = {});
  /// The switch of that name in the contract's world; null: none, or no distributed one.
  const Ref* ref_of(const std::string& switch_name) const;
  /// The same of a standard switch; known only with SpanOptions::name.
  const StandardSwitch* standard_of(const std::string& switch_name) const;
  /// The cluster that is shown under that name; null: none is.
  const Ref* cluster_of(const std::string& switch_name) const;

 private:
  void rebuild();
  void name_switches();
  void show(const Ref& ref, const DistributedSwitch& dvs);
  void show_sessions(Switch& sw, const DistributedSwitch& dvs);
  void show_clusters();
  void show_vswitches(const Ref& ref, const Host& host);
  void show_span(const std::string& switch_name);
  void put_objects(const std::string& switch_name, std::map<ObjectKey, ObservedObject> objects);
  void forget(const Ref& machine);
  void show(const Ref& ref, const Machine& machine);
  std::optional<PortKey> place(const Ref& ref, const Machine& machine, const Nic& nic, Port& port);
  Switch& standard_switch(const std::string& vswitch, const Host& host);
  Switch& other_switch(const std::string& name, const char* kind, const std::string& version,
                       const std::string& host);

  const ObserverOptions options_;
  Inventory inventory_;
  AskedPorts asked_;
  std::map<Ref, std::string> names_;    ///< Of distributed switches.
  std::map<std::string, Ref> by_name_;  ///< The same, the other way.
  std::map<std::string, Ref> by_uuid_;  ///< Distributed switches.
  std::map<std::string, Ref> groups_;   ///< Port groups by key.
  AskedOptions host_options_;
  std::map<Ref, std::string> cluster_names_;
  std::map<std::string, Ref> clusters_;             ///< The same, the other way.
  std::map<std::string, StandardSwitch> standard_;  ///< By name.
  std::set<std::string> span_touched_;              ///< Standard switches whose ports are others.
  std::map<Ref, std::vector<PortKey>> of_;          ///< By machine: its ports.
  std::shared_ptr<const Observed> last_;
  Observed next_;
};

}  // namespace vmirror::vsphere
