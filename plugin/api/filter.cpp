#include "plugin/api/filter.hpp"

#include <algorithm>
#include <charconv>

namespace vmirror {
namespace {

constexpr std::uint16_t kIpv4 = 0x0800, kArp = 0x0806, kIpv6 = 0x86dd;

struct Name {
  std::string_view word;
  Carried carried;
};
constexpr Name kNames[] = {{"tcp", {0, 6}},      {"udp", {0, 17}},      {"sctp", {0, 132}},
                           {"icmp", {kIpv4, 1}}, {"igmp", {kIpv4, 2}},  {"icmpv6", {kIpv6, 58}},
                           {"arp", {kArp, {}}},  {"ipv4", {kIpv4, {}}}, {"ipv6", {kIpv6, {}}}};

template <typename T>
bool parse_number(std::string_view text, T& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

/// Clears the bits behind the prefix.
IpAddress cut_to(IpAddress address, unsigned bits) {
  for (std::size_t i = 0; i < address.size(); ++i) {
    const unsigned kept = std::clamp<int>(static_cast<int>(bits) - static_cast<int>(8 * i), 0, 8);
    address.octets[i] &= static_cast<std::uint8_t>(0xff00U >> kept);
  }
  return address;
}

std::string text_of(const Carried& carried) {
  for (const Name& name : kNames)
    if (name.carried == carried) return std::string(name.word);
  return std::to_string(carried.protocol.value_or(0));
}
std::string text_of(const PortRange& ports) {
  const std::string first = std::to_string(ports.first);
  return ports.first == ports.last ? first : first + "-" + std::to_string(ports.last);
}
std::string text_of(const Prefix& prefix) {
  return prefix.text();
}
std::string text_of(std::uint16_t vlan) {
  return std::to_string(vlan);
}

/// One value as it is, several as a list.
template <typename T>
void add(std::string& out, const char* key, const std::set<T>& values) {
  if (values.empty()) return;
  std::string list;
  for (const T& value : values) list += (list.empty() ? "" : ", ") + text_of(value);
  out += (out.empty() ? "" : ", ") + std::string(key) + ": ";
  out += values.size() == 1 ? list : "[" + list + "]";
}

std::string text_of(const FilterRule& rule) {
  std::string out;
  if (rule.direction != Direction::both) out = "direction: " + std::string(to_text(rule.direction));
  add(out, "vlan", rule.vlans);
  add(out, "protocol", rule.carried);
  add(out, "port", rule.ports);
  add(out, "cidr", rule.prefixes);
  return "{" + out + "}";
}

bool carries(const FilteredFrame& frame, const Carried& carried) {
  const bool ip = !frame.source.empty();
  if (carried.ethertype == 0 ? !ip : carried.ethertype != frame.ethertype) return false;
  return !carried.protocol || (ip && *carried.protocol == frame.protocol);
}

}  // namespace

std::string_view to_text(Direction direction) {
  switch (direction) {
    case Direction::in:
      return "in";
    case Direction::out:
      return "out";
    case Direction::both:
      return "both";
    case Direction::none:
      break;
  }
  return "none";
}

bool Prefix::contains(const IpAddress& other) const {
  return other.version == address.version && cut_to(other, bits) == address;
}

std::string Prefix::text() const {
  return is_whole() ? address.text() : address.text() + "/" + std::to_string(bits);
}

bool matches(const FilterRule& rule, const FilteredFrame& frame) {
  if (!includes(rule.direction, frame.direction)) return false;
  if (!rule.vlans.empty() && !rule.vlans.contains(frame.vlan)) return false;
  if (!rule.carried.empty() &&
      std::ranges::none_of(rule.carried, [&](const Carried& c) { return carries(frame, c); }))
    return false;
  const auto in = [](const PortRange& range, std::uint16_t port) {
    return range.first <= port && port <= range.last;
  };
  if (!rule.ports.empty() &&
      (!frame.has_ports || std::ranges::none_of(rule.ports, [&](const PortRange& range) {
        return in(range, frame.source_port) || in(range, frame.destination_port);
      })))
    return false;
  return rule.prefixes.empty() || std::ranges::any_of(rule.prefixes, [&](const Prefix& prefix) {
           return prefix.contains(frame.source) || prefix.contains(frame.destination);
         });
}

bool wants(const Filter& filter, const FilteredFrame& frame) {
  const auto fits = [&](const FilterRule& rule) { return matches(rule, frame); };
  return (filter.only.empty() || std::ranges::any_of(filter.only, fits)) &&
         std::ranges::none_of(filter.except, fits);
}

std::string to_text(const Filter& filter) {
  std::string out;
  for (const FilterRule& rule : filter.only) out += (out.empty() ? "" : ", ") + text_of(rule);
  for (const FilterRule& rule : filter.except)
    out += (out.empty() ? "{not: " : ", {not: ") + text_of(rule) + "}";
  return "[" + out + "]";
}

Result<Carried> parse_carried(std::string_view text) {
  for (const Name& name : kNames)
    if (name.word == text) return name.carried;
  std::uint8_t number = 0;
  if (parse_number(text, number)) return Carried{0, number};
  return fail(Error::Kind::invalid, "`" + std::string(text) + "` is no protocol");
}

Result<PortRange> parse_ports(std::string_view text) {
  const std::size_t dash = text.find('-');
  PortRange range;
  bool good = parse_number(text.substr(0, dash), range.first);
  range.last = range.first;
  if (dash != std::string_view::npos)
    good = good && parse_number(text.substr(dash + 1), range.last);
  if (good && range.first <= range.last) return range;
  return fail(Error::Kind::invalid, "`" + std::string(text) + "` is no port");
}

Result<Prefix> parse_prefix(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto address = IpAddress::parse(text.substr(0, slash));
  if (!address) return tl::unexpected(address.error());
  Prefix prefix{*address, static_cast<std::uint8_t>(8 * address->size())};
  const unsigned most = prefix.bits;
  if (slash != std::string_view::npos &&
      (!parse_number(text.substr(slash + 1), prefix.bits) || prefix.bits > most))
    return fail(Error::Kind::invalid, "`" + std::string(text) + "` has no prefix of 0 to " +
                                          std::to_string(most) + " bits");
  const IpAddress cut = cut_to(prefix.address, prefix.bits);
  if (cut == prefix.address) return prefix;
  return fail(Error::Kind::invalid, "`" + std::string(text) +
                                        "` has bits behind its prefix: it is " +
                                        Prefix{cut, prefix.bits}.text());
}

}  // namespace vmirror
