#include "agent/report/unmatched.hpp"

#include <algorithm>

#include "agent/control/policy/yaml.hpp"
#include "agent/model/uuid.hpp"

namespace vmirror {
namespace {

bool is_glob(const std::string& text) {
  return text.find_first_of("*?[") != text.npos;
}

/// A key of a selector that compares one text of a location.
struct Part {
  const char* key;
  const char* noun;
  std::string Selector::*glob;
  std::string (*of)(const Location&);
  bool from_hypervisor;  ///< Only a hypervisor tells it.
};

std::string port_name(const Location& at) {
  return at.no_port && at.port.find('/') != at.port.npos ? "" : at.port;
}

constexpr Part kParts[] = {
    {"vm", "guest", &Selector::vm, [](const Location& at) { return at.vm(); }, false},
    {"uuid", "guest with the UUID", &Selector::uuid,
     [](const Location& at) { return lower(at.vm_uuid); }, false},
    {"mac", "NIC with the MAC", &Selector::mac,
     [](const Location& at) { return at.mac ? at.mac->text() : ""; }, false},
    {"port", "port", &Selector::port, port_name, false},
    {"title", "guest with the title", &Selector::title, [](const Location& at) { return at.title; },
     true},
    {"network", "NIC on a network", &Selector::network,
     [](const Location& at) { return at.network; }, true},
};

/// What a MAC in other separators, or in none, was meant to be: `5254.0000.0011`,
/// `52-54-00-00-00-11`, `52-54-*`. Else the part before what no MAC has.
std::string meant_mac(const std::string& glob) {
  std::string digits;
  std::size_t read = 0;
  for (; read < glob.size() && digits.size() < 12; ++read) {
    if (std::isxdigit(static_cast<unsigned char>(glob[read])) != 0)
      digits += glob[read];
    else if (std::string(":-. ").find(glob[read]) == std::string::npos)
      break;
  }
  std::string out;
  for (std::size_t i = 0; i < digits.size(); ++i)
    out += (i > 0 && i % 2 == 0 ? ":" : "") + digits.substr(i, 1);
  return digits.size() == 12 && read == glob.size() ? out : out + "*";
}

/// Why no MAC at all matches; empty: one may.
std::string why_no_mac(const std::string& glob) {
  if (glob.find_first_not_of("0123456789abcdef:*?[]-!^") != glob.npos ||
      (!is_glob(glob) && !Mac::parse(glob)))
    return "no MAC matches `mac: " + glob + "`: write six pairs of hexadecimal digits, or `" +
           meant_mac(glob) + "`";
  return {};
}

std::string nearest_name(const Part& part, const std::string& glob,
                         const LocationStatuses& locations) {
  std::vector<std::string> names;
  for (const auto& [key, location] : locations)
    if (std::string name = part.of(location.at); !name.empty()) names.push_back(std::move(name));
  const std::string near = yaml::nearest(glob, {names.begin(), names.end()});
  return near.empty() ? "" : "; the nearest here is `" + near + "`";
}

/// Why this key alone keeps every NIC out; empty: it does not.
std::string why_none(const Part& part, const Selector& selector, const LocationStatuses& locations,
                     const std::optional<HypervisorView>& hypervisor) {
  const std::string& glob = selector.*part.glob;
  if (glob.empty()) return {};
  if (part.glob == &Selector::mac)
    if (std::string why = why_no_mac(glob); !why.empty()) return why;
  if (part.from_hypervisor && !hypervisor)
    return std::string("`") + part.key + "` matches nothing here: write `libvirt: {}` into the " +
           "configuration";
  if (part.from_hypervisor && !hypervisor->connected)
    return std::string("`") + part.key + "` matches nothing now: " + why_unread(*hypervisor);
  Selector alone;
  alone.*part.glob = glob;
  if (std::ranges::any_of(locations,
                          [&](const auto& entry) { return selects(alone, entry.second.at); }))
    return {};
  return std::string("no ") + part.noun + " here matches `" + part.key + ": " + glob + "`" +
         nearest_name(part, glob, locations);
}

std::string why_no_label(const std::pair<const std::string, std::string>& label,
                         const LocationStatuses& locations) {
  Selector alone;
  alone.labels.insert(label);
  if (std::ranges::any_of(locations,
                          [&](const auto& entry) { return selects(alone, entry.second.at); }))
    return {};
  return "no NIC here has the label `" + label.first + ": " + label.second + "`";
}

std::string why_none(const Selector& selector, const LocationStatuses& locations,
                     const std::optional<HypervisorView>& hypervisor) {
  for (const Part& part : kParts)
    if (std::string why = why_none(part, selector, locations, hypervisor); !why.empty()) return why;
  for (const auto& label : selector.labels)
    if (std::string why = why_no_label(label, locations); !why.empty()) return why;
  return "each key of it matches a NIC here, and no NIC matches all of them";
}

}  // namespace

KnownNames::KnownNames(const LocationStatuses& locations) {
  for (const auto& [key, location] : locations) {
    vms_.insert(location.at.vm());
    uuids_.insert(lower(location.at.vm_uuid));
    if (location.at.mac) macs_.insert(location.at.mac->text());
    ports_.insert(port_name(location.at));
  }
}

std::vector<std::string> KnownNames::missing(const Policy& policy) const {
  std::vector<std::string> out;
  const auto look = [&](const std::string& name, const auto& known, const char* noun) {
    if (!name.empty() && !is_glob(name) && !known.contains(name))
      out.push_back(std::string("no ") + noun + " here is called `" + name + "`");
  };
  for (const Selector& s : policy.select) {
    look(s.vm, vms_, "guest");
    look(lower(s.uuid), uuids_, "guest");
    look(s.mac, macs_, "NIC");
    look(s.port, ports_, "port");
  }
  return out;
}

std::string why_unread(const HypervisorView& is) {
  if (is.connected) return {};
  return "libvirt (" + is.uri +
         ") can't be read: " + (is.error.empty() ? "it has not answered yet" : is.error);
}

std::vector<std::string> unmatched(const Policy& policy, const LocationStatuses& locations,
                                   const std::optional<HypervisorView>& hypervisor) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < policy.select.size(); ++i) {
    const Selector& selector = policy.select[i];
    if (std::ranges::any_of(locations,
                            [&](const auto& entry) { return selects(selector, entry.second.at); }))
      continue;
    out.push_back("entry " + std::to_string(i + 1) +
                  " of `select`: " + why_none(selector, locations, hypervisor));
  }
  return out;
}

}  // namespace vmirror
