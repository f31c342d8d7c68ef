#include "plugin/hyperv/vlans.hpp"

#include <charconv>

namespace vmirror::hyperv {
namespace {

std::optional<std::uint16_t> vlan_of(std::string_view digits) {
  std::uint16_t out = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out);
  if (digits.empty() || end != digits.data() + digits.size() || error != std::errc() ||
      out >= kVlans)
    return {};
  return out;
}

}  // namespace

Result<VlanSet> parse_vlans(const std::string& text) {
  VlanSet out;
  std::string_view rest = text;
  while (true) {
    const std::size_t end = std::min(rest.find(','), rest.size());
    const std::string_view part = rest.substr(0, end);
    const std::size_t dash = part.find('-');
    const auto first = vlan_of(part.substr(0, dash));
    const auto last = dash == part.npos ? first : vlan_of(part.substr(dash + 1));
    if (!first || !last || *last < *first)
      return fail(Error::Kind::invalid,
                  "`" + std::string(part) + "` is no VLAN and no range of VLANs (0 to 4094)", {},
                  "write for example 0-4094 or 0,10-20");
    for (std::size_t vlan = *first; vlan <= *last; vlan++) out.set(vlan);
    if (end == rest.size()) return out;
    rest.remove_prefix(end + 1);
  }
}

std::string to_text(const VlanSet& vlans) {
  std::string out;
  for (std::size_t vlan = 0; vlan < kVlans; vlan++) {
    if (!vlans[vlan]) continue;
    const std::size_t first = vlan;
    while (vlan + 1 < kVlans && vlans[vlan + 1]) vlan++;
    out += (out.empty() ? "" : ",") + std::to_string(first);
    if (vlan != first) out += "-" + std::to_string(vlan);
  }
  return out;
}

VlanSet VlanSetting::frames() const {
  VlanSet out = trunk;
  if (mode == Mode::untagged || mode == Mode::isolated) return VlanSet{}.set(0);
  if (mode == Mode::access) out.reset();
  return out.set(vlan);
}

bool VlanSetting::carries(const VlanSet& wanted) const {
  return (wanted & ~frames()).none();
}

std::string VlanSetting::text() const {
  switch (mode) {
    case Mode::untagged:
      break;
    case Mode::access:
      return "Access " + std::to_string(vlan);
    case Mode::trunk:
      return "Trunk " + to_text(trunk) + " native " + std::to_string(vlan);
    case Mode::isolated:
      return "Private";
  }
  return "Untagged";
}

VlanSetting read_vlans(const Instance& setting) {
  VlanSetting out;
  const auto mode = setting.number("OperationMode");
  if (mode > 3) return out;
  out.mode = static_cast<VlanSetting::Mode>(mode);
  const bool trunk = out.mode == VlanSetting::Mode::trunk;
  if (trunk || out.mode == VlanSetting::Mode::access)
    out.vlan = static_cast<std::uint16_t>(setting.number(trunk ? "NativeVlanId" : "AccessVlanId") %
                                          kVlans);
  if (trunk)
    for (const std::string& each : setting.all("TrunkVlanIdArray"))
      if (const auto vlan = vlan_of(each); vlan && *vlan != 0) out.trunk.set(*vlan);
  // Access to VLAN 0 is no VLAN.
  if (out.mode == VlanSetting::Mode::access && out.vlan == 0)
    out.mode = VlanSetting::Mode::untagged;
  return out;
}

std::vector<Property> encode_vlans(const VlanSetting& setting) {
  const std::string vlan = std::to_string(setting.vlan);
  std::vector<Property> out{
      {"OperationMode", "uint32", {std::to_string(static_cast<int>(setting.mode))}}};
  if (setting.mode == VlanSetting::Mode::access) out.push_back({"AccessVlanId", "uint16", {vlan}});
  if (setting.mode != VlanSetting::Mode::trunk) return out;
  Property trunk{"TrunkVlanIdArray", "uint16", {}, true};
  for (std::size_t each = 1; each < kVlans; each++)
    if (setting.trunk[each]) trunk.values.push_back(std::to_string(each));
  out.push_back({"NativeVlanId", "uint16", {vlan}});
  out.push_back(std::move(trunk));
  return out;
}

}  // namespace vmirror::hyperv
