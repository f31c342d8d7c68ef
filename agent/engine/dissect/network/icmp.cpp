// RFC 792; RFC 1191, section 4 (next-hop MTU).
//
//   field[n]: n bytes
//
//   0         1         2             4            8
//   | type[1] | code[1] | checksum[2] | by type[4] | by type... |
//
//   echo                 | id[2] sequence[2] | data...
//   redirect             | gateway[4]        | the dropped datagram's IP header and first bytes...
//   others with a copy   | 0[2] mtu[2]       | the same
#include "agent/engine/dissect/network/icmp.hpp"

#include "agent/engine/dissect/text.hpp"
#include "agent/engine/wire/packet.hpp"

namespace vmirror {
namespace icmp {
namespace {

enum Type : std::uint8_t {
  kEchoReply = 0,
  kUnreachable = 3,
  kSourceQuench = 4,
  kRedirect = 5,
  kEcho = 8,
  kTimeExceeded = 11,
  kParameterProblem = 12,
};
constexpr std::uint8_t kFragmentationNeeded = 4;

constexpr Named kTypes[] = {{kEchoReply, "echo_reply"},
                            {kUnreachable, "unreachable"},
                            {kSourceQuench, "source_quench"},
                            {kRedirect, "redirect"},
                            {kEcho, "echo_request"},
                            {9, "router_advertisement"},
                            {10, "router_solicitation"},
                            {kTimeExceeded, "time_exceeded"},
                            {kParameterProblem, "parameter_problem"},
                            {13, "timestamp_request"},
                            {14, "timestamp_reply"}};

Outcome dissect(Bytes bytes, const Context& context, Facts& facts) {
  const auto icmp = parse_icmp(bytes, context.cut);
  if (!icmp) return icmp.error();
  facts.record("icmp");
  facts.add("icmp_type", icmp->type);
  facts.add("icmp_code", icmp->code);
  tell_named(facts, "name", kTypes, icmp->type);
  if (icmp->wrong_sum) facts.add("checksum", "wrong");
  switch (icmp->type) {
    case kEcho:
    case kEchoReply:
      tell_echo(icmp->rest, icmp->body.size(), icmp->type == kEcho, context, facts);
      break;
    case kUnreachable:
      if (icmp->code == kFragmentationNeeded) facts.add("mtu", icmp->rest & 0xffff);
      tell_original(icmp->body, facts);
      break;
    case kRedirect:
      facts.add("gateway", IpAddress::v4(bytes.data() + 4));
      tell_original(icmp->body, facts);
      facts.learn(context.sender(), Attribute::router, true, "icmp.redirect");
      break;
    case kTimeExceeded:
      tell_original(icmp->body, facts);
      if (icmp->code == 0)
        facts.learn(context.sender(), Attribute::router, true, "icmp.time_exceeded");
      break;
    case kSourceQuench:
    case kParameterProblem:
      tell_original(icmp->body, facts);
      break;
    default:
      break;
  }
  return Malformed::none;
}

constexpr Place kAt[] = {ip_protocol::kIcmp};

}  // namespace
}  // namespace icmp

Parsed<IcmpMessage> parse_icmp(Bytes bytes, bool cut) {
  Cursor cursor(bytes);
  IcmpMessage out;
  out.type = cursor.u8();
  out.code = cursor.u8();
  cursor.u16();
  out.rest = cursor.u32();
  if (!cursor.ok()) return bad(Malformed::truncated);
  out.wrong_sum = !cut && internet_sum(bytes) != 0xffff;
  out.body = cursor.rest();
  return out;
}

void tell_original(Bytes datagram, Facts& facts) {
  const Packet packet = parse_packet(datagram, LinkType::ip);
  if (packet.ip_version == 0) return;
  facts.open_object("original");
  facts.add("src_ip", packet.source_ip(datagram));
  facts.add("dest_ip", packet.destination_ip(datagram));
  facts.add("proto", packet.protocol);
  if (packet.protocol == ip_protocol::kTcp || packet.protocol == ip_protocol::kUdp) {
    facts.add("src_port", packet.source_port);
    facts.add("dest_port", packet.destination_port);
  }
  facts.close();
}

void tell_echo(std::uint32_t rest, std::size_t size, bool request, const Context& context,
               Facts& facts) {
  facts.add("id", rest >> 16);
  facts.add("seq", rest & 0xffff);
  facts.add("size", size);
  if (request) return context.ask(rest);
  if (const auto asked = context.answer(rest)) facts.add("latency_us", context.latency_us(*asked));
}

const Dissector kIcmp{
    .name = "icmp", .carrier = Carrier::network, .at = icmp::kAt, .dissect = icmp::dissect};

}  // namespace vmirror
