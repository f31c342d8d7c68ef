#include "plugin/vsphere/rspan.hpp"

#include "plugin/api/mirror_object.hpp"
#include "plugin/vsphere/observe.hpp"
#include "plugin/vsphere/session_object.hpp"

namespace vmirror::vsphere {
namespace {

/// Null: no dvPort has it.
const Port* find_port(const Observed& world, const Mac& mac, std::string& switch_name) {
  for (const auto& [name, sw] : world.switches)
    if (sw.kind == kDistributedKind)
      for (const auto& [port_name, port] : sw.ports)
        if (port.mac == mac) {
          switch_name = name;
          return &port;
        }
  return nullptr;
}

/// Why the port can't be the destination of a session of ours; empty: it can.
std::string conflict(const SessionMap& sessions, const Switch& sw, const Port& port) {
  const std::string who = "dvPort " + port.name + " of `rspan_adapter` ";
  if (const std::string why = label_of(port, kNoReceiverLabel); !why.empty())
    return who + "can't be a destination: " + why + "; choose an adapter on another switch";
  if (port.type == kNsxType)
    return who + "is NSX's: choose an adapter on a port group of the switch itself";
  if (!label_of(port, kPromiscuousLabel).empty())
    return who + "accepts promiscuous mode: set its policy `promiscuous mode` to Reject";
  for (const auto& [name, mirror] : sw.mirrors) {
    if (mirror.owned) continue;
    if (mirror.output_port() == port.name)
      return who + "is the destination of session `" + name +
             "`, which is not ours: choose another adapter, or end that session";
    if (mirror.out_ports.contains(port.name))
      return who + "is a transmitted source of session `" + name +
             "`, which is not ours: choose another adapter, or end that session";
  }
  for (const auto& [name, s] : sessions)
    if (s.switch_name == sw.name && s.port == port.name && includes(s.direction, Direction::out))
      return who + "is a transmitted source of " + name + ": leave the appliance out of the policy";
  return {};
}

}  // namespace

RspanReceiver rspan_receiver(const SessionMap& sessions, const Observed& world,
                             const std::string& owner, const std::optional<Mac>& adapter) {
  RspanReceiver out;
  if (!adapter) return out;
  Mirror mirror;
  mirror.name = owner + "-from-rspan";
  mirror.all = true;
  for (const auto& [name, s] : sessions)
    if (const auto* rspan = std::get_if<RspanTarget>(&s.target);
        rspan && switch_of(world, s.switch_name).kind == kDistributedKind) {
      mirror.vlans.insert(rspan->vlan);
      out.sessions.insert(name);
    }
  if (mirror.vlans.empty()) return out;
  const Port* port = find_port(world, *adapter, mirror.switch_name);
  out.unreceived =
      port ? conflict(sessions, switch_of(world, mirror.switch_name), *port)
           : "no dvPort has the MAC " + adapter->text() +
                 " of `rspan_adapter`: give the appliance an adapter on a distributed switch";
  if (!out.unreceived.empty()) return out;
  mirror.output = PortOutput{port->name};
  out.objects.set(mirror_key(mirror.switch_name, mirror.name),
                  {std::make_shared<const SessionValue>(session_of(mirror, owner, {}))});
  return out;
}

}  // namespace vmirror::vsphere
