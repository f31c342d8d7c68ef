// RFC 4443, section 2.1; RFC 4861, section 4; RFC 8106, section 5.1; RFC 2710, section 3; RFC 3810,
// section 5.2.
//
//   field[n]: n bytes
//
//   0         1         2             4            8
//   | type[1] | code[1] | checksum[2] | by type[4] | by type... |
//
//   router advertisement     | hops[1] MO[1] lifetime[2] | reachable[4] | retrans[4] | options...
//   neighbour solicitation   | 0[4]                      | target[16] | options...
//   neighbour advertisement  | RSO[1] 0[3]               | target[16] | options...
//   redirect                 | 0[4]                      | target[16] | destination[16] | options
//   MLD                      | delay[2] 0[2]             | group[16] | ...
//   MLDv2 report             | 0[2] records[2]           | records...
//   option                   | type[1] | length[1], of 8 bytes | ...
//   record                   | type[1] | aux size[1] | sources[2] | group[16] | ... |
#include "agent/engine/dissect/network/icmp6.hpp"

#include "agent/engine/dissect/network/icmp.hpp"
#include "agent/engine/dissect/text.hpp"
#include "agent/engine/wire/packet.hpp"

namespace vmirror {
namespace icmp6 {
namespace {

enum Type : std::uint8_t {
  kUnreachable = 1,
  kPacketTooBig = 2,
  kTimeExceeded = 3,
  kParameterProblem = 4,
  kEcho = 128,
  kEchoReply = 129,
  kListenerQuery = 130,
  kListenerReport = 131,
  kListenerDone = 132,
  kRouterSolicitation = 133,
  kRouterAdvertisement = 134,
  kNeighbourSolicitation = 135,
  kNeighbourAdvertisement = 136,
  kRedirect = 137,
  kListenerReport2 = 143,
};
constexpr Named kTypes[] = {{kUnreachable, "unreachable"},
                            {kPacketTooBig, "packet_too_big"},
                            {kTimeExceeded, "time_exceeded"},
                            {kParameterProblem, "parameter_problem"},
                            {kEcho, "echo_request"},
                            {kEchoReply, "echo_reply"},
                            {kListenerQuery, "mld_query"},
                            {kListenerReport, "mld_report"},
                            {kListenerDone, "mld_done"},
                            {kRouterSolicitation, "router_solicitation"},
                            {kRouterAdvertisement, "router_advertisement"},
                            {kNeighbourSolicitation, "neighbor_solicitation"},
                            {kNeighbourAdvertisement, "neighbor_advertisement"},
                            {kRedirect, "redirect"},
                            {kListenerReport2, "mld_report_v2"}};
constexpr int kMaxListed = 64;

void learn_address(const Mac& mac, const IpAddress& ip, const char* source, const Context& context,
                   Facts& facts) {
  if (mac.is_zero() || mac.is_group() || ip.is_unspecified() || ip.is_group()) return;
  facts.learn({mac, {}}, Attribute::ip_address, ip, source);
  facts.act(Act::Kind::claim_address, {mac, ip}, {context.source.mac, {}}, source);
}

void tell_options(const NdOptions& options, Facts& facts) {
  if (!options.source_mac.is_zero()) facts.add("src_mac", options.source_mac);
  if (!options.target_mac.is_zero()) facts.add("target_mac", options.target_mac);
  if (options.mtu != 0) facts.add("mtu", options.mtu);
  if (!options.prefix.empty()) {
    facts.add("prefix", IpAddress::v6(options.prefix.data() + 14));
    facts.add("prefix_length", options.prefix[0]);
  }
  if (options.dns_servers.empty()) return;
  facts.open_array("dns_servers");
  Cursor cursor(options.dns_servers);
  for (int i = 0; i < kMaxListed && !cursor.empty(); ++i)
    facts.add("", IpAddress::v6(cursor.take(16).data()));
  facts.close();
}

Malformed tell_advertised_router(const Icmp6Message& icmp, const Context& context, Facts& facts) {
  Cursor cursor(icmp.body);
  cursor.skip(8);
  if (!cursor.ok()) return Malformed::truncated;
  const auto options = parse_nd_options(cursor.rest());
  const std::uint32_t lifetime = icmp.rest & 0xffff;
  facts.add("hop_limit", icmp.rest >> 24);
  facts.add("managed", (icmp.rest & 0x800000) != 0);
  facts.add("other", (icmp.rest & 0x400000) != 0);
  facts.add("router_lifetime", lifetime);
  if (!options) return options.error();
  tell_options(*options, facts);
  if (lifetime > 0) facts.learn(context.source, Attribute::router, true, "icmp6.router_lifetime");
  learn_address(context.source.mac, context.source.ip, "icmp6.router_advertisement", context,
                facts);
  return Malformed::none;
}

Malformed tell_neighbour(const Icmp6Message& icmp, const Context& context, Facts& facts) {
  Cursor cursor(icmp.body);
  const Bytes target_bytes = cursor.take(16);
  if (icmp.type == kRedirect) cursor.skip(16);
  if (!cursor.ok()) return Malformed::truncated;
  const IpAddress target = IpAddress::v6(target_bytes.data());
  const auto options = parse_nd_options(cursor.rest());
  facts.add("target", target);
  if (icmp.type == kNeighbourAdvertisement) {
    facts.add("router", (icmp.rest & 0x80000000) != 0);
    facts.add("solicited", (icmp.rest & 0x40000000) != 0);
    facts.add("override", (icmp.rest & 0x20000000) != 0);
  }
  if (!options) return options.error();
  tell_options(*options, facts);
  if (icmp.type == kNeighbourAdvertisement) {
    const Mac mac = options->target_mac.is_zero() ? context.source.mac : options->target_mac;
    learn_address(mac, target, "icmp6.target", context, facts);
    if (icmp.rest & 0x80000000) facts.learn({mac, {}}, Attribute::router, true, "icmp6.router");
  } else if (icmp.type == kNeighbourSolicitation) {
    learn_address(options->source_mac, context.source.ip, "icmp6.src_mac", context, facts);
  } else {
    facts.add("dest_ip", IpAddress::v6(icmp.body.data() + 16));
    facts.learn(context.source, Attribute::router, true, "icmp6.redirect");
  }
  return Malformed::none;
}

Malformed tell_solicitation(const Icmp6Message& icmp, const Context& context, Facts& facts) {
  const auto options = parse_nd_options(icmp.body);
  if (!options) return options.error();
  tell_options(*options, facts);
  learn_address(options->source_mac, context.source.ip, "icmp6.src_mac", context, facts);
  return Malformed::none;
}

Malformed tell_listener(const Icmp6Message& icmp, Facts& facts) {
  Cursor cursor(icmp.body);
  if (icmp.type != kListenerReport2) {
    const Bytes group = cursor.take(16);
    if (!cursor.ok()) return Malformed::truncated;
    facts.add("group", IpAddress::v6(group.data()));
    return Malformed::none;
  }
  facts.open_array("groups");
  const std::uint32_t records = icmp.rest & 0xffff;
  for (std::uint32_t i = 0; i < records && cursor.ok(); ++i) {
    const std::uint8_t type = cursor.u8();
    const std::size_t aux = cursor.u8();
    const std::size_t sources = cursor.u16();
    const Bytes group = cursor.take(16);
    cursor.skip(sources * 16 + aux * 4);
    if (!cursor.ok() || i >= kMaxListed) continue;
    facts.open_object("");
    facts.add("record_type", type);
    facts.add("group", IpAddress::v6(group.data()));
    facts.close();
  }
  facts.close();
  return cursor.ok() ? Malformed::none : Malformed::truncated;
}

Outcome dissect(Bytes bytes, const Context& context, Facts& facts) {
  const auto icmp = parse_icmp6(bytes, context.source.ip, context.destination.ip, context.cut);
  if (!icmp) return icmp.error();
  const bool discovery = icmp->type >= kRouterSolicitation && icmp->type <= kRedirect;
  if (discovery && context.ttl != 255) return Malformed::bad_value;
  facts.record("icmp6");
  facts.add("icmp_type", icmp->type);
  facts.add("icmp_code", icmp->code);
  tell_named(facts, "name", kTypes, icmp->type);
  if (icmp->wrong_sum) facts.add("checksum", "wrong");
  switch (icmp->type) {
    case kPacketTooBig:
      facts.add("mtu", icmp->rest);
      [[fallthrough]];
    case kUnreachable:
    case kTimeExceeded:
    case kParameterProblem:
      tell_original(icmp->body, facts);
      return Malformed::none;
    case kEcho:
    case kEchoReply:
      tell_echo(icmp->rest, icmp->body.size(), icmp->type == kEcho, context, facts);
      return Malformed::none;
    case kListenerQuery:
    case kListenerReport:
    case kListenerDone:
    case kListenerReport2:
      return tell_listener(*icmp, facts);
    case kRouterSolicitation:
      return tell_solicitation(*icmp, context, facts);
    case kRouterAdvertisement:
      return tell_advertised_router(*icmp, context, facts);
    case kNeighbourSolicitation:
    case kNeighbourAdvertisement:
    case kRedirect:
      return tell_neighbour(*icmp, context, facts);
    default:
      return Malformed::none;
  }
}

constexpr Place kAt[] = {ip_protocol::kIcmpv6};

}  // namespace
}  // namespace icmp6

Parsed<Icmp6Message> parse_icmp6(Bytes bytes, const IpAddress& source, const IpAddress& destination,
                                 bool cut) {
  Cursor cursor(bytes);
  Icmp6Message out;
  out.type = cursor.u8();
  out.code = cursor.u8();
  cursor.u16();
  out.rest = cursor.u32();
  if (!cursor.ok()) return bad(Malformed::truncated);
  // The pseudo header of RFC 8200, section 8.1.
  const std::uint64_t pseudo = std::uint64_t{internet_sum(source.bytes())} +
                               internet_sum(destination.bytes()) + bytes.size() +
                               ip_protocol::kIcmpv6;
  out.wrong_sum = !cut && internet_sum(bytes, pseudo) != 0xffff;
  out.body = cursor.rest();
  return out;
}

Parsed<NdOptions> parse_nd_options(Bytes bytes) {
  enum Option : std::uint8_t { kSourceMac = 1, kTargetMac, kPrefix, kMtu = 5, kDnsServers = 25 };
  Cursor cursor(bytes);
  NdOptions out;
  while (!cursor.empty()) {
    const std::uint8_t type = cursor.u8();
    const std::size_t units = cursor.u8();
    if (cursor.ok() && units == 0) return bad(Malformed::bad_length);
    const Bytes option = cursor.take(units * 8 - 2);
    if (!cursor.ok()) return bad(Malformed::truncated);
    switch (type) {
      case kSourceMac:
        out.source_mac = Mac::from(option.data());
        break;
      case kTargetMac:
        out.target_mac = Mac::from(option.data());
        break;
      case kPrefix:
        if (option.size() != 30) return bad(Malformed::bad_length);
        if (out.prefix.empty()) out.prefix = option;
        break;
      case kMtu:
        if (option.size() != 6) return bad(Malformed::bad_length);
        out.mtu = load_be32(option.data() + 2);
        break;
      case kDnsServers:
        if (option.size() < 22 || option.size() % 16 != 6) return bad(Malformed::bad_length);
        out.dns_servers = option.subspan(6);
        break;
      default:
        break;
    }
  }
  return out;
}

const Dissector kIcmp6{
    .name = "icmp6", .carrier = Carrier::network, .at = icmp6::kAt, .dissect = icmp6::dissect};

}  // namespace vmirror
