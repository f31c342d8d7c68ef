// [MS-RDPBCGR], sections 2.2.1.1 and 2.2.1.2: the variable part of X.224's request and confirm
// (ot/cotp.hpp).
//
//   request   | "Cookie: mstshash=..." CRLF, maybe | 1[1] | flags[1] | 8[2 LE] | protocols[4 LE] |
//   confirm   | 2[1] | flags[1] | 8[2 LE] | chosen[4 LE] |
//   refusal   | 3[1] | 0[1] | 8[2 LE] | code[4 LE] |
#include "agent/engine/dissect/it/rdp.hpp"

#include "agent/engine/dissect/it/tls.hpp"
#include "agent/engine/dissect/ot/cotp.hpp"
#include "agent/engine/dissect/text.hpp"

namespace vmirror {
namespace rdp {
namespace {

using Kind = RdpNegotiation::Kind;

constexpr std::string_view kCookie = "Cookie: ";
constexpr std::size_t kTpkt = 4, kHead = 11, kNegotiation = 8;
constexpr std::uint8_t kRequest = 0xe0, kConfirm = 0xd0;
constexpr Named kProtocols[] = {
    {1, "ssl"}, {2, "hybrid"}, {4, "rdstls"}, {8, "hybrid_ex"}, {16, "rdsaad"}};
constexpr Named kFailures[] = {
    {1, "ssl_required_by_server"},    {2, "ssl_not_allowed_by_server"},
    {3, "ssl_cert_not_on_server"},    {4, "inconsistent_flags"},
    {5, "hybrid_required_by_server"}, {6, "ssl_with_user_auth_required_by_server"}};

void tell_request(const RdpNegotiation& rdp, Facts& facts) {
  facts.add("event_type", "initial_request");
  if (!rdp.cookie.empty()) facts.add("cookie", rdp.cookie);
  facts.open_array("requested");
  facts.add("", "rdp");
  for (const Named& each : kProtocols)
    if ((rdp.protocols & each.value) != 0) facts.add("", each.name);
  facts.close();
}

Outcome tell_confirm(const RdpNegotiation& rdp, const Context& context, Facts& facts) {
  facts.add("event_type", "initial_response");
  facts.learn(context.sender(), Attribute::service, "rdp", "rdp.event_type", Confidence::implied);
  if (rdp.kind == Kind::failure) {
    tell_named(facts, "error", kFailures, rdp.protocols);
    return Malformed::none;
  }
  if (rdp.protocols != 0) {
    tell_named(facts, "protocol", kProtocols, rdp.protocols);
    return Outcome::become(kTls);
  }
  facts.add("protocol", "rdp");
  facts.act(Act::Kind::weak_authentication, context.sender(), context.receiver(), "rdp.protocol");
  return Outcome::done();
}

Outcome dissect(Bytes bytes, const Context& context, Facts& facts) {
  const auto rdp = parse_rdp(bytes);
  if (!rdp) return rdp.error();
  facts.record("rdp");
  if (rdp->is_confirm) return tell_confirm(*rdp, context, facts);
  tell_request(*rdp, facts);
  return Malformed::none;
}

Framing frame(Bytes stream, const Context&) {
  if (stream[0] != 3 || (stream.size() > 1 && stream[1] != 0)) return Framing::lost();
  if (stream.size() < kTpkt) return Framing::more();
  const std::uint16_t size = load_be16(&stream[2]);
  return size < kHead ? Framing::lost() : Framing::message(size);
}

/// X.224 is also what S7 and MMS begin with: the variable part tells, or at RDP's port that there
/// is none.
Probe probe(Bytes stream, const Context& context) {
  if (stream.empty()) return Probe::maybe;
  const Framing framing = frame(stream, context);
  if (framing.status == Framing::Status::lost) return Probe::no;
  if (framing.status == Framing::Status::more) return Probe::maybe;
  if (stream.size() > kTpkt + 1 && stream[5] != kRequest && stream[5] != kConfirm) return Probe::no;
  if (stream.size() < framing.size) return Probe::maybe;
  const auto rdp = parse_rdp(stream.first(framing.size));
  const bool said = rdp && (rdp->kind != Kind::none || !rdp->cookie.empty());
  if (!rdp || (!said && !context.at_own_port)) return Probe::no;
  return rdp->is_confirm ? Probe::server : Probe::client;
}

constexpr Place kAt[] = {3389};

}  // namespace
}  // namespace rdp

Parsed<RdpNegotiation> parse_rdp(Bytes bytes) {
  const auto cotp = parse_cotp(bytes);
  if (!cotp) return bad(cotp.error());
  RdpNegotiation out;
  out.is_confirm = cotp->type == CotpMessage::Type::connect_confirm;
  if (!out.is_confirm && cotp->type != CotpMessage::Type::connect_request)
    return bad(Malformed::bad_value);
  Bytes part = cotp->parameters;
  if (as_text(part).starts_with(rdp::kCookie)) {
    const std::string_view line = as_text(part).substr(0, as_text(part).find("\r\n"));
    out.cookie = line.substr(rdp::kCookie.size(), kMaxText);
    part = part.subspan(std::min(part.size(), line.size() + 2));
  }
  if (part.empty()) return out;
  Cursor cursor(part);
  const std::uint8_t kind = cursor.u8();
  out.flags = cursor.u8();
  const std::uint16_t size = cursor.le16();
  out.protocols = cursor.le32();
  const bool fits = out.is_confirm ? kind == 2 || kind == 3 : kind == 1;
  if (!fits || !cursor.ok() || size != rdp::kNegotiation) return bad(Malformed::bad_value);
  out.kind = static_cast<rdp::Kind>(kind);
  return out;
}

const Dissector kRdp{.name = "rdp",
                     .carrier = Carrier::stream,
                     .at = rdp::kAt,
                     .probe = rdp::probe,
                     .frame = rdp::frame,
                     .dissect = rdp::dissect};

}  // namespace vmirror
