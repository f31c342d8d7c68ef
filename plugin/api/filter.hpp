// The portable filter: which of a NIC's frames are wanted, in words that name no kind of switch. A
// driver makes of it what its switch can do (OutputRules::cut); where the switch can't do all of
// it, the receiver asks wants() for each copy.
//
//   filter = only: rule | rule | ...     a frame is wanted when one of them matches (none: all do)
//            except: rule | rule | ...   and none of these does
//   rule   = direction & vlan & protocol & port & address      a part that isn't given matches all
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "plugin/base/address.hpp"
#include "plugin/base/result.hpp"

namespace vmirror {

enum class Direction : std::uint8_t { none = 0, in = 1, out = 2, both = 3 };

constexpr Direction operator|(Direction a, Direction b) {
  return static_cast<Direction>(static_cast<int>(a) | static_cast<int>(b));
}
constexpr Direction operator&(Direction a, Direction b) {
  return static_cast<Direction>(static_cast<int>(a) & static_cast<int>(b));
}
constexpr bool includes(Direction a, Direction part) {
  return (a & part) == part;
}
/// "in", "out", "both", "none"
std::string_view to_text(Direction direction);

/// Ports of TCP, UDP or SCTP; both ends belong to it.
struct PortRange {
  std::uint16_t first = 0, last = 0;
  auto operator<=>(const PortRange&) const = default;
};

/// Addresses that begin alike: CIDR (RFC 4632). The bits behind the prefix are zero.
struct Prefix {
  IpAddress address;
  std::uint8_t bits = 0;
  auto operator<=>(const Prefix&) const = default;
  bool contains(const IpAddress& other) const;
  /// One address and no more.
  bool is_whole() const { return bits == 8 * address.size(); }
  std::string text() const;
};

/// What a frame carries: an EtherType (IEEE 802), an IP protocol (IANA), or the one in the other.
struct Carried {
  std::uint16_t ethertype = 0;                ///< 0: IPv4 or IPv6.
  std::optional<std::uint8_t> protocol = {};  ///< None: any.
  auto operator<=>(const Carried&) const = default;
};

struct FilterRule {
  Direction direction = Direction::both;
  std::set<std::uint16_t> vlans = {};  ///< The outermost; 0: untagged. Empty: any.
  std::set<Carried> carried = {};      ///< Empty: anything.
  std::set<PortRange> ports = {};  ///< Source or destination. Empty: any, and frames without ports.
  std::set<Prefix> prefixes = {};  ///< Source or destination. Empty: any, and frames without IP.
  auto operator<=>(const FilterRule&) const = default;
};

struct Filter {
  std::set<FilterRule> only = {};    ///< Empty: every frame.
  std::set<FilterRule> except = {};  ///< Weighs more than `only`.
  auto operator<=>(const Filter&) const = default;
  bool empty() const { return only.empty() && except.empty(); }
};

/// What a filter looks at in one frame.
struct FilteredFrame {
  Direction direction = Direction::none;  ///< As the guest sees it; none: not known, fits any rule.
  std::uint16_t vlan = 0;
  std::uint16_t ethertype = 0;
  std::uint8_t protocol = 0;  ///< Above IP, where `source` isn't empty.
  /// False: no TCP, UDP or SCTP, or a later fragment, which carries none.
  bool has_ports = false;
  std::uint16_t source_port = 0, destination_port = 0;
  IpAddress source, destination;  ///< Empty: no IP.
};

bool matches(const FilterRule& rule, const FilteredFrame& frame);
/// Pure, no allocation. An empty filter wants every frame.
bool wants(const Filter& filter, const FilteredFrame& frame);

/// As in a policy file: "[{protocol: tcp, port: 502}, {not: {cidr: 10.9.0.0/16}}]". Stable: equal
/// filters have equal texts.
std::string to_text(const Filter& filter);

/// "tcp", "udp", "sctp", "icmp", "icmpv6", "igmp", "arp", "ipv4", "ipv6", or an IP protocol's
/// number. Error::Kind::invalid.
Result<Carried> parse_carried(std::string_view text);
/// "502" or "8000-8080". Error::Kind::invalid.
Result<PortRange> parse_ports(std::string_view text);
/// "10.0.0.0/8", "2001:db8::/32", or an address alone. Error::Kind::invalid, also where bits
/// behind the prefix are set.
Result<Prefix> parse_prefix(std::string_view text);

/// True for what has ports.
constexpr bool has_ports(std::uint8_t protocol) {
  return protocol == 6 || protocol == 17 || protocol == 132;
}

}  // namespace vmirror
