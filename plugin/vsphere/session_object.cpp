#include "plugin/vsphere/session_object.hpp"

#include <algorithm>

namespace vmirror::vsphere {
namespace {

constexpr const char* kEncapsulated = "encapsulatedRemoteMirrorSource";
constexpr const char* kRemoteSource = "remoteMirrorSource";
constexpr const char* kRemoteDest = "remoteMirrorDest";
constexpr const char* kDvPort = "dvPortMirror";
constexpr std::size_t kFew = 8;  ///< Ports that a text names.

VspanPort normal(VspanPort port) {
  std::ranges::sort(port.ports);
  std::ranges::sort(port.uplinks);
  std::ranges::sort(port.vlans);
  std::ranges::sort(port.addresses);
  return port;
}

/// A default that the server may write out, or not.
std::optional<int> but(std::optional<int> value, int by_default) {
  return value == by_default ? std::nullopt : value;
}

VspanSession normal(VspanSession s) {
  s.transmitted = normal(std::move(s.transmitted));
  s.received = normal(std::move(s.received));
  s.destination = normal(std::move(s.destination));
  s.length = but(s.length, 0);
  s.sampling_rate = s.sampling_rate.value_or(1);
  s.encapsulation_vlan = s.type == kRemoteSource ? but(s.encapsulation_vlan, 0) : std::nullopt;
  if (s.destination.ports.empty()) s.normal_traffic = true;  // It is about ports that take copies.
  if (s.type != kEncapsulated) {
    s.encapsulation.clear();
    s.netstack.clear();
  } else if (s.encapsulation.empty()) {
    s.encapsulation = "gre";
  }
  const bool erspan = s.encapsulation.starts_with("erspan");
  s.erspan_id = erspan ? std::optional(s.erspan_id.value_or(0)) : std::nullopt;
  s.erspan_cos = erspan ? but(s.erspan_cos, 0) : std::nullopt;
  s.erspan_nanoseconds = s.encapsulation == "erspan3"
                             ? std::optional(s.erspan_nanoseconds.value_or(false))
                             : std::nullopt;
  return s;
}

template <typename T>
std::string join(const std::vector<T>& items) {
  std::string out;
  for (std::size_t i = 0; i < items.size(); i++) {
    if (items.size() > kFew && i == kFew - 1)
      return out + " and " + std::to_string(items.size() - i) + " more";
    if (i != 0) out += ' ';
    if constexpr (std::is_same_v<T, std::string>)
      out += items[i];
    else
      out += std::to_string(items[i]);
  }
  return out;
}

template <typename T>
void add(std::string& to, const char* what, const std::vector<T>& items) {
  if (items.empty()) return;
  to += std::string(to.empty() ? "" : " ") + what + " {" + join(items) + "}";
}

bool includes(const VspanPort& all, const VspanPort& some) {
  return std::ranges::includes(all.ports, some.ports) &&
         std::ranges::includes(all.vlans, some.vlans);
}

/// The first field but the sources that differs; null: none.
const char* other_difference(const VspanSession& a, const VspanSession& b) {
  const auto differs = [&](auto field) { return !(a.*field == b.*field); };
  using S = VspanSession;
  if (differs(&S::type)) return "session type differs";
  if (differs(&S::destination)) return "destination differs";
  if (differs(&S::enabled)) return "enabled differs";
  if (differs(&S::name)) return "name differs";
  if (differs(&S::description)) return "description differs";
  if (differs(&S::encapsulation)) return "encapsulation type differs";
  if (differs(&S::erspan_id)) return "ERSPAN ID differs";
  if (differs(&S::erspan_cos) || differs(&S::erspan_nanoseconds)) return "ERSPAN options differ";
  if (differs(&S::length)) return "mirrored packet length differs";
  if (differs(&S::sampling_rate)) return "sampling rate differs";
  if (differs(&S::encapsulation_vlan)) return "encapsulation VLAN differs";
  if (differs(&S::strip_vlan)) return "stripping of the VLAN differs";
  if (differs(&S::normal_traffic)) return "normal traffic of the destination differs";
  if (differs(&S::netstack)) return "network stack differs";
  return nullptr;
}

}  // namespace

std::string mark_of(const std::string& owner) {
  return "made by vmirror, owner " + owner;
}

SessionValue::SessionValue(VspanSession s) : session(normal(std::move(s))) {}

std::string SessionValue::text() const {
  const VspanSession& s = session;
  std::string out = s.enabled ? s.type : "disabled " + s.type;
  if (!s.encapsulation.empty()) out += " " + s.encapsulation;
  if (s.erspan_id) out += " ID " + std::to_string(*s.erspan_id);
  add(out, "received by dvPorts", s.received.ports);
  add(out, "sent by dvPorts", s.transmitted.ports);
  add(out, "VLANs", s.received.vlans);
  out += " ->";
  add(out, "address", s.destination.addresses);
  add(out, "dvPort", s.destination.ports);
  add(out, "uplink", s.destination.uplinks);
  if (s.encapsulation_vlan) out += " VLAN " + std::to_string(*s.encapsulation_vlan);
  if (s.length) out += " length " + std::to_string(*s.length);
  if (s.sampling_rate != 1) out += " one of " + std::to_string(*s.sampling_rate) + " frames";
  return out;
}

std::string SessionValue::difference(const ObjectValue& other) const {
  const auto* is = value_as<SessionValue>(&other);
  if (is == nullptr) return "kind differs";
  if (!(is->session.received == session.received) ||
      !(is->session.transmitted == session.transmitted))
    return "source ports differ";
  const char* what = other_difference(session, is->session);
  return what ? what : "";
}

bool SessionValue::is_part_of(const ObjectValue& other) const {
  const auto* is = value_as<SessionValue>(&other);
  return is != nullptr && includes(is->session.received, session.received) &&
         includes(is->session.transmitted, session.transmitted) &&
         !other_difference(session, is->session);
}

VspanSession session_of(const Mirror& mirror, const std::string& owner, const std::string& uplink) {
  VspanSession out;
  out.name = mirror.name;
  out.description = mark_of(owner);
  out.enabled = true;
  for (const std::string& port : mirror.in_ports) out.received.ports.push_back(port);
  for (const std::string& port : mirror.out_ports) out.transmitted.ports.push_back(port);
  out.normal_traffic = true;
  out.sampling_rate = 1;
  if (mirror.snaplen != 0) out.length = static_cast<int>(mirror.snaplen);
  if (!mirror.output) return out;
  if (const auto* address = std::get_if<AddressOutput>(&*mirror.output)) {
    out.type = kEncapsulated;
    if (const auto* erspan = std::get_if<ErspanTarget>(&address->to)) {
      out.encapsulation = erspan->version == 3 ? "erspan3" : "erspan2";
      out.erspan_id = erspan->session.value_or(0);
      out.destination.addresses = {erspan->address.text()};
    } else {
      out.encapsulation = "gre";
      out.destination.addresses = {std::get<GreTarget>(address->to).address.text()};
    }
  } else if (const auto* vlan = std::get_if<VlanOutput>(&*mirror.output)) {
    out.type = kRemoteSource;
    out.encapsulation_vlan = vlan->vlan;
    out.destination.uplinks = {uplink};
  } else if (const auto* port = std::get_if<PortOutput>(&*mirror.output)) {
    out.type = mirror.all ? kRemoteDest : kDvPort;
    if (mirror.all) out.received.vlans.assign(mirror.vlans.begin(), mirror.vlans.end());
    out.destination.ports = {port->port};
  }
  return out;
}

Mirror mirror_of(const VspanSession& given, const std::string& switch_name,
                 const std::string& owner) {
  const VspanSession s = normal(given);
  Mirror out;
  out.name = s.name;
  out.switch_name = switch_name;
  for (const std::string& port : s.received.ports) out.in_ports.insert(port);
  for (const std::string& port : s.transmitted.ports) out.out_ports.insert(port);
  out.snaplen = static_cast<std::uint32_t>(s.length.value_or(0));
  if (s.sampling_rate != 1) out.match = "one of " + std::to_string(*s.sampling_rate) + " frames";
  out.id = s.key;
  out.owned = s.description == mark_of(owner);
  if (s.type == kRemoteDest) {
    out.all = true;
    for (const int vlan : s.received.vlans) out.vlans.insert(static_cast<std::uint16_t>(vlan));
  }
  const VspanPort& to = s.destination;
  if (!s.enabled || to.ports.size() + to.uplinks.size() + to.addresses.size() != 1) return out;
  if (!to.ports.empty()) {
    out.output = PortOutput{to.ports.front()};
  } else if (!to.uplinks.empty()) {
    out.output = VlanOutput{static_cast<std::uint16_t>(s.encapsulation_vlan.value_or(0))};
  } else if (const auto address = IpAddress::parse(to.addresses.front());
             address && s.type == kEncapsulated) {
    if (s.encapsulation == "gre")
      out.output = AddressOutput{GreTarget{*address, {}}};
    else
      out.output = AddressOutput{ErspanTarget{*address, s.encapsulation == "erspan3" ? 3 : 2,
                                              static_cast<std::uint16_t>(*s.erspan_id)}};
  }
  return out;
}

}  // namespace vmirror::vsphere
