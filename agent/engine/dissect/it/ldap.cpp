// RFC 4511, section 4 (messages), 4.2 (bind), 4.5 (search), 4.14 (StartTLS); RFC 4513, section
// 5.2.1.1 and RFC 4422, section 3.7 (the security layer); [MS-ADTS], section 6.3.1.9 (NetLogon).
//
//   message   SEQUENCE of (INTEGER id, [APPLICATION n] operation, [0] controls, maybe)
//   layer     | size of the token[4] | token |            instead of messages
//   token     | 5 4 | flags[1] | ff | EC[2] | RRC[2] | 8 | checksum[EC] | messages |
//             RFC 4121, section 4.2.6.2, with RRC = EC; flag 2: sealed, nothing can be read
//   NetLogon  | 23[2 LE] | 0[2] | flags[4 LE] | GUID[16] | names, compressed as in DNS |
#include "agent/engine/dissect/it/ldap.hpp"

#include "agent/engine/dissect/ber.hpp"
#include "agent/engine/dissect/guid.hpp"
#include "agent/engine/dissect/it/spnego.hpp"
#include "agent/engine/dissect/it/tls.hpp"
#include "agent/engine/dissect/text.hpp"

namespace vmirror {
namespace ldap {
namespace {

constexpr std::uint32_t kMessage = 0x30, kMostBytes = 64 << 20;
constexpr int kMaxListed = 32;
enum Operation : std::uint32_t {
  kBind = 0x60,
  kBindResponse = 0x61,
  kUnbind = 0x42,
  kSearch = 0x63,
  kEntry = 0x64,
  kSearchDone = 0x65,
  kExtended = 0x77,
  kExtendedResponse = 0x78,
};
constexpr Named kOperations[] = {{kBind, "bind_request"},
                                 {kBindResponse, "bind_response"},
                                 {kUnbind, "unbind_request"},
                                 {kSearch, "search_request"},
                                 {kEntry, "search_result_entry"},
                                 {kSearchDone, "search_result_done"},
                                 {0x73, "search_result_reference"},
                                 {0x66, "modify_request"},
                                 {0x67, "modify_response"},
                                 {0x68, "add_request"},
                                 {0x69, "add_response"},
                                 {0x4a, "delete_request"},
                                 {0x6b, "delete_response"},
                                 {0x6c, "modify_dn_request"},
                                 {0x6d, "modify_dn_response"},
                                 {0x6e, "compare_request"},
                                 {0x6f, "compare_response"},
                                 {0x50, "abandon_request"},
                                 {kExtended, "extended_request"},
                                 {kExtendedResponse, "extended_response"},
                                 {0x79, "intermediate_response"}};
constexpr Named kResults[] = {{0, "success"},
                              {1, "operations_error"},
                              {2, "protocol_error"},
                              {3, "time_limit_exceeded"},
                              {4, "size_limit_exceeded"},
                              {5, "compare_false"},
                              {6, "compare_true"},
                              {7, "auth_method_not_supported"},
                              {8, "stronger_auth_required"},
                              {10, "referral"},
                              {14, "sasl_bind_in_progress"},
                              {16, "no_such_attribute"},
                              {32, "no_such_object"},
                              {34, "invalid_dn_syntax"},
                              {48, "inappropriate_authentication"},
                              {49, "invalid_credentials"},
                              {50, "insufficient_access_rights"},
                              {51, "busy"},
                              {52, "unavailable"},
                              {53, "unwilling_to_perform"},
                              {68, "entry_already_exists"},
                              {80, "other"}};
constexpr Named kScopes[] = {{0, "base"}, {1, "one_level"}, {2, "subtree"}};
constexpr std::string_view kStartTls = "1.3.6.1.4.1.1466.20037";

/// What is known of a connection.
struct Session {
  bool sasl_asked;  ///< The last bind was one of SASL.
  bool sasl_bound;  ///< It succeeded: what follows may be sealed.
};
/// Of a request that waits, in Request::a.
enum Asked : std::uint32_t { kPlain, kSasl, kTlsStart };

constexpr std::size_t kSize = 4, kToken = 16;

/// Whether what a token of the security layer carries is signed alone. `bytes` begin with its size.
bool is_in_clear(Bytes bytes) {
  if (bytes.size() < kSize + kToken) return false;
  const std::uint8_t* token = bytes.data() + kSize;
  return token[0] == 5 && token[1] == 4 && (token[2] & 2) == 0 &&
         load_be16(token + 4) == load_be16(token + 6);
}

bool has_result(std::uint32_t operation) {
  switch (operation) {
    case kBindResponse:
    case kSearchDone:
    case 0x67:
    case 0x69:
    case 0x6b:
    case 0x6d:
    case 0x6f:
    case kExtendedResponse:
      return true;
    default:
      return false;
  }
}

bool from_server(std::uint32_t operation) {
  return has_result(operation) || operation == kEntry || operation == 0x73 || operation == 0x79;
}

bool is_same(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return (x | 0x20) == (y | 0x20); });
}

/// A filter in the text form of RFC 4515, as far as there is room; deeper than kDepth: "...".
class FilterText {
 public:
  std::string_view text(Bytes filter, Facts& facts) {
    add(filter, 0);
    return facts.keep({out_, size_});
  }

