// RFC 8446, sections 4 and 5 (records, handshake, hellos); RFC 5246, section 7.4.2 (certificate);
// RFC 6066, section 3 (server name); RFC 7301, section 3.1 (ALPN); RFC 5280, section 4.1.
//
//   field[n]: n bytes
//
//   record     | type[1] | version[2] | size[2] | fragment, at most 2^14 + 2048 |
//              20: change of cipher, 21: alert, 22: handshake, 23: data
//   handshake  | type[1] | size[3] | body |       over the records' ends, several in a record
//   hello      | version[2] | random[32] | size[1], session | client: size[2], suites |
//              | size[1], methods | server: suite[2] | method[1] | size[2], extensions |
//   extension  | type[2] | size[2] | ... |
#include "agent/engine/dissect/it/tls.hpp"

#include "agent/engine/dissect/ber.hpp"
#include "agent/engine/dissect/text.hpp"

namespace vmirror {
namespace tls {
namespace {

enum Content : std::uint8_t { kChangeCipher = 20, kAlert = 21, kHandshake = 22, kData = 23 };
enum Kind : std::uint8_t { kClientHello = 1, kServerHello = 2, kCertificate = 11 };
constexpr std::size_t kRecord = 5;
constexpr std::uint16_t kMostFragment = (1 << 14) + 2048, kTls13 = 0x0304;
constexpr Named kVersions[] = {{0x0300, "SSLv3"},
                               {0x0301, "TLSv1"},
                               {0x0302, "TLS 1.1"},
                               {0x0303, "TLS 1.2"},
                               {kTls13, "TLS 1.3"}};
constexpr Named kAlerts[] = {
    {0, "close_notify"},           {10, "unexpected_message"},  {20, "bad_record_mac"},
    {40, "handshake_failure"},     {42, "bad_certificate"},     {43, "unsupported_certificate"},
    {44, "certificate_revoked"},   {45, "certificate_expired"}, {46, "certificate_unknown"},
    {47, "illegal_parameter"},     {48, "unknown_ca"},          {49, "access_denied"},
    {50, "decode_error"},          {51, "decrypt_error"},       {70, "protocol_version"},
    {71, "insufficient_security"}, {80, "internal_error"},      {112, "unrecognized_name"},
    {116, "certificate_required"}};

/// What is known of a connection: whose handshake has gone over to encryption.
struct Session {
  bool encrypted[2];
  bool tls13;
  bool spoke[2];  ///< In clear, at all.
  bool retried;  ///< A second hello is to come, maybe behind a change of cipher that means nothing.
};

/// HelloRetryRequest (RFC 8446, section 4.1.3) is a server hello with this random.
constexpr std::uint8_t kRetry[] = {0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11};

bool is_grease(std::uint16_t value) {  // RFC 8701
  return (value & 0x0f0f) == 0x0a0a && value >> 8 == (value & 0xff);
}

/// Calls `visit(type, data)` for each extension.
template <typename Visit>
void each_extension(Cursor& cursor, const Visit& visit) {
  if (cursor.empty()) return;
  Cursor extensions = cursor.sub(cursor.u16());
  while (!extensions.empty()) {
    const std::uint16_t type = extensions.u16();
    const Bytes data = extensions.take(extensions.u16());
    if (extensions.ok()) visit(type, data);
  }
}

std::string_view first_protocol(Bytes data) {
  Cursor cursor(data);
  cursor.u16();
  return as_text(cursor.take(cursor.u8()));
}

std::string_view host_of(Bytes data) {
  Cursor cursor(data);
  cursor.u16();
  const bool host = cursor.u8() == 0;
  const Bytes name = cursor.take(cursor.u16());
  return host ? text_of(name) : std::string_view();
}

/// As it is, since an ALPN name is bytes; an empty one is not told.
void add_text(Facts& facts, const char* name, std::string_view text) {
  if (!text.empty()) facts.add(name, text);
}

/// The common name, or the organisation, of a Name.
std::string_view name_of_certificate(Bytes name) {
  std::string_view common, organisation;
  for (BerReader parts(name); !parts.empty() && parts.ok();) {
    BerReader part = BerReader(parts.expect(0x31)).enter(0x30);
    const Bytes oid = part.expect(0x06);
    const Bytes value = part.next().value;
    if (oid.size() != 3 || oid[0] != 0x55 || oid[1] != 4) continue;
    if (oid[2] == 3) common = text_of(value);
    if (oid[2] == 10) organisation = text_of(value);
  }
  return common.empty() ? organisation : common;
}

void read_alternatives(Bytes value, X509Names& out) {
  for (BerReader names = BerReader(value).enter(0x30); !names.empty() && names.ok();) {
    const BerElement name = names.next();
    if (name.tag == 0x82 && out.dns_name_count < out.dns_names.size())
      out.dns_names[out.dns_name_count++] = text_of(name.value);
  }
}

Malformed tell_client(Bytes body, Facts& facts) {
  const auto hello = parse_client_hello(body);
  if (!hello) return hello.error();
  facts.record("tls");
  facts.add("type", "client_hello");
  tell_named(facts, "version", kVersions, hello->version);
  add_text(facts, "sni", hello->server_name);
  add_text(facts, "alpn", hello->protocol);
  facts.add("cipher_suites", hello->cipher_suites);
  return Malformed::none;
}

Malformed tell_server(Bytes body, const Context& context, Session* session, Facts& facts) {
  const auto hello = parse_server_hello(body);
  if (!hello) return hello.error();
  const bool retry =
      body.size() >= 10 && std::equal(std::begin(kRetry), std::end(kRetry), body.begin() + 2);
  facts.record("tls");
  facts.add("type", retry ? "hello_retry_request" : "server_hello");
  tell_named(facts, "version", kVersions, hello->version);
  facts.add("cipher_suite", hello->cipher_suite);
  add_text(facts, "alpn", hello->protocol);
  if (session) session->tls13 = hello->version >= kTls13 && !retry;
  if (session) session->retried = retry;
  facts.learn(context.sender(), Attribute::service, "tls", "tls.server_hello", Confidence::implied);
  if (hello->version < 0x0303)
    facts.act(Act::Kind::weak_authentication, context.sender(), context.receiver(), "tls.version");
  return Malformed::none;
}

Malformed tell_certificate(Bytes body, const Context& context, Facts& facts) {
  Cursor cursor(body);
  cursor.u24();
  const Bytes der = cursor.take(cursor.u24());
  if (!cursor.ok()) return Malformed::bad_length;
  if (der.empty()) return Malformed::none;
  const auto names = parse_certificate(der);
  if (!names) return names.error();
  facts.record("tls");
  facts.add("type", "certificate");
  facts.add("from", context.to_server ? "client" : "server");
  add_text(facts, "subject", names->subject);
  add_text(facts, "issuerdn", names->issuer);
  if (names->dns_name_count > 0) {
    facts.open_array("subjectaltname");
    for (std::size_t i = 0; i < names->dns_name_count; ++i) facts.add("", names->dns_names[i]);
    facts.close();
  }
  const std::string_view name = names->dns_name_count > 0 ? names->dns_names[0] : names->subject;
  if (!name.empty()) facts.learn(context.sender(), Attribute::host_name, name, "tls.certificate");
  return Malformed::none;
}

Malformed tell_handshake(Bytes messages, const Context& context, Session* session, Facts& facts) {
  Malformed malformed = Malformed::none;
  for (Cursor cursor(messages); !cursor.empty() && malformed == Malformed::none;) {
    const std::uint8_t kind = cursor.u8();
    const Bytes body = cursor.take(cursor.u24());
    if (!cursor.ok()) return Malformed::truncated;
    if (kind == kClientHello) malformed = tell_client(body, facts);
    if (kind == kServerHello) malformed = tell_server(body, context, session, facts);
    if (kind == kCertificate) malformed = tell_certificate(body, context, facts);
  }
  return malformed;
}

/// How many handshake messages' bytes are whole at the front; 0: the first is not.
bool ends_with_a_message(Bytes bytes) {
  Cursor cursor(bytes);
  while (!cursor.empty() && cursor.ok()) {
    cursor.u8();
    cursor.skip(cursor.u24());
  }
  return cursor.ok();
}

/// The fragments of a handshake whose end is not at a record's end.
Malformed tell_fragment(Bytes fragment, const Context& context, Session* session, Facts& facts) {
  struct Pending {
    std::uint32_t left;  ///< Bytes to come of the message that the last record did not end.
  };
  Pending* pending = context.state<Pending>(2 + context.to_server);
  if (pending == nullptr || (pending->left == 0 && ends_with_a_message(fragment)))
    return tell_handshake(fragment, context, session, facts);
  if (pending->left == 0) {  // Whole messages, then the front of one.
    Cursor cursor(fragment);
    std::size_t whole = 0;
    std::uint32_t size = 0;
    while (cursor.left() >= 4) {
      cursor.u8();
      size = cursor.u24();
      if (cursor.left() < size) break;
      cursor.skip(size);
      whole = cursor.offset();
      size = 0;
    }
    if (size == 0 || size > kMaxMessage) return Malformed::none;
    pending->left = size + 4 - static_cast<std::uint32_t>(fragment.size() - whole);
    context.join(fragment.subspan(whole), Begins::yes, false);
    return tell_handshake(fragment.first(whole), context, session, facts);
  }
  const auto used = std::min<std::size_t>(pending->left, fragment.size());
  pending->left -= static_cast<std::uint32_t>(used);
  const bool last = pending->left == 0;
  const auto joined = context.join(fragment.first(used), Begins::no, last);
  if (!last || !joined) return Malformed::none;
  const Malformed malformed = tell_handshake(joined->bytes, context, session, facts);
  if (malformed != Malformed::none || used == fragment.size()) return malformed;
  return tell_fragment(fragment.subspan(used), context, session, facts);
}

Malformed tell_alert(Bytes fragment, Facts& facts) {
  if (fragment.size() != 2) return Malformed::none;  // Encrypted.
  facts.record("tls");
  facts.add("type", "alert");
  facts.add("level", fragment[0] == 2 ? "fatal" : "warning");
  tell_named(facts, "description", kAlerts, fragment[1]);
  return Malformed::none;
}

/// A hello in the form of SSL 2, which old clients begin with (RFC 5246, appendix E.2):
/// | 1:1 size:15 | 1[1] | version[2] | suites' size[2] | session's[2] | challenge's[2] | ...
bool is_old_hello(Bytes stream) {
  return stream.size() >= 5 && (stream[0] & 0x80) != 0 && stream[2] == kClientHello &&
         stream[3] == 3 && stream[4] <= 4;
}

Malformed tell_old_hello(Bytes hello, Facts& facts) {
  if (hello.size() < 7) return Malformed::truncated;
  facts.record("tls");
  facts.add("type", "client_hello");
  tell_named(facts, "version", kVersions, load_be16(&hello[3]));
  facts.add("cipher_suites", load_be16(&hello[5]) / 3);
  return Malformed::none;
}

Outcome dissect(Bytes record, const Context& context, Facts& facts) {
  if (is_old_hello(record)) return tell_old_hello(record, facts);
  if (record.size() < kRecord) return Malformed::truncated;
  const std::uint8_t content = record[0];
  const Bytes fragment = record.subspan(kRecord);
  Session* session = context.state<Session>();
  Session none{};
  Session& s = session ? *session : none;
  const std::size_t side = context.to_server ? 0 : 1;
  Session now = s;
  Malformed malformed = Malformed::none;
  if (content == kHandshake && !s.encrypted[side]) {
    now.spoke[side] = true;
    malformed = tell_fragment(fragment, context, &now, facts);
    if (now.tls13) now.encrypted[1] = true;
  } else if (content == kAlert && !s.encrypted[side]) {
    malformed = tell_alert(fragment, facts);
  } else if (content == kChangeCipher) {
    now.encrypted[side] |= !now.retried;
  } else if (content == kData) {
    now.encrypted[side] = true;
  }
  if (Session* again = context.state<Session>()) *again = now;
  // In TLS 1.3 all behind the server's hello is encrypted; before, what both sides' change of
  // cipher follows. Data says so too, where the beginning was not seen.
  const bool data = content == kData && (now.spoke[1] || !now.spoke[0]);  // Not early data.
  const bool done = now.tls13 || (now.encrypted[0] && now.encrypted[1]) || data;
  if (done && malformed == Malformed::none) return Outcome::done();
  return malformed;
}

Framing frame(Bytes stream, const Context&) {
  if ((stream[0] & 0x80) != 0 && stream.size() < 5) return Framing::more();
  if (is_old_hello(stream)) return Framing::message(2 + (load_be16(stream.data()) & 0x7fffU));
  if (stream[0] < kChangeCipher || stream[0] > 24) return Framing::lost();
  if (stream.size() > 1 && stream[1] != 3) return Framing::lost();
  if (stream.size() < kRecord) return Framing::more();
  const std::uint16_t size = load_be16(&stream[3]);
  if (size > kMostFragment || size == 0) return Framing::lost();
  // Data is not looked at.
  return Framing::message(kRecord + size, stream[0] == kData ? kRecord : Framing::kAll);
}

/// A hello, and the lengths in its front agree.
Probe probe(Bytes stream, const Context& context) {
  if (stream.empty()) return Probe::maybe;
  const Framing framing = frame(stream, context);
  if (framing.status == Framing::Status::lost) return Probe::no;
  if (framing.status == Framing::Status::more) return Probe::maybe;
  if (is_old_hello(stream)) return context.at_own_port ? Probe::client : Probe::no;
  if (stream[2] > 4) return Probe::no;
  if (stream[0] == kHandshake) {
    if (stream.size() < kRecord + 6) return Probe::maybe;
    const std::uint8_t kind = stream[kRecord];
    const bool hello = kind == kClientHello || kind == kServerHello;
    if (hello && stream[kRecord + 1] == 0 && stream[kRecord + 4] == 3)
      return kind == kClientHello ? Probe::client : Probe::server;
  }
  return context.at_own_port ? Probe::yes : Probe::no;
}

constexpr Place kAt[] = {443, 465, 636, 853, 989, 990, 992, 993, 995, 3269, 5061, 8443, 8883};

/// The head that both hellos have, up to the session.
Cursor after_session(Cursor cursor, std::uint16_t& version) {
  version = cursor.u16();
  cursor.skip(32);
  cursor.skip(cursor.u8());
  return cursor;
}

}  // namespace
}  // namespace tls

Parsed<TlsClientHello> parse_client_hello(Bytes body) {
  TlsClientHello out;
  Cursor cursor = tls::after_session(Cursor(body), out.version);
  const std::uint16_t suites = cursor.u16();
  cursor.skip(suites);
  cursor.skip(cursor.u8());
  if (!cursor.ok()) return bad(Malformed::truncated);
  out.cipher_suites = suites / 2;
  tls::each_extension(cursor, [&](std::uint16_t type, Bytes data) {
    if (type == 0) out.server_name = tls::host_of(data);
    if (type == 16) out.protocol = tls::first_protocol(data);
    if (type != 43) return;
    Cursor versions(data);
    for (versions.u8(); !versions.empty();)
      if (const std::uint16_t v = versions.u16(); !tls::is_grease(v) && v > out.version)
        out.version = v;
  });
  if (!cursor.ok()) return bad(Malformed::bad_length);
  return out;
}

Parsed<TlsServerHello> parse_server_hello(Bytes body) {
  TlsServerHello out;
  Cursor cursor = tls::after_session(Cursor(body), out.version);
  out.cipher_suite = cursor.u16();
  cursor.u8();
  if (!cursor.ok()) return bad(Malformed::truncated);
  tls::each_extension(cursor, [&](std::uint16_t type, Bytes data) {
    if (type == 16) out.protocol = tls::first_protocol(data);
    if (type == 43 && data.size() == 2) out.version = load_be16(data.data());
  });
  if (!cursor.ok()) return bad(Malformed::bad_length);
  return out;
}

Parsed<X509Names> parse_certificate(Bytes der) {
  X509Names out;
  BerReader certificate = BerReader(der).enter(0x30).enter(0x30);
  BerElement element = certificate.next();
  if (element.tag == 0xa0) element = certificate.next();  // The version; then the serial number.
  certificate.expect(0x30);                               // The signature's algorithm.
  out.issuer = tls::name_of_certificate(certificate.expect(0x30));
  certificate.expect(0x30);  // Validity.
  out.subject = tls::name_of_certificate(certificate.expect(0x30));
  certificate.expect(0x30);  // The key.
  if (!certificate.ok()) return bad(Malformed::bad_length);
  while (!certificate.empty() && certificate.ok()) {
    const BerElement field = certificate.next();
    if (field.tag != 0xa3) continue;
    for (BerReader list = BerReader(field.value).enter(0x30); !list.empty() && list.ok();) {
      BerReader extension = list.enter(0x30);
      const Bytes oid = extension.expect(0x06);
      BerElement value = extension.next();
      if (value.tag == 0x01) value = extension.next();  // Critical.
      if (oid.size() == 3 && oid[0] == 0x55 && oid[1] == 0x1d && oid[2] == 17)
        tls::read_alternatives(value.value, out);
    }
  }
  return out;
}

const Dissector kTls{.name = "tls",
                     .carrier = Carrier::stream,
                     .at = tls::kAt,
                     .probe = tls::probe,
                     .frame = tls::frame,
                     .dissect = tls::dissect};

}  // namespace vmirror
