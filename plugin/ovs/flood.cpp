#include "plugin/ovs/flood.hpp"

#include <vector>

#include "plugin/ovs/objects.hpp"

namespace vmirror::ovs {
namespace {

bool carries_all(const Port& port) {
  return port.trunks && port.trunks->empty();
}

/// A frame with this tag goes through the port as it is.
bool passes_tagged(const Port& port, std::uint16_t vlan) {
  return carries_all(port) || (port.trunks && port.trunks->contains(vlan));
}

bool is_meant_to_carry_all(const Port& port) {
  return port.uplink || is_tunnel(port.type) || port.type == "patch" ||
         (port.type == "internal" && port.vm.empty() && port.interface_id.empty());
}

/// The switch at the other end of a patch port that lets the tag through at both ends. One that
/// takes the tag off hands the copies on as untagged frames, and nobody can keep these off a port.
const Switch* through(const Port& port, std::uint16_t vlan, const Observed& observed) {
  if (port.type != "patch" || !passes_tagged(port, vlan)) return nullptr;
  const Switch* other = switch_with_port(observed, port.peer);
  return other != nullptr && passes_tagged(other->ports.at(port.peer), vlan) ? other : nullptr;
}

}  // namespace

std::string few(const std::set<std::string>& names) {
  constexpr std::size_t kFew = 4;
  std::string out;
  std::size_t n = 0;
  for (const std::string& name : names) {
    if (n++ == kFew) return out + " and " + std::to_string(names.size() - kFew) + " more";
    out += (out.empty() ? "" : ", ") + name;
  }
  return out;
}

const Switch* switch_with_port(const Observed& observed, const std::string& port) {
  for (const auto& [name, sw] : observed.switches)
    if (sw.ports.contains(port)) return &sw;
  return nullptr;
}

std::string Flood::text(const std::set<PortKey>& ports) const {
  std::set<std::string> names;
  for (const PortKey& at : ports)
    names.insert(at.switch_name == home ? at.port : at.port + " on " + at.switch_name);
  return few(names);
}

Flood flood_of(const Observed& observed, const std::string& switch_name, std::uint16_t vlan) {
  Flood out;
  out.home = switch_name;
  std::vector<const Switch*> next{&switch_of(observed, switch_name)};
  while (!next.empty()) {
    const Switch& sw = *next.back();
    next.pop_back();
    for (const auto& [name, port] : sw.ports) {
      if (port.owned || !(port.vlan == vlan || passes_tagged(port, vlan))) continue;
      const bool asked = port.vlan == vlan || !carries_all(port) || is_meant_to_carry_all(port);
      (asked ? out.others : out.unasked).insert({sw.name, name});
      const Switch* other = through(port, vlan, observed);
      if (other != nullptr && other->name != switch_name && out.beyond.insert(other->name).second)
        next.push_back(other);
    }
  }
  return out;
}

}  // namespace vmirror::ovs