 private:
  static constexpr int kDepth = 8;
  void put(std::string_view text) {
    const std::size_t n = std::min(text.size(), sizeof out_ - size_);
    std::copy_n(text.data(), n, out_ + size_);
    size_ += n;
  }
  void put_value(Bytes value) {
    constexpr char kHex[] = "0123456789abcdef";
    for (const std::uint8_t byte : value) {
      if (byte >= ' ' && byte <= '~' && byte != '(' && byte != ')' && byte != '*' && byte != '\\') {
        const char c = static_cast<char>(byte);
        put({&c, 1});
      } else {
        const char escaped[] = {'\\', kHex[byte >> 4], kHex[byte & 15]};
        put({escaped, 3});
      }
    }
  }
  void add(Bytes filter, int depth) {
    const BerElement element = BerReader(filter).next();
    if (depth > kDepth) return put("...");
    put("(");
    switch (element.tag) {
      case 0xa0:
      case 0xa1:
      case 0xa2: {
        put(element.tag == 0xa0 ? "&" : element.tag == 0xa1 ? "|" : "!");
        for (BerReader parts(element.value); !parts.empty() && parts.ok() && size_ < sizeof out_;) {
          const Bytes rest = parts.rest();
          parts.next();
          add(rest, depth + 1);
        }
        break;
      }
      case 0xa3:
      case 0xa5:
      case 0xa6:
      case 0xa8: {
        BerReader parts(element.value);
        put_value(parts.next().value);
        put(element.tag == 0xa3   ? "="
            : element.tag == 0xa5 ? ">="
            : element.tag == 0xa6 ? "<="
                                  : "~=");
        put_value(parts.next().value);
        break;
      }
      case 0xa4:
        add_substrings(BerReader(element.value));
        break;
      case 0x87:
        put_value(element.value);
        put("=*");
        break;
      default:
        put("?");
        break;
    }
    put(")");
  }
  void add_substrings(BerReader parts) {
    put_value(parts.next().value);
    put("=");
    std::uint32_t last = 0;
    for (BerReader pieces(parts.next().value); !pieces.empty() && pieces.ok();) {
      const BerElement piece = pieces.next();
      if (piece.tag != 0x80) put("*");
      put_value(piece.value);
      last = piece.tag;
    }
    if (last != 0x82) put("*");
  }

