#include "agent/control/policy/filter_reader.hpp"

#include <algorithm>

namespace vmirror {
namespace {

using yaml::Node;
using yaml::Reader;

constexpr const char* kProtocolForms =
    "write tcp, udp, sctp, icmp, icmpv6, igmp, arp, ipv4, ipv6 or an IP protocol's number";

/// One value or a list of them.
template <typename T, typename Parse>
Reader values(std::set<T>& out, Parse parse, const char* remedy) {
  return yaml::one_or_list([&out, parse, remedy](const Node& at) -> Result<void> {
    T value;
    const auto done = yaml::parsed(value, parse, remedy)(at);
    if (done) out.insert(value);
    return done;
  });
}

bool may_have_ports(const Carried& carried) {
  return carried.protocol && has_ports(*carried.protocol);
}

bool may_have(const Carried& carried, const Prefix& prefix) {
  constexpr std::uint16_t kIpv4 = 0x0800, kIpv6 = 0x86dd;
  const std::uint16_t family = prefix.address.version == 4 ? kIpv4 : kIpv6;
  return carried.ethertype == 0 || carried.ethertype == family;
}

Result<void> read_rule(const Node& node, FilterRule& rule) {
  const Reader vlan =
      yaml::integer([&rule](auto v) { rule.vlans.insert(static_cast<std::uint16_t>(v)); }, 0, 4094);
  const auto done = yaml::map({
      {"direction", yaml::one_of<Direction>(rule.direction, {{"in", Direction::in},
                                                             {"out", Direction::out},
                                                             {"both", Direction::both}})},
      {"vlan", yaml::one_or_list(vlan)},
      {"protocol", values(rule.carried, parse_carried, kProtocolForms)},
      {"port", values(rule.ports, parse_ports, "write a number of 0 to 65535, or FIRST-LAST")},
      {"cidr", values(rule.prefixes, parse_prefix, "write ADDRESS/BITS, or an address")},
  })(node);
  if (!done) return done;
  if (rule == FilterRule{})
    return node.wrong("an entry of `filter` has no condition",
                      "write `direction`, `vlan`, `protocol`, `port` or `cidr`");
  if (!rule.ports.empty() && !std::ranges::all_of(rule.carried, may_have_ports))
    return node.wrong("`port` needs protocols that have ports",
                      "write `protocol: tcp`, udp or sctp, or two entries");
  for (const Prefix& prefix : rule.prefixes)
    if (!rule.carried.empty() &&
        std::ranges::none_of(rule.carried, [&](auto& c) { return may_have(c, prefix); }))
      return node.wrong("`cidr` " + prefix.text() + " is an address of none of the protocols",
                        "write protocols of its family, or two entries");
  return {};
}

}  // namespace

Reader filter_reader(Filter& out) {
  return yaml::list([&out](const Node& node) -> Result<void> {
    FilterRule rule;
    if (node.has("not")) {
      const auto done =
          yaml::map({{"not", [&rule](const Node& at) { return read_rule(at, rule); }}})(node);
      if (done) out.except.insert(rule);
      return done;
    }
    const auto done = read_rule(node, rule);
    if (done) out.only.insert(rule);
    return done;
  });
}

}  // namespace vmirror
