// RFC 9112: sections 2 (messages), 3 (request line), 4 (status line), 6 (bodies), 7.1 (chunks);
// RFC 9110: sections 11 (authentication), 7.8 (Upgrade), 9.3.6 (CONNECT); RFC 4559 (Negotiate).
//
//   request    method SP target SP HTTP/1.x CRLF | NAME: value CRLF ... | CRLF | body
//   response   HTTP/1.x SP status SP reason CRLF | NAME: value CRLF ... | CRLF | body
//   body       Content-Length bytes, or chunks, or of a response: up to the end of the connection
//   chunk      size in hex ; ... CRLF | bytes | CRLF      size 0: the last, headers may follow
#include "agent/engine/dissect/it/http.hpp"

#include "agent/engine/dissect/base64.hpp"
#include "agent/engine/dissect/header_lines.hpp"
#include "agent/engine/dissect/it/spnego.hpp"
#include "agent/engine/dissect/it/tls.hpp"

namespace vmirror {
namespace http {
namespace {

constexpr std::size_t kLongestMethod = 20, kLongestLine = 8192;
constexpr std::string_view kVersion = "HTTP/1.";

/// What is known of a connection. Requests are numbered; the last 64 are known by their bits.
struct HttpSession {
  std::uint32_t asked, answered;
  std::uint64_t heads, connects;  ///< Requests by HEAD and by CONNECT: the answer has no body.
  bool chunked[2];                ///< The client's side, the server's: chunks are coming.
};
bool bit_of(std::uint64_t bits, std::uint32_t number) {
  return (bits >> (number & 63) & 1) != 0;
}
void set_bit(std::uint64_t& bits, std::uint32_t number, bool value) {
  const std::uint64_t bit = std::uint64_t{1} << (number & 63);
  bits = value ? bits | bit : bits & ~bit;
}

enum class Start : std::uint8_t { no, maybe, request, response };

bool is_version(std::string_view text) {
  return text.size() == kVersion.size() + 1 && text.starts_with(kVersion) && text.back() >= '0' &&
         text.back() <= '9';
}

/// What the first line is, of which the end may not be there yet.
Start start_of(Bytes stream) {
  const std::string_view text = as_text(stream.first(std::min(stream.size(), kLongestLine)));
  if (text.substr(0, kVersion.size()) == kVersion.substr(0, text.size())) {
    if (text.size() < kVersion.size() + 2) return Start::maybe;
    return is_version(text.substr(0, kVersion.size() + 1)) && text[kVersion.size() + 1] == ' '
               ? Start::response
               : Start::no;
  }
  std::size_t at = 0;
  while (at < text.size() && at < kLongestMethod &&
         ((text[at] >= 'A' && text[at] <= 'Z') || text[at] == '_' || text[at] == '-'))
    ++at;
  if (at == 0 || at == kLongestMethod) return Start::no;
  if (at == text.size()) return Start::maybe;
  if (at < 3 || text[at] != ' ') return Start::no;
  std::string_view rest = text;
  const auto line = next_line(rest);
  const std::string_view seen = line ? *line : text;
  if (std::any_of(seen.begin(), seen.end(), [](char c) { return c >= 0 && c < ' ' && c != '\r'; }))
    return Start::no;
  if (!line) return text.size() < kLongestLine ? Start::maybe : Start::no;
  const std::size_t last = line->rfind(' ');
  return last > at && is_version(line->substr(last + 1)) ? Start::request : Start::no;
}

/// A chunk's first line, and what it says of the size.
struct Chunk {
  enum class Status : std::uint8_t { chunk, more, no } status = Status::no;
  std::uint32_t line = 0;  ///< Bytes, with its end.
  std::uint64_t size = 0;
};
Chunk chunk_of(Bytes stream) {
  constexpr std::size_t kLongest = 256;
  const std::string_view text = as_text(stream.first(std::min(stream.size(), kLongest)));
  Chunk out;
  const auto digits = std::from_chars(text.data(), text.data() + text.size(), out.size, 16);
  const auto count = static_cast<std::size_t>(digits.ptr - text.data());
  if (digits.ec != std::errc{} || count > 8) return out;
  constexpr std::string_view kBehind = "; \t\r\n";
  if (count < text.size() && kBehind.find(text[count]) == kBehind.npos) return out;
  const std::size_t end = text.find('\n');
  if (end == text.npos) {
    if (text.size() < kLongest) out.status = Chunk::Status::more;
    return out;
  }
  out.status = Chunk::Status::chunk;
  out.line = static_cast<std::uint32_t>(end + 1);
  return out;
}

Framing frame_chunk(Bytes stream, const Chunk& chunk) {
  constexpr std::uint32_t kEnd = 2;
  if (chunk.status == Chunk::Status::more) return Framing::more();
  if (chunk.size > 0) {
    const std::uint64_t size = chunk.line + chunk.size + kEnd;
    return Framing::message(static_cast<std::uint32_t>(std::min<std::uint64_t>(size, 0xffffffff)),
                            chunk.line);
  }
  const std::size_t trailers = head_size(as_text(stream.subspan(chunk.line)));
  return trailers == 0 ? Framing::more()
                       : Framing::message(chunk.line + static_cast<std::uint32_t>(trailers));
}

bool has_upgraded(const HttpMessage& http) {
  return http.status == 101;
}
bool is_interim(const HttpMessage& http) {
  return http.status < 200 && !has_upgraded(http);
}

/// An answer that ends with its head, whatever its headers say.
bool has_no_body(const HttpMessage& http, const HttpSession* session) {
  if (!http.is_response) return false;
  if (http.status < 200 || http.status == 204 || http.status == 304) return true;
  if (session == nullptr || session->answered == session->asked) return false;
  const bool connected = bit_of(session->connects, session->answered) && http.status < 300;
  return connected || bit_of(session->heads, session->answered);
}

/// Bytes behind the head that belong to the message; 32 bits all set: up to the connection's end.
std::uint32_t body_size(const HttpMessage& http, const HttpSession* session) {
  constexpr std::uint32_t kToTheEnd = 0xffffffff;
  if (http.chunked || has_no_body(http, session)) return 0;
  if (http.length)
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(*http.length, kToTheEnd));
  return http.is_response ? kToTheEnd : 0;
}

Framing frame(Bytes stream, const Context& context) {
  const HttpSession* session = context.has_state() ? context.state<HttpSession>() : nullptr;
  if (session && session->chunked[context.to_server ? 0 : 1]) {
    const Chunk chunk = chunk_of(stream);
    if (chunk.status != Chunk::Status::no) return frame_chunk(stream, chunk);
  }
  const Start start = start_of(stream);
  if (start == Start::no) return Framing::lost();
  const std::size_t head = start == Start::maybe ? 0 : head_size(as_text(stream));
  if (head == 0) return Framing::more();
  const auto http = parse_http(stream.first(head));
  if (!http) return Framing::message(static_cast<std::uint32_t>(head));
  const std::uint64_t size = std::uint64_t{head} + body_size(*http, session);
  return Framing::message(static_cast<std::uint32_t>(std::min<std::uint64_t>(size, 0xffffffff)),
                          static_cast<std::uint32_t>(head));
}

void tell_host(std::string_view host, Facts& facts) {
  const std::size_t colon = host.rfind(':');
  const bool has_port = colon != host.npos && colon > 0 && host.find(']', colon) == host.npos;
  tell_text(facts, "hostname", host.substr(0, has_port ? colon : host.npos));
  if (!has_port) return;
  if (const auto port = number_of(host.substr(colon + 1))) facts.add("http_port", *port);
}

void tell_credentials(std::string_view credentials, const Context& context, Facts& facts) {
  const std::string_view scheme = next_word(credentials);
  tell_text(facts, "auth_scheme", scheme);
  if (!is_same_name(scheme, "Basic")) return;
  facts.act(Act::Kind::weak_authentication, context.receiver(), context.sender(),
            "http.authorization");
  std::uint8_t clear[kMaxText];
  const auto size = decode_base64(credentials, clear);
  if (!size) return;
  const std::string_view all = as_text({clear, *size});
  const std::string_view user = all.substr(0, all.find(':'));
  if (!user.empty()) facts.add("username", facts.keep(user));
}

/// The token behind a scheme that GSS is behind, handed down; `value`: "NTLM TlRMTVNTUAAB..."
void hand_down_token(std::string_view value, const Context& context, Facts& facts) {
  constexpr std::size_t kLongestToken = 12288;
  const std::string_view scheme = next_word(value);
  if (!is_same_name(scheme, "NTLM") && !is_same_name(scheme, "Negotiate")) return;
  std::uint8_t clear[kLongestToken];
  Context mine = context;
  mine.cut |= value.size() > kLongestToken / 3 * 4;
  const auto size = decode_base64(value.substr(0, kLongestToken / 3 * 4), clear);
  if (!size || *size == 0) return;
  const std::string_view kept = facts.keep(as_text({clear, *size}));
  mine.cut |= kept.size() < *size;
  hand_down_gss({reinterpret_cast<const std::uint8_t*>(kept.data()), kept.size()}, mine, facts);
}

bool is_tls_port(std::string_view target) {
  constexpr std::string_view kPorts[] = {":443", ":8443"};
  return std::any_of(std::begin(kPorts), std::end(kPorts),
                     [&](std::string_view port) { return target.ends_with(port); });
}

void tell_request(const HttpMessage& http, const Context& context, HttpSession* session,
                  Facts& facts) {
  facts.add("http_method", http.method);
  tell_text(facts, "url", http.url);
  tell_host(http.host, facts);
  tell_text(facts, "http_user_agent", http.user_agent);
  tell_text(facts, "http_refer", http.referer);
  if (!http.authorization.empty()) tell_credentials(http.authorization, context, facts);
  if (session == nullptr) return;
  const bool connects = http.method == "CONNECT";
  context.ask(session->asked, connects && is_tls_port(http.url) ? 1 : 0);
  set_bit(session->heads, session->asked, http.method == "HEAD");
  set_bit(session->connects, session->asked, connects);
  ++session->asked;
}

Outcome tell_response(const HttpMessage& http, const Context& context, HttpSession* session,
                      Facts& facts) {
  facts.add("status", http.status);
  tell_text(facts, "server", http.server);
  tell_text(facts, "redirect", http.location);
  if (http.challenge_count > 0) {
    facts.open_array("auth_schemes");
    for (std::size_t i = 0; i < http.challenge_count; ++i) {
      std::string_view challenge = http.challenges[i];
      tell_text(facts, "", next_word(challenge));
    }
    facts.close();
  }
  facts.learn(context.sender(), Attribute::service, "http", "http.status", Confidence::implied);
  if (has_upgraded(http))
    return http.upgrade.starts_with("TLS/") ? Outcome::become(kTls) : Outcome::done();
  if (session == nullptr || is_interim(http) || session->answered == session->asked)
    return Malformed::none;
  const bool connected =
      bit_of(session->connects, session->answered) && http.status >= 200 && http.status < 300;
  const auto request = context.answer(session->answered++);
  if (request) facts.add("latency_us", context.latency_us(*request));
  if (!connected) return Malformed::none;
  return request && request->a != 0 ? Outcome::become(kTls) : Outcome::done();
}

Outcome dissect(Bytes bytes, const Context& context, Facts& facts) {
  HttpSession* session = context.state<HttpSession>();
  const std::size_t side = context.to_server ? 0 : 1;
  if (session && session->chunked[side]) {
    const Chunk chunk = chunk_of(bytes);
    if (chunk.status == Chunk::Status::more) return Malformed::truncated;
    if (chunk.status == Chunk::Status::chunk) {
      session->chunked[side] = chunk.size != 0;
      return Malformed::none;
    }
  }
  const auto http = parse_http(bytes);
  if (!http) return http.error();
  if (session) session->chunked[side] = http->chunked && !has_no_body(*http, session);
  facts.record("http");
  facts.add("type", http->is_response ? "response" : "request");
  tell_text(facts, "protocol", http->version);
  tell_text(facts, "http_content_type", http->content_type);
  if (http->length) facts.add("length", *http->length);
  Outcome outcome = Malformed::none;
  if (http->is_response)
    outcome = tell_response(*http, context, session, facts);
  else
    tell_request(*http, context, session, facts);
  hand_down_token(http->authorization, context, facts);
  for (std::size_t i = 0; i < http->challenge_count; ++i)
    hand_down_token(http->challenges[i], context, facts);
  return outcome;
}

Probe probe(Bytes stream, const Context&) {
  if (stream.empty()) return Probe::maybe;
  switch (start_of(stream)) {
    case Start::request:
      return Probe::client;
    case Start::response:
      return Probe::server;
    case Start::maybe:
      return Probe::maybe;
    case Start::no:
      break;
  }
  return Probe::no;
}

/// False: a value that can't be.
bool read_header(const HeaderLine& header, HttpMessage& out) {
  const std::pair<std::string_view, std::string_view*> known[] = {
      {"Host", &out.host},
      {"User-Agent", &out.user_agent},
      {"Referer", &out.referer},
      {"Server", &out.server},
      {"Location", &out.location},
      {"Content-Type", &out.content_type},
      {"Upgrade", &out.upgrade},
      {"Authorization", &out.authorization},
      {"Proxy-Authorization", &out.authorization}};
  for (const auto& [name, to] : known)
    if (is_same_name(header.name, name) && to->empty()) *to = header.value;
  if (is_same_name(header.name, "WWW-Authenticate") ||
      is_same_name(header.name, "Proxy-Authenticate")) {
    if (out.challenge_count < HttpMessage::kMostChallenges)
      out.challenges[out.challenge_count++] = header.value;
  } else if (is_same_name(header.name, "Content-Length")) {
    out.length = number_of(header.value);
    return out.length.has_value();
  } else if (is_same_name(header.name, "Transfer-Encoding")) {
    constexpr std::string_view kChunked = "chunked";
    const std::size_t size = std::min(header.value.size(), kChunked.size());
    out.chunked = is_same_name(header.value.substr(header.value.size() - size), kChunked);
  }
  return true;
}

constexpr Place kAt[] = {80, 8080, 8000, 8008, 3128, 5985};
constexpr Place kHandsDown[] = {kGssToken, kNtlmToken};

}  // namespace
}  // namespace http

