// RFC 3261, sections 7 (messages), 7.3.3 (short names of headers), 18.3 (framing), 20 (headers).
//
//   request    METHOD SP uri SP SIP/2.0 CRLF | NAME: value CRLF ... | CRLF | body
//   response   SIP/2.0 SP code SP reason CRLF | NAME: value CRLF ... | CRLF | body
//   CRLF CRLF, CRLF: a keep-alive (RFC 5626, section 4.4.1)
#include "agent/engine/dissect/it/sip.hpp"

#include "agent/engine/dissect/header_lines.hpp"

namespace vmirror {
namespace sip {
namespace {

constexpr std::string_view kVersion = "SIP/2.0";
constexpr std::size_t kLongestLine = 4096, kLongestMethod = 16;

enum class Start : std::uint8_t { no, maybe, request, response };

Start start_of(Bytes bytes) {
  const std::string_view text = as_text(bytes.first(std::min(bytes.size(), kLongestLine)));
  if (text.substr(0, kVersion.size()) == kVersion.substr(0, text.size()))
    return text.size() <= kVersion.size() ? Start::maybe
           : text[kVersion.size()] == ' ' ? Start::response
                                          : Start::no;
  std::size_t at = 0;
  while (at < text.size() && at < kLongestMethod && text[at] >= 'A' && text[at] <= 'Z') ++at;
  if (at == 0 || at == kLongestMethod) return Start::no;
  if (at == text.size()) return Start::maybe;
  if (at < 3 || text[at] != ' ') return Start::no;
  std::string_view rest = text;
  const auto line = next_line(rest);
  if (!line) return text.size() < kLongestLine ? Start::maybe : Start::no;
  return line->size() > at + kVersion.size() + 2 && line->ends_with(" SIP/2.0") ? Start::request
                                                                                : Start::no;
}

void read_header(const HeaderLine& header, SipMessage& out) {
  const struct {
    std::string_view name, shorter;
    std::string_view* to;
  } known[] = {{"From", "f", &out.from},
               {"To", "t", &out.to},
               {"Call-ID", "i", &out.call_id},
               {"CSeq", "CSeq", &out.sequence},
               {"User-Agent", "User-Agent", &out.user_agent},
               {"Server", "Server", &out.server},
               {"Content-Type", "c", &out.content_type},
               {"Authorization", "Proxy-Authorization", &out.authorization}};
  for (const auto& [name, shorter, to] : known)
    if (to->empty() && (is_same_name(header.name, name) || is_same_name(header.name, shorter)))
      *to = header.value;
  if (is_same_name(header.name, "Content-Length") || is_same_name(header.name, "l")) {
    out.length = number_of(header.value);
    out.bad_length = !out.length;
  }
}

Outcome dissect(Bytes bytes, const Context& context, Facts& facts) {
  const auto sip = parse_sip(bytes);
  if (!sip) return sip.error();
  facts.record("sip");
  if (sip->is_response) {
    tell_text(facts, "version", sip->version);
    facts.add("code", sip->code);
    tell_text(facts, "reason", sip->reason);
  } else {
    tell_text(facts, "method", sip->method);
    tell_text(facts, "uri", sip->uri);
    tell_text(facts, "version", sip->version);
  }
  tell_text(facts, "request_from", sip->from);
  tell_text(facts, "request_to", sip->to);
  tell_text(facts, "call_id", sip->call_id);
  tell_text(facts, "cseq", sip->sequence);
  tell_text(facts, "user_agent", sip->user_agent);
  tell_text(facts, "server", sip->server);
  tell_text(facts, "content_type", sip->content_type);
  std::string_view credentials = sip->authorization;
  const std::string_view scheme = next_word(credentials);
  tell_text(facts, "auth_scheme", scheme);
  if (is_same_name(scheme, "Basic"))
    facts.act(Act::Kind::weak_authentication, context.receiver(), context.sender(),
              "sip.authorization");
  if (sip->is_response)
    facts.learn(context.sender(), Attribute::service, "sip", "sip.code", Confidence::implied);
  return sip->bad_length ? Malformed::bad_value : Malformed::none;
}

/// Either side asks: only a port tells the server.
Probe verdict(Start start) {
  return start == Start::request || start == Start::response ? Probe::yes : Probe::no;
}

Probe probe(Bytes bytes, const Context&) {
  return parse_sip(bytes) ? verdict(start_of(bytes)) : Probe::no;
}

Framing frame(Bytes stream, const Context&) {
  if (stream[0] == '\r' || stream[0] == '\n') {
    const std::size_t end = as_text(stream).find_first_not_of("\r\n");
    return Framing::message(static_cast<std::uint32_t>(std::min(end, stream.size())));
  }
  const Start start = start_of(stream);
  if (start == Start::no) return Framing::lost();
  const std::size_t head = start == Start::maybe ? 0 : head_size(as_text(stream));
  if (head == 0) return Framing::more();
  const auto sip = parse_sip(stream.first(head));
  const std::uint64_t size = head + (sip ? sip->length.value_or(0) : 0);
  return Framing::message(static_cast<std::uint32_t>(std::min<std::uint64_t>(size, 0xffffffff)),
                          static_cast<std::uint32_t>(head));
}

Outcome dissect_stream(Bytes bytes, const Context& context, Facts& facts) {
  const bool keeps_alive = as_text(bytes).find_first_not_of("\r\n") == std::string_view::npos;
  if (!bytes.empty() && keeps_alive) return Malformed::none;
  return dissect(bytes, context, facts);
}

Probe probe_stream(Bytes stream, const Context&) {
  const Start start = stream.empty() ? Start::maybe : start_of(stream);
  return start == Start::maybe ? Probe::maybe : verdict(start);
}

constexpr Place kAt[] = {5060};

}  // namespace
}  // namespace sip

Parsed<SipMessage> parse_sip(Bytes bytes) {
  SipMessage out;
  const sip::Start start = sip::start_of(bytes);
  if (start == sip::Start::no) return bad(Malformed::bad_value);
  std::string_view rest = as_text(bytes);
  const auto first = next_line(rest);
  if (!first || start == sip::Start::maybe) return bad(Malformed::truncated);
  std::string_view words = *first;
  out.is_response = start == sip::Start::response;
  if (out.is_response) {
    out.version = next_word(words);
    const auto code = number_of(next_word(words));
    if (!code || *code < 100 || *code > 699) return bad(Malformed::bad_value);
    out.code = static_cast<std::uint16_t>(*code);
    out.reason = words;
  } else {
    out.method = next_word(words);
    out.version = sip::kVersion;
    out.uri = trimmed(words.substr(0, words.size() - sip::kVersion.size()));
  }
  for (;;) {
    const auto line = next_line(rest);
    if (!line) return bad(Malformed::truncated);
    if (line->empty()) return out;
    sip::read_header(header_of(*line), out);
  }
}

const Dissector kSip{.name = "sip",
                     .carrier = Carrier::datagram,
                     .at = sip::kAt,
                     .probe = sip::probe,
                     .dissect = sip::dissect};
const Dissector kSipTcp{.name = "sip",
                        .carrier = Carrier::stream,
                        .at = sip::kAt,
                        .probe = sip::probe_stream,
                        .frame = sip::frame,
                        .dissect = sip::dissect_stream};

}  // namespace vmirror
