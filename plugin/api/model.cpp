#include "plugin/api/model.hpp"

namespace vmirror {
namespace {

template <typename... F>
struct Overload : F... {
  using F::operator()...;
};
template <typename... F>
Overload(F...) -> Overload<F...>;

}  // namespace

const char* to_text(Filtering filtering) {
  switch (filtering) {
    case Filtering::by_switch:
      return "by the switch";
    case Filtering::by_receiver:
      return "by the receiver";
    case Filtering::none:
      break;
  }
  return "none";
}

std::string_view to_text(Datapath datapath) {
  return datapath == Datapath::kernel ? "kernel" : "userspace";
}

std::string to_text(const Target& target) {
  return std::visit(Overload{
                        [](const LocalTarget&) { return std::string("local"); },
                        [](const ErspanTarget& t) { return "erspan-" + t.address.text(); },
                        [](const GreTarget& t) { return "gre-" + t.address.text(); },
                        [](const RspanTarget& t) { return "rspan-" + std::to_string(t.vlan); },
                    },
                    target);
}

TargetKind kind_of(const Target& target) {
  return std::visit(Overload{
                        [](const LocalTarget&) { return TargetKind::local; },
                        [](const ErspanTarget& t) {
                          return t.version == 3 ? TargetKind::erspan3 : TargetKind::erspan2;
                        },
                        [](const GreTarget&) { return TargetKind::gre; },
                        [](const RspanTarget&) { return TargetKind::rspan; },
                    },
                    target);
}

const char* to_text(TargetKind kind) {
  switch (kind) {
    case TargetKind::local:
      return "a local port";
    case TargetKind::erspan2:
      return "ERSPAN II";
    case TargetKind::erspan3:
      return "ERSPAN III";
    case TargetKind::gre:
      return "GRE";
    case TargetKind::rspan:
      break;
  }
  return "an RSPAN VLAN";
}

std::string to_text(const Output& output) {
  return std::visit(
      Overload{
          [](const PortOutput& o) { return o.port; },
          [](const VlanOutput& o) { return "vlan " + std::to_string(o.vlan); },
          [](const AddressOutput& o) {
            return std::visit([](const auto& to) { return to_text(Target(to)); }, o.to);
          },
          [](const MonitorOutput& o) { return o.port.empty() ? "the monitor NIC" : o.port; },
      },
      output);
}

const std::string& port_of(const std::optional<Output>& output) {
  static const std::string none;
  if (!output) return none;
  if (const auto* port = std::get_if<PortOutput>(&*output)) return port->port;
  if (const auto* monitor = std::get_if<MonitorOutput>(&*output)) return monitor->port;
  return none;
}

bool Mirror::same_as(const Mirror& o) const {
  return same_but_ports(o) && in_ports == o.in_ports && out_ports == o.out_ports;
}

bool Mirror::same_but_ports(const Mirror& o) const {
  return name == o.name && switch_name == o.switch_name && all == o.all && vlans == o.vlans &&
         output == o.output && snaplen == o.snaplen && match == o.match;
}

const Switch& switch_of(const Observed& world, const std::string& name) {
  static const Switch none;
  const auto it = world.switches.find(name);
  return it == world.switches.end() ? none : it->second;
}

}  // namespace vmirror
