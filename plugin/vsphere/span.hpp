// The SPAN port group of a standard switch, and what goes with it, as objects. A standard switch
// has no mirroring sessions: an adapter on a port group in promiscuous mode receives every frame of
// its switch on its host, in the VLANs of the port group.
//
//   kind "port group"        one that the driver makes: name is the port group's
//   kind "promiscuous mode"  it is accepted on a port group of ours, or an adopted one
//   kind "adapter"           the appliance's is on that port group: name is the port's
//   kind "host option"       against frames that come twice where a switch has several uplinks
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "plugin/api/model.hpp"
#include "plugin/vsphere/values.hpp"

namespace vmirror::vsphere {

constexpr int kAllVlans = 4095;  ///< HostPortGroupSpec.vlanId: every VLAN, with its tag.

struct SpanOptions {
  std::string name;  ///< Empty: standard switches are left alone.
  /// One port group for each of them. Of an adopted one unused: it keeps its own.
  std::vector<int> vlans = {kAllVlans};
  bool adopt = false;  ///< The port group is somebody's, whose promiscuous mode is given over.
  bool repair = true;  ///< False: a port group that is there is not changed.
  std::optional<Mac> adapter = {};  ///< The appliance's that may be moved.
  std::string park = {};            ///< The port group that it goes to when no session needs it.
  bool set_option = false;
};

struct SpanGroup {
  std::string name;
  int vlan = kAllVlans;
};

/// The port groups of these options. A name is all that a port group has for a mark: that of one
/// which the driver makes ends with its owner, "SPAN Network VLAN 10 (vmirror)".
std::vector<SpanGroup> span_groups(const SpanOptions& options, const std::string& owner);

/// True where a port group of `vlan` carries frames of a port in `of`; none: it is in no VLAN.
bool carries(int vlan, std::optional<std::uint16_t> of);
/// As Mirror::vlans: those that such a port group restricts to.
std::set<std::uint16_t> mirror_vlans(int vlan);

/// Which port of the switch takes what `group` copies: the adapter's; where none is named, that of
/// the only one on the port group. Without a name: nobody can tell. None: nobody is on it.
std::optional<MonitorOutput> span_output(const Switch& sw, const std::string& group,
                                         const std::optional<Mac>& adapter);

/// A standard switch, where its host's services for it are.
struct StandardSwitch {
  Ref host, network_system, option_manager;
  std::string vswitch;
  bool operator==(const StandardSwitch&) const = default;
};

constexpr const char* kGroupKind = "port group";
constexpr const char* kPromiscuousKind = "promiscuous mode";
constexpr const char* kAdapterKind = "adapter";
constexpr const char* kOptionKind = "host option";
/// Its default 0 lets a physical switch's copies of broadcasts in again by the other uplinks.
constexpr const char* kReversePathOption = "Net.ReversePathFwdCheckPromisc";

class GroupValue final : public ObjectValue {
 public:
  explicit GroupValue(int v) : vlan(v) {}
  std::string text() const override {
    return vlan == kAllVlans ? "every VLAN"
           : vlan == 0       ? "no VLAN"
                             : "VLAN " + std::to_string(vlan);
  }
  std::string difference(const ObjectValue& other) const override {
    const auto* is = value_as<GroupValue>(&other);
    return is && is->vlan == vlan ? "" : "VLAN differs";
  }
  const int vlan;
};

/// It is accepted: the key says all.
class PromiscuousValue final : public ObjectValue {
 public:
  std::string text() const override { return "Accept"; }
  std::string difference(const ObjectValue& other) const override {
    return value_as<PromiscuousValue>(&other) ? "" : "kind differs";
  }
};

class AdapterValue final : public ObjectValue {
 public:
  AdapterValue(std::string g, Ref m, int d)
      : group(std::move(g)), machine(std::move(m)), device(d) {}
  std::string text() const override { return "on port group " + group; }
  std::string difference(const ObjectValue& other) const override {
    const auto* is = value_as<AdapterValue>(&other);
    return is && is->group == group ? "" : "port group differs";
  }
  const std::string group;
  const Ref machine;
  const int device;  ///< Nic::key
};

class OptionValue final : public ObjectValue {
 public:
  std::string text() const override { return "1"; }
  std::string difference(const ObjectValue& other) const override {
    return value_as<OptionValue>(&other) ? "" : "kind differs";
  }
};

/// A port's id begins with its machine and device: "vm-12/4000". Empty: it is none's.
std::pair<Ref, int> device_of(const std::string& port_id);

}  // namespace vmirror::vsphere
