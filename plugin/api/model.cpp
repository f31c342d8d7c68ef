#include "plugin/api/model.hpp"

namespace vmirror {
namespace {

std::string join(const PersistentSet<std::string>& names) {
  constexpr std::size_t kFew = 8;
  std::string out = "{";
  std::size_t count = 0;
  for (const std::string& name : names) {
    if (names.size() > kFew && ++count == kFew)
      return out + " and " + std::to_string(names.size() - kFew + 1) + " more}";
    out += (out.size() > 1 ? " " : "") + name;
  }
  return out + "}";
}

std::string join(const std::set<std::uint16_t>& vlans) {
  std::string out = "{";
  for (const std::uint16_t vlan : vlans) out += (out.size() > 1 ? " " : "") + std::to_string(vlan);
  return out + "}";
}

template <typename... F>
struct Overload : F... {
  using F::operator()...;
};
template <typename... F>
Overload(F...) -> Overload<F...>;

std::string text_of(const PutPort& put) {
  std::string out = "put port " + put.port.switch_name + "/" + put.port.name + ": " + put.port.type;
  for (const auto& [key, value] : put.port.options) out += " " + key + "=" + value;
  return out;
}

std::string text_of(const PutMirror& put) {
  const Mirror& m = put.mirror;
  std::string out = "put mirror " + m.switch_name + "/" + m.name + ":";
  if (m.all) out += " all";
  if (!m.in_ports.empty()) out += " in " + join(m.in_ports);
  if (!m.out_ports.empty()) out += " out " + join(m.out_ports);
  if (!m.vlans.empty()) out += " vlans " + join(m.vlans);
  out += m.output_vlan ? " -> vlan " + std::to_string(*m.output_vlan) : " -> port " + m.output_port;
  if (m.snaplen != 0) out += " snaplen " + std::to_string(m.snaplen);
  if (!m.match.empty()) out += " match `" + m.match + "`";
  return out;
}

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

bool Mirror::same_as(const Mirror& o) const {
  return same_but_ports(o) && in_ports == o.in_ports && out_ports == o.out_ports;
}

bool Mirror::same_but_ports(const Mirror& o) const {
  return name == o.name && switch_name == o.switch_name && all == o.all && vlans == o.vlans &&
         output_port == o.output_port && output_vlan == o.output_vlan && snaplen == o.snaplen &&
         match == o.match;
}

const Switch& switch_of(const Observed& world, const std::string& name) {
  static const Switch none;
  const auto it = world.switches.find(name);
  return it == world.switches.end() ? none : it->second;
}

const std::string& Step::switch_name() const {
  return std::visit(
      Overload{
          [](const PutPort& c) -> const std::string& { return c.port.switch_name; },
          [](const PutMirror& c) -> const std::string& { return c.mirror.switch_name; },
          [](const auto& c) -> const std::string& { return c.switch_name; },
      },
      change);
}

std::string Step::text() const {
  return std::visit(
      Overload{
          [](const PutPort& c) { return text_of(c); },
          [](const PutMirror& c) { return text_of(c); },
          [](const RemovePort& c) { return "remove port " + c.switch_name + "/" + c.name; },
          [](const RemoveMirror& c) { return "remove mirror " + c.switch_name + "/" + c.name; },
          [](const PutUnlearnedVlans& c) {
            return "stop learning on " + c.switch_name + " in vlans " + join(c.vlans);
          },
          [](const PutKeptOff& c) {
            return "keep off port " + c.switch_name + "/" + c.port + " vlans " + join(c.vlans);
          },
      },
      change);
}

}  // namespace vmirror
