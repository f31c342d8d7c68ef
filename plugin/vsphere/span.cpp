#include "plugin/vsphere/span.hpp"

#include <charconv>

#include "plugin/vsphere/observe.hpp"

namespace vmirror::vsphere {

std::vector<SpanGroup> span_groups(const SpanOptions& options, const std::string& owner) {
  std::vector<SpanGroup> out;
  if (options.name.empty()) return out;
  if (options.adopt) return {{options.name, kAllVlans}};
  for (const int vlan : options.vlans)
    out.push_back({options.name + (vlan == kAllVlans ? "" : " VLAN " + std::to_string(vlan)) +
                       " (" + owner + ")",
                   vlan});
  return out;
}

bool carries(int vlan, std::optional<std::uint16_t> of) {
  return vlan == kAllVlans || vlan == of.value_or(0);
}

std::set<std::uint16_t> mirror_vlans(int vlan) {
  if (vlan == kAllVlans) return {};
  return {static_cast<std::uint16_t>(vlan)};
}

std::optional<MonitorOutput> span_output(const Switch& sw, const std::string& group,
                                         const std::optional<Mac>& adapter) {
  std::optional<MonitorOutput> out;
  for (const auto& [name, port] : sw.ports) {
    if (label_of(port, kPortGroupLabel) != group) continue;
    if (adapter && port.mac == adapter) return MonitorOutput{name};
    out = MonitorOutput{out ? std::string() : name};
  }
  return out;
}

std::pair<Ref, int> device_of(const std::string& port_id) {
  const std::size_t slash = port_id.find('/');
  if (slash == port_id.npos) return {};
  int device = 0;
  const char* const from = port_id.data() + slash + 1;
  std::from_chars(from, port_id.data() + port_id.size(), device);
  return {{"VirtualMachine", port_id.substr(0, slash)}, device};
}

}  // namespace vmirror::vsphere
