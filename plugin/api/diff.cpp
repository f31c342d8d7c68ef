#include "plugin/api/diff.hpp"

#include <algorithm>

namespace vmirror {
namespace {

template <typename T>
const T* find_named(const std::vector<T>& items, const std::string& switch_name,
                    const std::string& name) {
  const auto it = std::find_if(items.begin(), items.end(), [&](const T& item) {
    return item.name == name && item.switch_name == switch_name;
  });
  return it == items.end() ? nullptr : &*it;
}

/// Names the first difference that a person would look for.
std::string why_changed(const Mirror& is, const Mirror& wanted) {
  const auto differs = [](const char* what) { return std::string(what) + " differs"; };
  if (!(is.in_ports == wanted.in_ports && is.out_ports == wanted.out_ports))
    return differs("selected ports");
  if (is.output_port != wanted.output_port || is.output_vlan != wanted.output_vlan)
    return differs("output");
  if (is.snaplen != wanted.snaplen) return differs("snaplen");
  if (is.match != wanted.match) return differs("match");
  if (is.vlans != wanted.vlans) return differs("vlan selection");
  return differs("all");
}

void remove_unwanted(const Wanted& wanted, const Switch& sw, const std::set<PortKey>& owned_ports,
                     std::vector<Step>& steps) {
  for (const auto& [name, mirror] : sw.mirrors)
    if (mirror.owned && !find_named(wanted.mirrors, sw.name, name))
      steps.push_back({RemoveMirror{sw.name, name}, "no policy asks for it"});
  for (auto it = owned_ports.lower_bound({sw.name, {}});
       it != owned_ports.end() && it->switch_name == sw.name; ++it)
    if (!find_named(wanted.ports, sw.name, it->port))
      steps.push_back({RemovePort{sw.name, it->port}, "no mirror needs it"});
}

void put_vlans(const Wanted& wanted, const Switch& sw, std::vector<Step>& steps) {
  const auto it = wanted.unlearned_vlans.find(sw.name);
  const std::set<std::uint16_t> vlans =
      it == wanted.unlearned_vlans.end() ? std::set<std::uint16_t>{} : it->second;
  const bool in_force = std::includes(sw.unlearned_vlans.begin(), sw.unlearned_vlans.end(),
                                      vlans.begin(), vlans.end());
  // A VLAN that somebody else switched off is theirs: it is in force, and not ours to switch on
  // again.
  std::set<std::uint16_t> ours;
  for (const std::uint16_t vlan : vlans)
    if (!sw.unlearned_vlans.contains(vlan) || sw.owned_unlearned_vlans.contains(vlan))
      ours.insert(vlan);
  if (!in_force || ours != sw.owned_unlearned_vlans)
    steps.push_back({PutUnlearnedVlans{sw.name, ours}, "RSPAN VLANs differ"});
}

void keep_off(const Wanted& wanted, const Switch& sw, std::vector<Step>& steps) {
  for (const auto& [port, is] : sw.kept_off)
    if (!wanted.kept_off.contains({sw.name, port}))
      steps.push_back({PutKeptOff{sw.name, port, {}}, "no mirror needs it"});
  for (auto it = wanted.kept_off.lower_bound({sw.name, {}});
       it != wanted.kept_off.end() && it->first.switch_name == sw.name; ++it) {
    const auto is = sw.kept_off.find(it->first.port);
    if (is == sw.kept_off.end() || is->second != KeptOff{it->second, true})
      steps.push_back({PutKeptOff{sw.name, it->first.port, it->second},
                       "the port takes every VLAN, the mirror's too"});
  }
}

void put_ports(const Wanted& wanted, const Switch& sw, std::vector<Step>& steps) {
  for (const OutputPort& port : wanted.ports) {
    if (port.switch_name != sw.name) continue;
    const auto it = sw.ports.find(port.name);
    if (it == sw.ports.end())
      steps.push_back({PutPort{port}, "no such port"});
    else if (!it->second.owned)
      steps.push_back({PutPort{port}, "the port of that name isn't ours"});
    else if (it->second.type != port.type)
      steps.push_back({PutPort{port}, "type differs"});
    else if (it->second.options != port.options)
      steps.push_back({PutPort{port}, "options differ"});
  }
}

void put_mirrors(const Wanted& wanted, const Switch& sw, std::vector<Step>& steps) {
  for (const Mirror& mirror : wanted.mirrors) {
    if (mirror.switch_name != sw.name) continue;
    const auto it = sw.mirrors.find(mirror.name);
    if (it == sw.mirrors.end())
      steps.push_back({PutMirror{mirror}, "no such mirror"});
    else if (!it->second.owned)
      steps.push_back({PutMirror{mirror}, "the mirror of that name isn't ours"});
    else if (!it->second.same_as(mirror))
      steps.push_back(
          {PutMirror{mirror, PutMirror::Selected{it->second.in_ports, it->second.out_ports}},
           why_changed(it->second, mirror)});
  }
}

}  // namespace

std::vector<Step> diff(const Wanted& wanted, const Observed& observed) {
  std::set<PortKey> owned;
  for (const auto& [name, sw] : observed.switches)
    for (const auto& [port_name, port] : sw.ports)
      if (port.owned) owned.insert({name, port_name});
  return diff(wanted, observed, owned);
}

std::vector<Step> diff(const Wanted& wanted, const Observed& observed,
                       const std::set<PortKey>& owned_ports) {
  std::vector<Step> steps;
  for (const auto& [name, sw] : observed.switches) remove_unwanted(wanted, sw, owned_ports, steps);
  for (const auto& [name, sw] : observed.switches) put_vlans(wanted, sw, steps);
  for (const auto& [name, sw] : observed.switches) keep_off(wanted, sw, steps);
  for (const auto& [name, sw] : observed.switches) put_ports(wanted, sw, steps);
  for (const auto& [name, sw] : observed.switches) put_mirrors(wanted, sw, steps);
  // Mirrors go before the ports that they use.
  std::stable_sort(steps.begin(), steps.end(), [](const Step& a, const Step& b) {
    const auto rank = [](const Step& s) {
      return std::holds_alternative<RemoveMirror>(s.change) ? 0 : 1;
    };
    return rank(a) < rank(b);
  });
  return steps;
}

}  // namespace vmirror
