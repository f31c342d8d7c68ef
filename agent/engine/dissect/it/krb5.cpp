// RFC 4120, section 5, in DER (ber.hpp); TCP: section 7.2.2.
//
//   UDP payload   | message |
//   TCP           | size[4] | message[size] | ...
//
//   message                 [APPLICATION n] SEQUENCE, by the number n:
//   10 AS-REQ, 12 TGS-REQ   SEQUENCE { [1] 5, [2] n, [3] pre-authentication, [4] body }
//     body                  SEQUENCE { [0] options, [1] cname, [2] realm, [3] sname, [4..6] times,
//                                      [7] nonce, [8] SEQUENCE OF etype, ... }
//   11 AS-REP, 13 TGS-REP   SEQUENCE { [0] 5, [1] n, [2] pre-authentication, [3] realm, [4] cname,
//                                      [5] ticket, [6] encrypted }
//     ticket                [APPLICATION 1] SEQUENCE { [0] 5, [1] realm, [2] sname, [3] encrypted }
//     encrypted             SEQUENCE { [0] etype, [1] version of the key, [2] cipher }
//   30 ERROR                SEQUENCE { [0] 5, [1] 30, ... [4] stime, [5] susec, [6] code,
//                                      [7] crealm, [8] cname, [9] realm, [10] sname, ... }
//   14 AP-REQ               SEQUENCE { [0] 5, [1] 14, [2] options, [3] ticket, [4] encrypted }
//   15 AP-REP               SEQUENCE { [0] 5, [1] 15, [2] encrypted }
//   name                    SEQUENCE { [0] type, [1] SEQUENCE OF GeneralString }
#include "agent/engine/dissect/it/krb5.hpp"

#include "agent/engine/dissect/ber.hpp"
#include "agent/engine/dissect/it/spnego.hpp"
#include "agent/engine/dissect/text.hpp"
#include "agent/engine/dissect/times.hpp"

