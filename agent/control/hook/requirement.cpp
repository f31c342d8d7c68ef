#include "agent/control/hook/requirement.hpp"

#include <algorithm>
#include <charconv>

namespace vmirror {
namespace {

constexpr std::string_view kVersionLine = "# vmirror requirements 1";

struct Part {
  std::string_view key;
  std::string Selector::*glob;
};
constexpr Part kParts[] = {{"vm", &Selector::vm},       {"uuid", &Selector::uuid},
                           {"mac", &Selector::mac},     {"port", &Selector::port},
                           {"title", &Selector::title}, {"network", &Selector::network}};
constexpr std::string_view kLabel = "label:";

void append_escaped(std::string& out, std::string_view text, bool key = false) {
  constexpr char kHex[] = "0123456789abcdef";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || c == '%' || byte == 0x7f || (key && c == '=')) {
      out += {'%', kHex[byte >> 4], kHex[byte & 15]};
    } else {
      out += c;
    }
  }
}

std::optional<std::string> unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); i++) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    unsigned byte = 0;
    if (text.size() - i < 3) return std::nullopt;
    const char* end = text.data() + i + 3;
    if (std::from_chars(text.data() + i + 1, end, byte, 16).ptr != end) return std::nullopt;
    out += static_cast<char>(byte);
    i += 2;
  }
  return out;
}

/// Takes the text up to `separator`, or all of it, off the front.
std::string_view take(std::string_view& text, char separator) {
  const std::size_t end = text.find(separator);
  const std::string_view field = text.substr(0, end);
  text.remove_prefix(end == text.npos ? text.size() : end + 1);
  return field;
}

/// False: not a part of a selector.
bool read_part(std::string_view field, Selector& selector) {
  if (field.find('=') == field.npos) return false;
  const auto key = unescape(take(field, '='));
  const auto glob = unescape(field);
  if (!key || !glob) return false;
  if (key->starts_with(kLabel))
    return selector.labels.emplace(key->substr(kLabel.size()), *glob).second;
  const auto part = std::ranges::find(kParts, std::string_view(*key), &Part::key);
  if (part == std::end(kParts)) return false;
  selector.*(part->glob) = *glob;
  return true;
}

std::optional<Requirement> read_line(std::string_view line) {
  Requirement out;
  const auto policy = unescape(take(line, '\t'));
  const std::string_view expires = take(line, '\t');
  std::int64_t seconds = 0;
  const auto read = std::from_chars(expires.data(), expires.data() + expires.size(), seconds);
  constexpr std::int64_t kMaxSeconds = std::numeric_limits<Time>::max() / kSecond;
  if (!policy || policy->empty() || read.ec != std::errc() || seconds < 0 ||
      seconds > kMaxSeconds || read.ptr != expires.data() + expires.size() || line.empty())
    return std::nullopt;
  out.policy = *policy;
  if (seconds > 0) out.expires = seconds * kSecond;
  while (!line.empty())
    if (!read_part(take(line, '\t'), out.selector)) return std::nullopt;
  return out;
}

Requirement any_guest(std::string_view why) {
  return {"(" + std::string(why) + ")", std::nullopt, {}};
}

}  // namespace

std::vector<Requirement> requirements_of(std::span<const Policy> policies) {
  std::vector<Requirement> out;
  for (const Policy& policy : policies)
    if (policy.require)
      for (const Selector& selector : policy.select)
        out.push_back({policy.name, policy.expires, selector});
  return out;
}

std::string requirements_text(std::span<const Requirement> requirements) {
  std::string out(kVersionLine);
  out += '\n';
  for (const Requirement& r : requirements) {
    append_escaped(out, r.policy);
    // Rounded up: it must not end before the policy does.
    const Time expires = r.expires ? std::max<Time>(1, (*r.expires - 1) / kSecond + 1) : 0;
    out += '\t' + std::to_string(expires);
    for (const Part& part : kParts) {
      if ((r.selector.*(part.glob)).empty()) continue;
      out += '\t' + std::string(part.key) + '=';
      append_escaped(out, r.selector.*(part.glob));
    }
    for (const auto& [key, glob] : r.selector.labels) {
      out += '\t' + std::string(kLabel);
      append_escaped(out, key, true);
      out += '=';
      append_escaped(out, glob);
    }
    out += '\n';
  }
  return out;
}

std::vector<Requirement> parse_requirements(std::string_view text) {
  if (text.empty()) return {any_guest("a requirement that could not be written")};
  if (take(text, '\n') != kVersionLine) return {any_guest("a file of another version")};
  std::vector<Requirement> out;
  while (!text.empty()) {
    auto requirement = read_line(take(text, '\n'));
    out.push_back(requirement ? std::move(*requirement) : any_guest("a damaged line"));
  }
  return out;
}

Location planned_location(const Guest& guest, const GuestNic& nic) {
  Location at{.host = {},
              .switch_name = nic.bridge,
              .port = nic.device,
              .presence = Presence::incoming,
              .vm_name = guest.name,
              .vm_uuid = guest.uuid,
              .interface_id = nic.interface_id,
              .mac = nic.mac,
              .title = guest.title,
              .network = nic.network,
              .labels = guest.labels};
  if (nic.port == NicPort::none) return at;
  // virNetDevOpenvswitchAddPort; a label of the guest takes precedence, as it does in locations.
  at.labels.emplace("vm-id", guest.uuid);
  at.labels.emplace("iface-status", "active");
  if (nic.mac) at.labels.emplace("attached-mac", nic.mac->text());
  if (!nic.interface_id.empty()) at.labels.emplace("iface-id", nic.interface_id);
  return at;
}

bool may_select(const Selector& selector, const Guest& guest, const GuestNic& nic) {
  if (!selector.port.empty() && nic.device.empty()) return false;
  const Location at = planned_location(guest, nic);
  if (!nic.bridge.empty() || !nic.network.empty() || nic.port == NicPort::none)
    return selects(selector, at);
  Selector decidable = selector;
  std::erase_if(decidable.labels, [&](const auto& l) { return !at.labels.contains(l.first); });
  return selects(decidable, at);
}

std::optional<std::string> required_by(std::span<const Requirement> requirements,
                                       const Guest* guest, Time now) {
  for (const Requirement& r : requirements) {
    if (r.expires && *r.expires <= now) continue;
    const auto selected = [&](const GuestNic& nic) { return may_select(r.selector, *guest, nic); };
    if (guest == nullptr || std::ranges::any_of(guest->nics, selected)) return r.policy;
  }
  return std::nullopt;
}

}  // namespace vmirror
