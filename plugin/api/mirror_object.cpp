#include "plugin/api/mirror_object.hpp"

#include <algorithm>

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

}  // namespace

std::string MirrorValue::text() const {
  const Mirror& m = mirror;
  std::string out;
  const auto add = [&out](const std::string& part) { out += (out.empty() ? "" : " ") + part; };
  if (m.all) add("all");
  if (!m.in_ports.empty()) add("in " + join(m.in_ports));
  if (!m.out_ports.empty()) add("out " + join(m.out_ports));
  if (!m.vlans.empty()) add("vlans " + join(m.vlans));
  const bool to_port = m.output && std::holds_alternative<PortOutput>(*m.output);
  add("-> " + (m.output ? (to_port ? "port " : "") + to_text(*m.output) : "nothing"));
  if (m.snaplen != 0) add("snaplen " + std::to_string(m.snaplen));
  if (!m.match.empty()) add("match `" + m.match + "`");
  return out;
}

std::string MirrorValue::difference(const ObjectValue& other) const {
  const auto* value = value_as<MirrorValue>(&other);
  if (value == nullptr) return "kind differs";
  const Mirror& is = value->mirror;
  const auto differs = [](const char* what) { return std::string(what) + " differs"; };
  if (!(is.in_ports == mirror.in_ports && is.out_ports == mirror.out_ports))
    return differs("selected ports");
  if (is.output != mirror.output) return differs("output");
  if (is.snaplen != mirror.snaplen) return differs("snaplen");
  if (is.match != mirror.match) return differs("match");
  if (is.vlans != mirror.vlans) return differs("vlan selection");
  return is.all != mirror.all ? differs("all") : "";
}

bool MirrorValue::is_part_of(const ObjectValue& other) const {
  const auto* value = value_as<MirrorValue>(&other);
  return value != nullptr && std::ranges::includes(value->mirror.in_ports, mirror.in_ports) &&
         std::ranges::includes(value->mirror.out_ports, mirror.out_ports);
}

}  // namespace vmirror
