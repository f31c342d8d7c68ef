// RFC 2743, section 3.1 (frame of a mechanism's token); RFC 4178, section 4.2; RFC 4121, section
// 4.1 (Kerberos). In BER (ber.hpp).
//
//   frame      [APPLICATION 0] { OID mechanism, token }
//   SPNEGO     [0] SEQUENCE { [0] SEQUENCE OF OID, [1] flags, [2] OCTET STRING token,
//                             [3] MIC, or of a server SEQUENCE { [0] GeneralString hint } }
//              [1] SEQUENCE { [0] ENUMERATED state, [1] OID chosen, [2] OCTET STRING token,
//                             [3] MIC }
//   Kerberos   | 01 00: AP-REQ, 02 00: AP-REP, 03 00: ERROR | message |
//   NTLM       | "NTLMSSP" 00 | ... |    without any frame
#include "agent/engine/dissect/it/spnego.hpp"

#include "agent/engine/dissect/ber.hpp"
#include "agent/engine/dissect/oid.hpp"
#include "agent/engine/dissect/text.hpp"

namespace vmirror {
namespace spnego {
namespace {

constexpr int kMaxListed = 16;
constexpr std::uint32_t kFrame = 0x60, kOid = 0x06, kSequence = 0x30, kOctets = 0x04;
constexpr std::uint32_t kInit = 0xa0, kAnswer = 0xa1, kApReq = 0x6e, kApRep = 0x6f;
constexpr std::string_view kNtlm("NTLMSSP\0", 8);

/// The contents of OIDs.
constexpr std::string_view kSpnegoOid("\x2b\x06\x01\x05\x05\x02", 6),
    kKrb5Oid("\x2a\x86\x48\x86\xf7\x12\x01\x02\x02", 9),
    kMsKrb5Oid("\x2a\x86\x48\x82\xf7\x12\x01\x02\x02", 9),
    kUserOid("\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x03", 10),
    kNtlmOid("\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a", 10),
    kNegoexOid("\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x1e", 10);
constexpr std::pair<std::string_view, const char*> kMechanisms[] = {
    {kSpnegoOid, "spnego"},          {kKrb5Oid, "krb5"}, {kMsKrb5Oid, "ms_krb5"},
    {kUserOid, "krb5_user_to_user"}, {kNtlmOid, "ntlm"}, {kNegoexOid, "negoex"}};
constexpr Named kStates[] = {
    {0, "accept_completed"}, {1, "accept_incomplete"}, {2, "reject"}, {3, "request_mic"}};

std::string_view mechanism_text(Bytes oid, Facts& facts) {
  for (const auto& [bytes, name] : kMechanisms)
    if (as_text(oid) == bytes) return name;
  return oid_text(oid, facts);
}

bool is_kerberos(Bytes oid) {
  const std::string_view text = as_text(oid);
  return text == kKrb5Oid || text == kMsKrb5Oid || text == kUserOid;
}

/// Kerberos' message behind its two bytes; nothing: it is another of its tokens.
Bytes kerberos_message(Bytes token) {
  if (token.size() < 2 || token[1] != 0 || token[0] == 0 || token[0] > 3) return {};
  return token.subspan(2);
}

Malformed tell_init(BerReader outer, const Context& context, Facts& facts) {
  BerReader parts = outer.enter(kSequence);
  Bytes token;
  facts.record("spnego");
  facts.add("type", "init");
  while (parts.ok() && !parts.empty()) {
    const BerElement part = parts.next();
    BerReader value(part.value);
    if (part.tag == 0xa0) {
      BerReader list = value.enter(kSequence);
      facts.open_array("mechanisms");
      for (int i = 0; i < kMaxListed && list.ok() && !list.empty(); ++i)
        facts.add("", mechanism_text(list.expect(kOid), facts));
      facts.close();
      if (!list.ok()) return Malformed::bad_value;
    }
    if (part.tag == 0xa2) token = value.expect(kOctets);
    if (part.tag == 0xa3 && !part.value.empty() && part.value[0] == kSequence) {
      BerReader hints = value.enter(kSequence);
      const BerElement hint = hints.next();
      const std::string_view name = text_of(BerReader(hint.value).next().value);
      if (hint.tag == 0xa0 && !name.empty()) facts.add("principal", name);
    }
    if (!value.ok()) return Malformed::bad_value;
  }
  if (!outer.ok() || !parts.ok()) return Malformed::bad_length;
  hand_down_gss(token, context, facts);
  return Malformed::none;
}

Malformed tell_answer(BerReader outer, const Context& context, Facts& facts) {
  BerReader parts = outer.enter(kSequence);
  Bytes token;
  facts.record("spnego");
  facts.add("type", "response");
  while (parts.ok() && !parts.empty()) {
    const BerElement part = parts.next();
    BerReader value(part.value);
    if (part.tag == 0xa0) {
      const auto state = ber_unsigned(value.expect(0x0a));
      if (!state) return Malformed::bad_value;
      tell_named(facts, "state", kStates, static_cast<std::uint32_t>(*state));
    }
    if (part.tag == 0xa1) facts.add("mechanism", mechanism_text(value.expect(kOid), facts));
    if (part.tag == 0xa2) token = value.expect(kOctets);
    if (!value.ok()) return Malformed::bad_value;
  }
  if (!outer.ok() || !parts.ok()) return Malformed::bad_length;
  hand_down_gss(token, context, facts);
  return Malformed::none;
}

Malformed tell_spnego(const BerElement& choice, const Context& context, Facts& facts) {
  if (choice.tag == kInit) return tell_init(BerReader(choice.value), context, facts);
  if (choice.tag == kAnswer) return tell_answer(BerReader(choice.value), context, facts);
  return Malformed::bad_value;
}

Outcome dissect(Bytes token, const Context& context, Facts& facts) {
  if (token.empty()) return Malformed::truncated;
  if (token[0] == kApReq || token[0] == kApRep) {  // Kerberos, without a frame.
    context.hand_down(kKerberosToken, token, facts);
    return Malformed::none;
  }
  BerReader reader(token);
  const BerElement outer = reader.next();
  if (!reader.ok()) return Malformed::truncated;
  if (outer.tag != kFrame) return tell_spnego(outer, context, facts);
  BerReader frame(outer.value);
  const Bytes oid = frame.expect(kOid);
  if (!frame.ok()) return Malformed::bad_value;
  if (as_text(oid) == kSpnegoOid) {
    const BerElement choice = frame.next();
    return frame.ok() ? tell_spnego(choice, context, facts) : Malformed::bad_length;
  }
  const Bytes message = is_kerberos(oid) ? kerberos_message(frame.rest()) : Bytes();
  if (!message.empty()) context.hand_down(kKerberosToken, message, facts);
  return Malformed::none;
}

constexpr Place kAt[] = {kGssToken};
constexpr Place kHandsDown[] = {kNtlmToken, kKerberosToken};

/// Mechanisms with tokens of their own are carried at the same places: SCRAM's "n,,n=user" begins
/// with the tag of a Kerberos message (RFC 5802, section 7).
bool is_token(Bytes token) {
  constexpr std::uint32_t kTags[] = {kFrame, kInit, kAnswer, kApReq, kApRep};
  constexpr std::uint32_t kSequence = 0x30;
  if (std::find(std::begin(kTags), std::end(kTags), token[0]) == std::end(kTags)) return false;
  if (token[0] != kApReq && token[0] != kApRep) return true;
  BerReader reader(token);
  const BerElement outer = reader.next();
  return reader.ok() && BerReader(outer.value).next().tag == kSequence;
}

}  // namespace
}  // namespace spnego

void hand_down_gss(Bytes token, const Context& context, Facts& facts) {
  if (token.empty()) return;
  if (as_text(token).starts_with(spnego::kNtlm)) {
    context.hand_down(kNtlmToken, token, facts);
    return;
  }
  if (spnego::is_token(token)) context.hand_down(kGssToken, token, facts);
}

const Dissector kSpnego{.name = "spnego",
                        .carrier = Carrier::inside,
                        .at = spnego::kAt,
                        .hands_down = spnego::kHandsDown,
                        .dissect = spnego::dissect,
                        .names_flow = false};

}  // namespace vmirror