  char out_[kMaxText];
  std::size_t size_ = 0;
};

/// `token`: what the method carries of NTLM or GSS.
std::uint32_t tell_bind(BerReader body, const Context& context, Session* session, Bytes& token,
                        Facts& facts) {
  constexpr std::uint32_t kSicilyNegotiate = 0x8a, kSicilyResponse = 0x8b;  // [MS-ADTS], 5.1.1.1.3
  if (const auto version = ber_unsigned(body.expect(0x02))) facts.add("version", *version);
  const std::string_view name = text_of(body.expect(0x04));
  if (!name.empty()) facts.add("name", name);
  const BerElement method = body.next();
  if (method.tag == 0x80) {
    facts.add("authentication", "simple");
    if (!method.value.empty())
      facts.act(Act::Kind::weak_authentication, context.receiver(), context.sender(),
                "ldap.authentication");
  } else if (method.tag == 0xa3) {
    facts.add("authentication", "sasl");
    BerReader sasl(method.value);
    facts.add("mechanism", text_of(sasl.next().value));
    if (!sasl.empty()) token = sasl.next().value;
    if (session) session->sasl_asked = true;
    return kSasl;
  } else if (method.tag == kSicilyNegotiate || method.tag == kSicilyResponse) {
    facts.add("authentication", "ntlm");
    token = method.value;
  }
  if (session) session->sasl_asked = false;
  return kPlain;
}

void tell_search(BerReader body, Facts& facts) {
  facts.add("base", text_of(body.expect(0x04)));
  if (const auto scope = ber_unsigned(body.expect(0x0a)))
    tell_named(facts, "scope", kScopes, static_cast<std::uint32_t>(*scope));
  body.next();
  body.next();
  body.next();
  body.next();
  const Bytes filter = body.rest();
  body.next();
  if (!body.ok()) return;
  facts.add("filter", FilterText().text(filter, facts));
  BerReader attributes = body.enter(kMessage);
  if (attributes.empty()) return;
  facts.open_array("attributes");
  for (int i = 0; i < kMaxListed && !attributes.empty() && attributes.ok(); ++i)
    facts.add("", text_of(attributes.next().value));
  facts.close();
}

bool is_text(Bytes value) {
  return std::all_of(value.begin(), value.end(), [](std::uint8_t c) { return c >= ' '; });
}

/// What the directory's root says of the server.
void learn_root(std::string_view name, Bytes value, const Context& context, const char* source,
                Facts& facts) {
  if (is_same(name, "dnsHostName"))
    facts.learn(context.sender(), Attribute::host_name, text_of(value), source);
  if (is_same(name, "rootDomainNamingContext"))
    facts.learn(context.sender(), Attribute::domain, text_of(value), source);
  if (is_same(name, "dsServiceName"))
    facts.learn(context.sender(), Attribute::role, "domain_controller", source);
}

/// A name compressed as in DNS, with pointers into `all`; kept in `facts`. `at` moves behind it.
std::string_view netlogon_name(Bytes all, std::size_t& at, Facts& facts) {
  constexpr int kMaxJumps = 16;
  char out[256];
  std::size_t size = 0, from = at;
  int jumps = 0;
  while (from < all.size() && size + 65 < sizeof out) {
    const std::uint8_t label = all[from];
    if (label >= 0xc0) {
      if (from + 1 >= all.size() || jumps == kMaxJumps) break;
      if (jumps++ == 0) at = from + 2;
      from = (label & 0x3fU) << 8 | all[from + 1];
      continue;
    }
    ++from;
    if (label == 0 || from + label > all.size() || label > 63) break;
    if (size > 0) out[size++] = '.';
    std::copy_n(all.begin() + static_cast<std::ptrdiff_t>(from), label, out + size);
    size += label;
    from += label;
  }
  if (jumps == 0) at = from;
  return facts.keep({out, size});
}

void tell_netlogon(Bytes value, const Context& context, Facts& facts) {
  constexpr std::size_t kNames = 24;
  constexpr const char* kFields[] = {"forest",           "domain", "host",        "netbios_domain",
                                     "netbios_computer", "user",   "server_site", "client_site"};
  if (value.size() < kNames || value[0] != 23 || value[1] != 0) return;
  facts.open_object("netlogon");
  facts.add("domain_guid", guid_text(value.subspan(8, 16), facts));
  std::size_t at = kNames;
  std::string_view names[std::size(kFields)];
  for (std::size_t i = 0; i < std::size(kFields); ++i) {
    names[i] = netlogon_name(value, at, facts);
    if (!names[i].empty()) facts.add(kFields[i], names[i]);
  }
  facts.close();
  facts.learn(context.sender(), Attribute::role, "domain_controller", "ldap.netlogon");
  if (!names[1].empty())
    facts.learn(context.sender(), Attribute::domain, names[1], "ldap.netlogon");
  if (!names[2].empty())
    facts.learn(context.sender(), Attribute::host_name, names[2], "ldap.netlogon");
}

void tell_entry(BerReader body, const Context& context, Facts& facts) {
  const std::string_view object = text_of(body.expect(0x04));
  facts.add("object_name", object);
  BerReader attributes = body.enter(kMessage);
  Bytes netlogon;
  facts.open_array("attributes");
  for (int i = 0; i < kMaxListed && !attributes.empty() && attributes.ok(); ++i) {
    BerReader attribute = attributes.enter(kMessage);
    const std::string_view name = text_of(attribute.expect(0x04));
    BerReader values = attribute.enter(0x31);
    if (!attribute.ok()) break;
    const Bytes value = values.empty() ? Bytes() : values.next().value;
    facts.open_object("");
    facts.add("name", name);
    if (is_text(value)) facts.add("value", text_of(value));
    facts.close();
    if (object.empty()) learn_root(name, value, context, "ldap.root", facts);
    if (is_same(name, "NetLogon")) netlogon = value;
  }
  facts.close();
  if (!netlogon.empty()) tell_netlogon(netlogon, context, facts);
}

/// The result; what it means for the rest of the connection.
Outcome tell_result(const LdapMessage& ldap, BerReader body, const Context& context,
                    Session* session, Bytes& token, Facts& facts) {
  const auto code = ber_unsigned(body.expect(0x0a));
  if (!code) return Malformed::bad_value;
  facts.add("result_code", *code);
  if (const char* name = name_of(kResults, static_cast<std::uint32_t>(*code)))
    facts.add("result", name);
  const Bytes matched = body.expect(0x04);
  const std::string_view message = text_of(body.expect(0x04));
  if (!message.empty()) facts.add("message", message);
  constexpr std::uint32_t kSaslCredentials = 0x87;
  if (ldap.operation == kBindResponse) token = matched;  // Where NTLM without SASL is answered.
  while (ldap.operation == kBindResponse && body.ok() && !body.empty())
    if (const BerElement part = body.next(); part.tag == kSaslCredentials) token = part.value;
  const auto request = context.answer(ldap.id);
  if (request) facts.add("latency_us", context.latency_us(*request));
  constexpr std::uint64_t kInvalidCredentials = 49;
  if (ldap.operation == kBindResponse && *code == kInvalidCredentials)
    facts.act(Act::Kind::refused_authentication, context.sender(), context.receiver(),
              "ldap.result_code");
  if (ldap.operation == kBindResponse && *code == 0 && session)
    session->sasl_bound = session->sasl_asked;
  const bool secured =
      ldap.operation == kExtendedResponse && *code == 0 && request && request->a == kTlsStart;
  return secured ? Outcome::become(kTls) : Outcome(Malformed::none);
}

Outcome tell(const LdapMessage& ldap, const char* record, const Context& context, Session* session,
             Facts& facts) {
  facts.record(record);
  facts.add("message_id", ldap.id);
  tell_named(facts, "operation", kOperations, ldap.operation);
  BerReader body(ldap.body);
  Outcome outcome = Malformed::none;
  std::uint32_t asked = kPlain;
  Bytes token;
  switch (ldap.operation) {
    case kBind:
      asked = tell_bind(body, context, session, token, facts);
      break;
    case kSearch:
      tell_search(body, facts);
      break;
    case kEntry:
      tell_entry(body, context, facts);
      break;
    case kExtended: {
      const std::string_view oid = text_of(body.expect(0x80));
      facts.add("oid", oid);
      if (oid == kStartTls) asked = kTlsStart;
      break;
    }
    default:
      break;
  }
  if (has_result(ldap.operation)) outcome = tell_result(ldap, body, context, session, token, facts);
  if (from_server(ldap.operation)) {
    facts.learn(context.sender(), Attribute::service, record, "ldap.operation",
                Confidence::implied);
  } else if (ldap.operation != kUnbind && ldap.operation != 0x50) {
    context.ask(ldap.id, asked);
  }
  hand_down_gss(token, context, facts);
  return outcome;
}

/// One message behind another.
Outcome tell_all(Bytes bytes, const char* record, const Context& context, Session* session,
                 Facts& facts) {
  while (!bytes.empty()) {
    Bytes rest;
    const auto ldap = parse_ldap(bytes, rest);
    if (!ldap) return ldap.error();
    const Outcome outcome = tell(*ldap, record, context, session, facts);
    if (outcome.malformed != Malformed::none) return outcome.malformed;
    bytes = rest;
  }
  return Malformed::none;
}

Outcome dissect_stream(Bytes bytes, const Context& context, Facts& facts) {
  Session* state = context.state<Session>();
  if (state && state->sasl_bound && !bytes.empty() && bytes[0] != kMessage) {
    if (is_in_clear(bytes)) {
      const std::size_t head = kSize + kToken + load_be16(&bytes[kSize + 4]);
      return tell_all(bytes.subspan(std::min(head, bytes.size())), "ldap", context, state, facts);
    }
    facts.record("ldap");
    facts.add("operation", "sealed");
    return Outcome::done();
  }
  Bytes rest;
  const auto ldap = parse_ldap(bytes, rest);
  if (!ldap) return ldap.error();
  if (!rest.empty()) return Malformed::bad_length;
  return tell(*ldap, "ldap", context, state, facts);
}

Outcome dissect_datagram(Bytes bytes, const Context& context, Facts& facts) {
  return tell_all(bytes, "cldap", context, nullptr, facts);
}

Framing frame(Bytes stream, const Context& context) {
  if (stream[0] != kMessage) {
    const Session* state = context.has_state() ? context.state<Session>() : nullptr;
    if (state == nullptr || !state->sasl_bound) return Framing::lost();
    if (stream.size() < kSize) return Framing::more();
    const std::uint32_t size = load_be32(stream.data());
    if (size == 0 || size > kMostBytes) return Framing::lost();
    if (stream.size() < kSize + std::min<std::size_t>(size, kToken)) return Framing::more();
    return Framing::message(4 + size, is_in_clear(stream) ? Framing::kAll : kSize);
  }
  const BerSize size = ber_size(stream);
  if (!size.sound || size.size.value_or(0) > kMostBytes) return Framing::lost();
  if (!size.size) return Framing::more();
  return *size.size < 7 ? Framing::lost()
                        : Framing::message(static_cast<std::uint32_t>(*size.size));
}

/// The head of a message: its ID, and an operation that fits into it.
Probe probe_head(Bytes bytes) {
  constexpr std::size_t kHead = 16;
  const BerSize size = ber_size(bytes);
  if (bytes.empty() || bytes[0] != kMessage || !size.sound) return Probe::no;
  if (!size.size || (bytes.size() < kHead && bytes.size() < *size.size)) return Probe::maybe;
  Cursor cursor(bytes);
  cursor.u8();
  const std::uint8_t first = cursor.u8();
  cursor.skip(first < 0x80 ? 0 : first & 0x7f);
  const std::uint64_t message = *size.size - cursor.offset();
  const bool integer = cursor.u8() == 0x02;
  const std::uint8_t digits = cursor.u8();
  cursor.skip(digits);
  if (!integer || digits == 0 || digits > 4 || cursor.empty()) return Probe::no;
  const std::uint32_t operation = cursor.rest()[0];
  const BerSize body = ber_size(cursor.rest());
  if (name_of(kOperations, operation) == nullptr || !body.sound || !body.size) return Probe::no;
  if (2U + digits + *body.size > message) return Probe::no;
  return from_server(operation) ? Probe::server : Probe::client;
}

Probe probe_stream(Bytes bytes, const Context&) {
  return probe_head(bytes);
}

Probe probe_datagram(Bytes bytes, const Context& context) {
  Bytes rest;
  const Probe head = probe_head(bytes);
  return is_yes(head) && (context.cut || parse_ldap(bytes, rest)) ? head : Probe::no;
}

constexpr Place kAt[] = {389, 3268};
constexpr Place kAtDatagram[] = {389};
constexpr Place kHandsDown[] = {kGssToken, kNtlmToken};

}  // namespace
}  // namespace ldap