Parsed<HttpMessage> parse_http(Bytes head) {
  HttpMessage out;
  const http::Start start = http::start_of(head);
  if (start == http::Start::no) return bad(Malformed::bad_value);
  std::string_view rest = as_text(head);
  const auto first = next_line(rest);
  if (!first) return bad(Malformed::truncated);
  out.is_response = start == http::Start::response;
  std::string_view words = *first;
  if (out.is_response) {
    out.version = next_word(words);
    const auto status = number_of(next_word(words));
    if (!status || *status < 100 || *status > 999) return bad(Malformed::bad_value);
    out.status = static_cast<std::uint16_t>(*status);
  } else {
    out.method = next_word(words);
    const std::size_t last = words.rfind(' ');
    if (last == words.npos) return bad(Malformed::bad_value);
    out.url = trimmed(words.substr(0, last));
    out.version = words.substr(last + 1);
  }
  for (;;) {
    const auto line = next_line(rest);
    if (!line) return bad(Malformed::truncated);
    if (line->empty()) return out;
    if (!http::read_header(header_of(*line), out)) return bad(Malformed::bad_value);
  }
}

const Dissector kHttp{.name = "http",
                      .carrier = Carrier::stream,
                      .at = http::kAt,
                      .hands_down = http::kHandsDown,
                      .probe = http::probe,
                      .frame = http::frame,
                      .dissect = http::dissect};

}  // namespace vmirror
