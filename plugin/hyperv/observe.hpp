// From hosts to the world as the driver's contract has it. Pure.
//
//   HostState of each node --> Observer --> switches, each of one host
//                                           ports: one for each connected adapter, and the
//                                                  external port
//                                           mirrors: one for each MonitorSession in use
//                                           objects: modes, VLANs, the NDIS capture extension
//                                           of a cluster: affinity rules, preferred owners
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "plugin/api/model.hpp"
#include "plugin/hyperv/settings.hpp"

namespace vmirror::hyperv {

/// Port::type of an adapter whose frames may pass by the switch (SR-IOV).
constexpr const char* kSrIovType = "sr-iov";
/// The value of this label of a port is the name of the host that its VM is on.
constexpr const char* kHostLabel = "vm-host";

/// What is known of a node.
struct NodeReading {
  std::string url;
  std::string product;                     ///< "OS: 10.0.20348 SP: 0.0 Stack: 3.0"
  std::shared_ptr<const HostState> state;  ///< Null: it can't be read, and `error` says why.
  Error error = {};
  bool events = false;  ///< Moves are told by events of the cluster, too.
  bool operator==(const NodeReading&) const = default;
};

/// Of one thread at a time.
class Observer {
 public:
  explicit Observer(std::string owner) : owner_(std::move(owner)) {}

  /// Nodes in the order of the configuration. The same pointer where nothing changed.
  std::shared_ptr<const Observed> update(std::vector<NodeReading> nodes);
  /// Which node changes an object of that key, and the GUID of its switch (empty: of a cluster).
  /// None: the switch, the cluster, or the VM of the group is on no node that can be read.
  struct Place {
    std::size_t node = 0;
    std::string switch_id;
  };
  std::optional<Place> place_of(const ObjectKey& key) const;

 private:
  void show(Observed& out, std::size_t node, const VirtualSwitch& sw);
  void show_cluster(Observed& out, std::size_t node);
  void show_ports(Observed& out, const HostState& state, const VirtualSwitch& sw, Switch& to);
  void show_settings(Observed& out, Switch& to, const std::string& port, const Connection& of,
                     const Notes& notes, const std::string& on);
  std::string name_of(std::size_t node, const VirtualSwitch& sw) const;
  std::string group_of(const HostState& state, const Machine& machine) const;
  Port port_of(const Machine& machine, const Adapter& adapter, const VirtualSwitch& sw,
               const HostState& state) const;

  const std::string owner_;
  std::vector<NodeReading> nodes_;
  std::map<std::string, Place> places_;   ///< By the switch's name.
  std::map<ObjectKey, Place> of_groups_;  ///< Preferred owners: the node that the VM is on.
  std::set<std::string> ambiguous_;       ///< Names of VMs that several have.
  std::shared_ptr<const Observed> last_;
};

/// What marks of this driver have in `for`.
std::string mark_owner(const std::string& owner);
/// The kind of an observed port's mode in marks.
inline const char* mode_mark(bool external) {
  return external ? "external" : "mode";
}

}  // namespace vmirror::hyperv