Parsed<LdapMessage> parse_ldap(Bytes bytes, Bytes& rest) {
  BerReader reader(bytes);
  const BerElement message = reader.next();
  if (!bytes.empty() && bytes[0] != ldap::kMessage) return bad(Malformed::bad_value);
  if (!reader.ok()) return bad(Malformed::truncated);
  rest = reader.rest();
  BerReader parts(message.value);
  LdapMessage out;
  const auto id = ber_unsigned(parts.expect(0x02));
  const BerElement operation = parts.next();
  if (!parts.ok() || !id) return bad(Malformed::bad_length);
  out.id = static_cast<std::uint32_t>(*id);
  out.operation = operation.tag;
  out.body = operation.value;
  if (name_of(ldap::kOperations, out.operation) == nullptr) return bad(Malformed::bad_value);
  return out;
}

const Dissector kLdap{.name = "ldap",
                      .carrier = Carrier::stream,
                      .at = ldap::kAt,
                      .hands_down = ldap::kHandsDown,
                      .probe = ldap::probe_stream,
                      .frame = ldap::frame,
                      .dissect = ldap::dissect_stream};
const Dissector kCldap{.name = "cldap",
                       .carrier = Carrier::datagram,
                       .at = ldap::kAtDatagram,
                       .probe = ldap::probe_datagram,
                       .dissect = ldap::dissect_datagram};

}  // namespace vmirror
