#include "plugin/ovs/cuts.hpp"

#include <algorithm>
#include <iterator>
#include <map>

namespace vmirror::ovs {
namespace {

using enum Error::Kind;

constexpr std::uint16_t kIpv4 = 0x0800, kArp = 0x0806, kIpv6 = 0x86dd;

tl::unexpected<Error> cannot(std::string what) {
  return fail(unsupported, std::move(what), {},
              "let the target `local` filter, or ask for exact protocols, ports and addresses");
}

/// What a rule says of protocols, with one EtherType in each.
std::vector<Carried> kinds_of(const FilterRule& rule) {
  std::set<Carried> asked = rule.carried;
  if (asked.empty() && !rule.ports.empty())
    for (const std::uint8_t protocol : {6, 17, 132}) asked.insert({0, protocol});
  if (asked.empty() && !rule.prefixes.empty()) asked.insert(Carried{});
  std::vector<Carried> out;
  for (const Carried& carried : asked)
    for (const std::uint16_t family : {kIpv4, kIpv6}) {
      if (carried.ethertype != 0 && family != kIpv4) continue;
      out.push_back({carried.ethertype == 0 ? family : carried.ethertype, carried.protocol});
    }
  return out;
}

/// "tcp6", "ip", "ipv6,nw_proto=89": ovs-fields(7).
std::string text_of(const Carried& carried) {
  const bool six = carried.ethertype == kIpv6;
  if (carried.ethertype == kArp) return "arp";
  if (!carried.protocol) return six ? "ipv6" : "ip";
  switch (*carried.protocol) {
    case 1:
      if (!six) return "icmp";
      break;
    case 6:
      return six ? "tcp6" : "tcp";
    case 17:
      return six ? "udp6" : "udp";
    case 58:
      if (six) return "icmp6";
      break;
    case 132:
      return six ? "sctp6" : "sctp";
    default:
      break;
  }
  return (six ? "ipv6,nw_proto=" : "ip,nw_proto=") + std::to_string(*carried.protocol);
}

/// Of each frame either end may be meant. Empty: nothing is said of addresses.
std::vector<std::string> addresses(const FilterRule& rule, std::uint16_t ethertype) {
  std::vector<std::string> out;
  const bool six = ethertype == kIpv6;
  for (const Prefix& prefix : rule.prefixes)
    if (six == (prefix.address.version == 6))
      for (const char* end : {"src=", "dst="})
        out.push_back(std::string(six ? ",ipv6_" : ",nw_") + end + prefix.text());
  return out;
}

std::vector<std::string> ports(const FilterRule& rule, const Carried& carried) {
  std::vector<std::string> out;
  if (rule.ports.empty()) return out;
  const char* name = carried.protocol == 6 ? ",tcp_" : carried.protocol == 17 ? ",udp_" : ",sctp_";
  for (const PortRange& range : rule.ports)
    for (const char* end : {"src=", "dst="})
      out.push_back(name + std::string(end) + std::to_string(range.first));
  return out;
}

/// One for each exact combination; one that is empty where the rule asks for none.
std::vector<std::string> matches_of(const FilterRule& rule) {
  const std::vector<Carried> kinds = kinds_of(rule);
  if (kinds.empty()) return {""};
  std::vector<std::string> out;
  for (const Carried& kind : kinds) {
    std::vector<std::string> at = addresses(rule, kind.ethertype), to = ports(rule, kind);
    if (at.empty() && !rule.prefixes.empty()) continue;  // Of the other family.
    if (at.empty()) at.emplace_back();
    if (to.empty()) to.emplace_back();
    for (const std::string& address : at)
      for (const std::string& port : to) out.push_back(text_of(kind) + address + port);
  }
  return out;
}

Result<void> check_exact(const FilterRule& rule) {
  for (const Prefix& prefix : rule.prefixes)
    if (!prefix.is_whole())
      return cannot("a mirror here matches no prefix (" + prefix.text() + ")");
  for (const PortRange& range : rule.ports)
    if (range.first != range.last)
      return cannot("a mirror here matches no range of ports (" + std::to_string(range.first) +
                    "-" + std::to_string(range.last) + ")");
  return {};
}

}  // namespace

Result<std::vector<Cut>> cut_up(const Session& s, const Capabilities& can) {
  if (!s.filter.except.empty()) return cannot("a mirror here has no `not`");
  std::map<std::pair<std::set<std::uint16_t>, std::string>, Direction> cuts;
  for (const FilterRule& rule : s.filter.only) {
    const Direction direction = rule.direction & s.direction;
    std::set<std::uint16_t> vlans = rule.vlans.empty() ? s.vlans : rule.vlans;
    if (!rule.vlans.empty() && !s.vlans.empty())
      std::erase_if(vlans, [&](std::uint16_t vlan) { return !s.vlans.contains(vlan); });
    const bool none_left = vlans.empty() && !rule.vlans.empty();
    if (direction == Direction::none || none_left) continue;
    if (const auto exact = check_exact(rule); !exact) return tl::unexpected(exact.error());
    for (std::string& match : matches_of(rule)) {
      if (!match.empty() && !can.match)
        return cannot(
            "mirrors match protocols, ports and addresses from Open vSwitch 3.4 on; this is " +
            can.version);
      Direction& at = cuts[{vlans, std::move(match)}];
      at = at | direction;
    }
  }
  if (cuts.empty())
    return fail(invalid, "no frame can match it in the directions and VLANs that are asked for", {},
                "leave `direction` and `vlan` out of the filter");
  if (cuts.size() > kMostCuts)
    return cannot("it takes " + std::to_string(cuts.size()) +
                  " mirrors of exact values, more than " + std::to_string(kMostCuts));
  std::vector<Cut> out;
  for (auto& [what, direction] : cuts) out.push_back({direction, what.first, what.second});
  return out;
}

}  // namespace vmirror::ovs