namespace vmirror {
namespace krb5 {
namespace {

constexpr std::size_t kSize = 4;
constexpr std::uint32_t kSequence = 0x30, kInteger = 2, kApplication = 0x60, kExplicit = 0xa0;
enum Kind : std::uint8_t {
  kAsReq = 10,
  kAsRep = 11,
  kTgsReq = 12,
  kTgsRep = 13,
  kApReq = 14,
  kApRep = 15,
  kError = 30
};
constexpr Named kKinds[] = {{kAsReq, "KRB_AS_REQ"},
                            {kAsRep, "KRB_AS_REP"},
                            {kTgsReq, "KRB_TGS_REQ"},
                            {kTgsRep, "KRB_TGS_REP"},
                            {kError, "KRB_ERROR"}};
/// What goes inside other protocols.
constexpr Named kTokenKinds[] = {
    {kApReq, "KRB_AP_REQ"}, {kApRep, "KRB_AP_REP"}, {kError, "KRB_ERROR"}};
constexpr Named kEtypes[] = {{1, "des-cbc-crc"},
                             {2, "des-cbc-md4"},
                             {3, "des-cbc-md5"},
                             {16, "des3-cbc-sha1"},
                             {17, "aes128-cts-hmac-sha1-96"},
                             {18, "aes256-cts-hmac-sha1-96"},
                             {19, "aes128-cts-hmac-sha256-128"},
                             {20, "aes256-cts-hmac-sha384-192"},
                             {23, "rc4-hmac"},
                             {24, "rc4-hmac-exp"},
                             {25, "camellia128-cts-cmac"},
                             {26, "camellia256-cts-cmac"}};
// RFC 4120, section 7.5.9.
constexpr Named kErrors[] = {{1, "KDC_ERR_NAME_EXP"},
                             {2, "KDC_ERR_SERVICE_EXP"},
                             {3, "KDC_ERR_BAD_PVNO"},
                             {4, "KDC_ERR_C_OLD_MAST_KVNO"},
                             {5, "KDC_ERR_S_OLD_MAST_KVNO"},
                             {6, "KDC_ERR_C_PRINCIPAL_UNKNOWN"},
                             {7, "KDC_ERR_S_PRINCIPAL_UNKNOWN"},
                             {8, "KDC_ERR_PRINCIPAL_NOT_UNIQUE"},
                             {9, "KDC_ERR_NULL_KEY"},
                             {10, "KDC_ERR_CANNOT_POSTDATE"},
                             {11, "KDC_ERR_NEVER_VALID"},
                             {12, "KDC_ERR_POLICY"},
                             {13, "KDC_ERR_BADOPTION"},
                             {14, "KDC_ERR_ETYPE_NOSUPP"},
                             {15, "KDC_ERR_SUMTYPE_NOSUPP"},
                             {16, "KDC_ERR_PADATA_TYPE_NOSUPP"},
                             {17, "KDC_ERR_TRTYPE_NOSUPP"},
                             {18, "KDC_ERR_CLIENT_REVOKED"},
                             {19, "KDC_ERR_SERVICE_REVOKED"},
                             {20, "KDC_ERR_TGT_REVOKED"},
                             {21, "KDC_ERR_CLIENT_NOTYET"},
                             {22, "KDC_ERR_SERVICE_NOTYET"},
                             {23, "KDC_ERR_KEY_EXPIRED"},
                             {24, "KDC_ERR_PREAUTH_FAILED"},
                             {25, "KDC_ERR_PREAUTH_REQUIRED"},
                             {26, "KDC_ERR_SERVER_NOMATCH"},
                             {27, "KDC_ERR_MUST_USE_USER2USER"},
                             {28, "KDC_ERR_PATH_NOT_ACCEPTED"},
                             {29, "KDC_ERR_SVC_UNAVAILABLE"},
                             {31, "KRB_AP_ERR_BAD_INTEGRITY"},
                             {32, "KRB_AP_ERR_TKT_EXPIRED"},
                             {33, "KRB_AP_ERR_TKT_NYV"},
                             {34, "KRB_AP_ERR_REPEAT"},
                             {35, "KRB_AP_ERR_NOT_US"},
                             {36, "KRB_AP_ERR_BADMATCH"},
                             {37, "KRB_AP_ERR_SKEW"},
                             {38, "KRB_AP_ERR_BADADDR"},
                             {39, "KRB_AP_ERR_BADVERSION"},
                             {40, "KRB_AP_ERR_MSG_TYPE"},
                             {41, "KRB_AP_ERR_MODIFIED"},
                             {42, "KRB_AP_ERR_BADORDER"},
                             {44, "KRB_AP_ERR_BADKEYVER"},
                             {45, "KRB_AP_ERR_NOKEY"},
                             {46, "KRB_AP_ERR_MUT_FAIL"},
                             {47, "KRB_AP_ERR_BADDIRECTION"},
                             {48, "KRB_AP_ERR_METHOD"},
                             {49, "KRB_AP_ERR_BADSEQ"},
                             {50, "KRB_AP_ERR_INAPP_CKSUM"},
                             {51, "KRB_AP_PATH_NOT_ACCEPTED"},
                             {52, "KRB_ERR_RESPONSE_TOO_BIG"},
                             {60, "KRB_ERR_GENERIC"},
                             {61, "KRB_ERR_FIELD_TOOLONG"},
                             {68, "KDC_ERR_WRONG_REALM"}};
constexpr int kMaxListed = 64;

/// What of a message is told, whatever its kind.
struct Parts {
  std::string_view cname, realm, crealm, sname;
  Bytes etypes, preauthentication, ticket, encrypted;
  std::int64_t error = 0;
  std::optional<Time> server_time;  ///< Of an error, when it was made, in seconds,
  std::int64_t server_micros = 0;   ///< and so many microseconds.
};

bool is_weak(std::int64_t etype) {
  return etype == 1 || etype == 2 || etype == 3 || etype == 23 || etype == 24;
}

/// The name's parts, joined by slashes; empty: it is none.
std::string_view name_text(Bytes value, Facts& facts) {
  char text[kMaxText];
  std::size_t size = 0;
  BerReader outer(value);
  BerReader name = outer.enter(kSequence);
  name.expect(kExplicit);
  BerReader list = name.enter(kExplicit + 1).enter(kSequence);
  while (list.ok() && !list.empty()) {
    const std::string_view part = text_of(list.next().value);
    if (size > 0 && size < sizeof text) text[size++] = '/';
    size += part.copy(text + size, sizeof text - size);
  }
  return facts.keep({text, size});
}

std::string_view string_of(Bytes value) {
  return text_of(BerReader(value).next().value);
}

/// Calls `visit(number, value)` for each of a SEQUENCE's tagged elements. False: it is none.
template <typename Visit>
bool each_part(BerReader outer, const Visit& visit) {
  BerReader parts = outer.enter(kSequence);
  while (parts.ok() && !parts.empty()) {
    const BerElement part = parts.next();
    if (!parts.ok() || part.tag < kExplicit || part.tag > kExplicit + 30) return false;
    visit(part.tag - kExplicit, part.value);
  }
  return outer.ok() && parts.ok();
}

bool read_request(BerReader message, Parts& out, Facts& facts) {
  Bytes body;
  const bool outer = each_part(message, [&](std::uint32_t number, Bytes value) {
    if (number == 3) out.preauthentication = value;
    if (number == 4) body = value;
  });
  return outer && each_part(BerReader(body), [&](std::uint32_t number, Bytes value) {
           if (number == 1) out.cname = name_text(value, facts);
           if (number == 2) out.realm = string_of(value);
           if (number == 3) out.sname = name_text(value, facts);
           if (number == 8) out.etypes = value;
         });
}

bool read_ticket(Bytes ticket, Parts& out, Facts& facts) {
  BerReader tagged(ticket);
  return each_part(tagged.enter(kApplication + 1), [&](std::uint32_t number, Bytes value) {
    if (number == 1) out.realm = string_of(value);
    if (number == 2) out.sname = name_text(value, facts);
    if (number == 3) out.ticket = value;
  });
}

bool read_reply(BerReader message, Parts& out, Facts& facts) {
  Bytes ticket;
  const bool outer = each_part(message, [&](std::uint32_t number, Bytes value) {
    if (number == 3) out.crealm = string_of(value);
    if (number == 4) out.cname = name_text(value, facts);
    if (number == 5) ticket = value;
    if (number == 6) out.encrypted = value;
  });
  return outer && read_ticket(ticket, out, facts);
}

/// AP-REQ and AP-REP.
bool read_token(BerReader message, bool request, Parts& out, Facts& facts) {
  Bytes ticket;
  const bool outer = each_part(message, [&](std::uint32_t number, Bytes value) {
    if (number == (request ? 4 : 2)) out.encrypted = value;
    if (number == 3) ticket = value;
  });
  return outer && (!request || read_ticket(ticket, out, facts));
}

bool read_error(BerReader message, Parts& out, Facts& facts) {
  return each_part(message, [&](std::uint32_t number, Bytes value) {
    if (number == 4) out.server_time = generalized_time(string_of(value));
    if (number == 5) out.server_micros = ber_integer(BerReader(value).expect(kInteger)).value_or(0);
    if (number == 6) out.error = ber_integer(BerReader(value).expect(kInteger)).value_or(0);
    if (number == 7) out.crealm = string_of(value);
    if (number == 8) out.cname = name_text(value, facts);
    if (number == 9) out.realm = string_of(value);
    if (number == 10) out.sname = name_text(value, facts);
  });
}

/// The etype of what is encrypted; 0: none.
std::int64_t etype_of(Bytes encrypted) {
  std::int64_t out = 0;
  each_part(BerReader(encrypted), [&](std::uint32_t number, Bytes value) {
    if (number == 0) out = ber_integer(BerReader(value).expect(kInteger)).value_or(0);
  });
  return out;
}

void tell_numbers(const char* name, BerReader list, std::span<const Named> names, Facts& facts) {
  facts.open_array(name);
  for (int i = 0; i < kMaxListed && list.ok() && !list.empty(); ++i) {
    const auto number = ber_integer(list.next().value);
    if (!number) continue;
    const auto value = static_cast<std::uint32_t>(*number);
    const char* known = name_of(names, value);
    facts.add("", known ? std::string_view(known) : keep_number(facts, "", value));
  }
  facts.close();
}

void tell_preauthentication(Bytes value, Facts& facts) {
  BerReader outer(value);
  BerReader list = outer.enter(kSequence);
  facts.open_array("pa_types");
  for (int i = 0; i < kMaxListed && list.ok() && !list.empty(); ++i) {
    each_part(list, [&](std::uint32_t number, Bytes part) {
      if (number != 1) return;
      if (const auto type = ber_integer(BerReader(part).expect(kInteger))) facts.add("", *type);
    });
    list.next();
  }
  facts.close();
}

void tell_encryption(const Parts& parts, const Context& context, Facts& facts) {
  const std::int64_t own = etype_of(parts.encrypted), ticket = etype_of(parts.ticket);
  tell_named(facts, "encryption", kEtypes, static_cast<std::uint32_t>(own));
  tell_named(facts, "ticket_encryption", kEtypes, static_cast<std::uint32_t>(ticket));
  const bool weak = is_weak(own) || is_weak(ticket);
  facts.add("weak_encryption", weak);
  if (weak)
    facts.act(Act::Kind::weak_authentication, context.sender(), context.receiver(),
              "krb5.encryption");
}

/// RFC 4120, section 7.5.9. Three codes are steps of a logon that goes on: the client is to prove
/// who it is, to ask again over TCP, or to ask another realm (RFC 6806, section 7).
void tell_error(std::int64_t code, const Context& context, Facts& facts) {
  constexpr std::int64_t kProveFirst = 25, kTooBig = 52, kWrongRealm = 68;
  tell_named(facts, "error_code", kErrors, static_cast<std::uint32_t>(code));
  if (code == kProveFirst || code == kTooBig || code == kWrongRealm) return;
  facts.act(Act::Kind::refused_authentication, context.sender(), context.receiver(),
            "krb5.error_code");
}

/// An error has the time of who made it; code 37 says that the other's clock is too far from it.
void tell_clocks(const Parts& parts, const Context& context, Facts& facts) {
  constexpr std::int64_t kSkew = 37, kMicrosOfASecond = 1'000'000;
  const bool exact = parts.server_micros >= 0 && parts.server_micros < kMicrosOfASecond;
  if (parts.server_time)
    facts.clock(context.sender(), *parts.server_time + (exact ? parts.server_micros * 1000 : 0),
                "krb5.stime");
  if (parts.error == kSkew)
    facts.clock_refused(context.receiver(), context.sender(), "krb5.error_code");
}

void learn(const Parts& parts, bool request, const Context& context, Facts& facts) {
  if (request) {
    if (parts.cname.ends_with('$') && parts.cname.size() > 1)
      facts.learn(context.sender(), Attribute::host_name,
                  parts.cname.substr(0, parts.cname.size() - 1), "krb5.cname");
    return;
  }
  facts.learn(context.sender(), Attribute::service, "kerberos", "krb5.msg_type",
              Confidence::implied);
  if (!parts.realm.empty())
    facts.learn(context.sender(), Attribute::domain, parts.realm, "krb5.realm");
}

/// The kind of the message at the front; 0: none of those that are told.
std::uint8_t kind_of(Bytes message) {
  if (message.empty() || (message[0] & 0xe0) != kApplication) return 0;
  const std::uint8_t kind = message[0] & 0x1f;
  return name_of(kKinds, kind) != nullptr ? kind : 0;
}

/// Whether the message begins with Kerberos' version, 5: in two heads and a tagged INTEGER.
constexpr std::size_t kFront = 17;  ///< The most bytes that takes.
bool has_version(Bytes message) {
  Cursor cursor(message);
  const auto length = [&] {
    const std::uint8_t first = cursor.u8();
    if ((first & 0x80) != 0) cursor.skip(first & 0x7f);
  };
  cursor.skip(1);
  length();
  const bool sequence = cursor.u8() == kSequence;
  length();
  const std::uint8_t tag = cursor.u8();
  return sequence && (tag == kExplicit || tag == kExplicit + 1) && cursor.u32() == 0x03020105 &&
         cursor.ok();
}

void tell_names(const Parts& parts, Facts& facts) {
  const auto text = [&](const char* name, std::string_view value) {
    if (!value.empty()) facts.add(name, value);
  };
  text("cname", parts.cname);
  text("realm", parts.realm);
  text("crealm", parts.crealm);
  text("sname", parts.sname);
}

Outcome dissect(Bytes message, const Context& context, Facts& facts) {
  const std::uint8_t kind = kind_of(message);
  if (message.empty()) return Malformed::truncated;
  if (kind == 0) return Malformed::bad_value;
  BerReader outer(message);
  const BerReader inside = outer.enter(kApplication + kind);
  if (!outer.ok()) return Malformed::truncated;
  facts.record("krb5");
  tell_named(facts, "msg_type", kKinds, kind);
  Parts parts;
  const bool request = kind == kAsReq || kind == kTgsReq;
  const bool right = request          ? read_request(inside, parts, facts)
                     : kind == kError ? read_error(inside, parts, facts)
                                      : read_reply(inside, parts, facts);
  tell_names(parts, facts);
  if (!right) return Malformed::bad_value;
  if (request) {
    context.ask(0);
    if (!parts.preauthentication.empty()) tell_preauthentication(parts.preauthentication, facts);
    BerReader list(parts.etypes);
    tell_numbers("etypes", list.enter(kSequence), kEtypes, facts);
  } else {
    if (kind == kError) {
      tell_error(parts.error, context, facts);
      tell_clocks(parts, context, facts);
    } else {
      tell_encryption(parts, context, facts);
    }
    if (const auto asked = context.answer(0)) facts.add("latency_us", context.latency_us(*asked));
  }
  learn(parts, request, context, facts);
  return Malformed::none;
}

/// What GSS carries.
Outcome dissect_token(Bytes message, const Context& context, Facts& facts) {
  if (message.empty()) return Malformed::truncated;
  const std::uint8_t kind = message[0] & 0x1f;
  const char* name = (message[0] & 0xe0) == kApplication ? name_of(kTokenKinds, kind) : nullptr;
  if (name == nullptr) return Malformed::bad_value;
  BerReader outer(message);
  const BerReader inside = outer.enter(kApplication + kind);
  if (!outer.ok()) return Malformed::truncated;
  facts.record("krb5");
  facts.add("msg_type", name);
  Parts parts;
  const bool right = kind == kError ? read_error(inside, parts, facts)
                                    : read_token(inside, kind == kApReq, parts, facts);
  tell_names(parts, facts);
  if (!right) return Malformed::bad_value;
  if (kind == kError) {
    tell_named(facts, "error_code", kErrors, static_cast<std::uint32_t>(parts.error));
    tell_clocks(parts, context, facts);
  }
  if (kind != kApReq) return Malformed::none;
  const std::int64_t etype = etype_of(parts.ticket);
  tell_named(facts, "ticket_encryption", kEtypes, static_cast<std::uint32_t>(etype));
  facts.add("weak_encryption", is_weak(etype));
  if (is_weak(etype))
    facts.act(Act::Kind::weak_authentication, context.receiver(), context.sender(),
              "krb5.encryption");
  return Malformed::none;
}

Outcome dissect_tcp(Bytes bytes, const Context& context, Facts& facts) {
  if (bytes.size() < kSize) return Malformed::truncated;
  return dissect(bytes.subspan(kSize), context, facts);
}

Probe verdict(std::uint8_t kind) {
  return kind == kAsReq || kind == kTgsReq ? Probe::client : Probe::server;
}

Probe probe(Bytes message, const Context&) {
  const std::uint8_t kind = kind_of(message);
  const BerSize whole = ber_size(message);
  if (kind == 0 || !whole.sound || whole.size != message.size()) return Probe::no;
  return has_version(message) ? verdict(kind) : Probe::no;
}

Framing frame(Bytes stream, const Context&) {
  if (stream.size() < kSize) return Framing::more();
  const std::uint32_t size = load_be32(stream.data());
  constexpr std::uint32_t kLongest = 1 << 20;
  if (size == 0 || size > kLongest) return Framing::lost();
  return Framing::message(static_cast<std::uint32_t>(kSize) + size);
}

Probe probe_tcp(Bytes stream, const Context& context) {
  const Framing framing = frame(stream, context);
  if (framing.status == Framing::Status::lost) return Probe::no;
  if (framing.status == Framing::Status::more) return Probe::maybe;
  const Bytes message = stream.subspan(kSize);
  if (!message.empty() && kind_of(message) == 0) return Probe::no;
  if (message.size() < std::min<std::size_t>(kFront, framing.size - kSize)) return Probe::maybe;
  const BerSize whole = ber_size(message);
  if (!whole.sound || whole.size != framing.size - kSize) return Probe::no;
  return has_version(message) ? verdict(kind_of(message)) : Probe::no;
}

constexpr Place kAt[] = {88};
constexpr Place kAtToken[] = {kKerberosToken};

}  // namespace
}  // namespace krb5

const Dissector kKrb5{.name = "krb5",
                      .carrier = Carrier::datagram,
                      .at = krb5::kAt,
                      .probe = krb5::probe,
                      .dissect = krb5::dissect};
const Dissector kKrb5Tcp{.name = "krb5",
                         .carrier = Carrier::stream,
                         .at = krb5::kAt,
                         .probe = krb5::probe_tcp,
                         .frame = krb5::frame,
                         .dissect = krb5::dissect_tcp};
const Dissector kKrb5Token{.name = "krb5",
                           .carrier = Carrier::inside,
                           .at = krb5::kAtToken,
                           .dissect = krb5::dissect_token,
                           .names_flow = false};

}  // namespace vmirror
