// What the driver owns on a bridge besides mirrors. Pure values; compose.cpp turns steps into rows.
//
//   kind              name          value
//   port              vmr-br0       type and options of its interface
//   unlearned VLAN    100           in force: flood_vlans has it
//   kept-off VLAN     web:100       in force: the trunks of port web are all VLANs but ours
//   mirror            vmirror-...   plugin/api/mirror_object.hpp
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "plugin/api/object.hpp"

namespace vmirror::ovs {

constexpr const char* kPortKind = "port";
constexpr const char* kUnlearnedKind = "unlearned VLAN";
constexpr const char* kKeptOffKind = "kept-off VLAN";

/// A port of ours with one interface.
class PortValue final : public ObjectValue {
 public:
  using Options = std::map<std::string, std::string>;
  PortValue(std::string t, Options o) : type(std::move(t)), options(std::move(o)) {}
  std::string text() const override;
  std::string difference(const ObjectValue& is) const override;

  const std::string type;  ///< internal, erspan, gre, ...
  const Options options;   ///< remote_ip, key, erspan_ver, ...; mtu_request of an internal port.
};

/// A VLAN in which the bridge does not learn, or that is kept off a port that takes every one.
class VlanValue final : public ObjectValue {
 public:
  explicit VlanValue(bool is_in_force) : in_force(is_in_force) {}
  std::string text() const override { return ""; }
  std::string difference(const ObjectValue& is) const override;

  const bool in_force;  ///< Wanted ones are. False: somebody changed it since.
};

/// An interface of this type encapsulates what leaves through it.
bool is_tunnel(const std::string& type);

ObjectKey port_key(const std::string& bridge, const std::string& port);
ObjectKey unlearned_key(const std::string& bridge, std::uint16_t vlan);
ObjectKey kept_off_key(const std::string& bridge, const std::string& port, std::uint16_t vlan);
/// The port and VLAN of a kept_off_key(), the port empty of an unlearned_key(); none: neither.
std::optional<std::pair<std::string, std::uint16_t>> vlan_of(const ObjectKey& key);

}  // namespace vmirror::ovs
