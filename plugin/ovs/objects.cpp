#include "plugin/ovs/objects.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

namespace vmirror::ovs {

std::string PortValue::text() const {
  std::string out = type;
  for (const auto& [key, value] : options) out += " " + key + "=" + value;
  return out;
}

std::string PortValue::difference(const ObjectValue& other) const {
  const auto* is = value_as<PortValue>(&other);
  if (is == nullptr || is->type != type) return "type differs";
  return is->options == options ? "" : "options differ";
}

std::string VlanValue::difference(const ObjectValue& other) const {
  const auto* is = value_as<VlanValue>(&other);
  if (is == nullptr) return "kind differs";
  return is->in_force == in_force ? "" : "somebody changed it";
}

bool is_tunnel(const std::string& type) {
  constexpr std::array<std::string_view, 11> kTunnels = {"erspan", "ip6erspan", "gre", "ip6gre",
                                                         "vxlan",  "geneve",    "stt", "lisp",
                                                         "gtpu",   "bareudp",   "srv6"};
  return std::ranges::find(kTunnels, type) != kTunnels.end();
}

ObjectKey port_key(const std::string& bridge, const std::string& port) {
  return {bridge, kPortKind, port};
}
ObjectKey unlearned_key(const std::string& bridge, std::uint16_t vlan) {
  return {bridge, kUnlearnedKind, std::to_string(vlan)};
}
ObjectKey kept_off_key(const std::string& bridge, const std::string& port, std::uint16_t vlan) {
  return {bridge, kKeptOffKind, port + ":" + std::to_string(vlan)};
}

std::optional<std::pair<std::string, std::uint16_t>> vlan_of(const ObjectKey& key) {
  if (key.kind != kUnlearnedKind && key.kind != kKeptOffKind) return std::nullopt;
  const std::size_t colon = key.name.rfind(':');
  const std::size_t digits = colon == std::string::npos ? 0 : colon + 1;
  std::uint16_t vlan = 0;
  std::from_chars(key.name.data() + digits, key.name.data() + key.name.size(), vlan);
  return std::pair(key.name.substr(0, colon == std::string::npos ? 0 : colon), vlan);
}

}  // namespace vmirror::ovs
