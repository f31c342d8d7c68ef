// UPnP Device Architecture 2.0, sections 1.2 and 1.3: HTTP's lines in a datagram.
//
//   NOTIFY * HTTP/1.1     CRLF      M-SEARCH * HTTP/1.1   CRLF      HTTP/1.1 200 OK   CRLF
//   NAME: value CRLF ...            ...                             ...
//   CRLF
#include "agent/engine/dissect/it/ssdp.hpp"

#include "agent/engine/dissect/text.hpp"

namespace vmirror {
namespace {

/// Takes the first line off; none: it has no end.
std::optional<std::string_view> next_line(std::string_view& rest) {
  const std::size_t end = rest.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

bool is_name(std::string_view text, std::string_view upper) {
  return text.size() == upper.size() &&
         std::equal(text.begin(), text.end(), upper.begin(), [](char a, char b) {
           return (a >= 'a' && a <= 'z' ? static_cast<char>(a - 32) : a) == b;
         });
}

void read_header(std::string_view line, SsdpMessage& out) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return;
  const std::string_view name = line.substr(0, colon);
  std::string_view value = line.substr(colon + 1);
  value.remove_prefix(std::min(value.find_first_not_of(" \t"), value.size()));
  value = text_of({reinterpret_cast<const std::uint8_t*>(value.data()), value.size()});
  const std::pair<std::string_view, std::string_view*> known[] = {{"NT", &out.target},
                                                                  {"ST", &out.target},
                                                                  {"NTS", &out.state},
                                                                  {"USN", &out.usn},
                                                                  {"SERVER", &out.server},
                                                                  {"LOCATION", &out.location},
                                                                  {"USER-AGENT", &out.user_agent}};
  for (const auto& [header, to] : known)
    if (is_name(name, header)) *to = value;
}

Outcome dissect(Bytes bytes, const Context& context, Facts& facts) {
  const auto ssdp = parse_ssdp(bytes);
  if (!ssdp) return ssdp.error();
  constexpr const char* kKinds[] = {"notify", "search", "response"};
  const bool notifies = ssdp->kind == SsdpMessage::Kind::notify;
  const auto tell = [&](const char* name, std::string_view text) {
    if (!text.empty()) facts.add(name, text);
  };
  facts.record("ssdp");
  facts.add("type", kKinds[static_cast<std::size_t>(ssdp->kind)]);
  tell(notifies ? "nt" : "st", ssdp->target);
  tell("nts", ssdp->state);
  tell("usn", ssdp->usn);
  tell("server", ssdp->server);
  tell("user_agent", ssdp->user_agent);
  tell("location", ssdp->location);
  if (ssdp->kind == SsdpMessage::Kind::search || ssdp->state == "ssdp:byebye")
    return Malformed::none;
  if (ssdp->target == "upnp:rootdevice" || ssdp->target.starts_with("urn:"))
    facts.learn(context.sender(), Attribute::service, ssdp->target, "ssdp.nt");
  if (!ssdp->server.empty())
    facts.learn(context.sender(), Attribute::description, ssdp->server, "ssdp.server");
  return Malformed::none;
}

/// At its own port alone: a response's first line is HTTP's.
Probe probe(Bytes bytes, const Context& context) {
  const auto ssdp = parse_ssdp(bytes);
  if (!context.at_own_port || !ssdp) return Probe::no;
  return ssdp->kind == SsdpMessage::Kind::response ? Probe::server : Probe::client;
}

constexpr Place kAt[] = {1900};

}  // namespace

Parsed<SsdpMessage> parse_ssdp(Bytes bytes) {
  SsdpMessage out;
  std::string_view rest = as_text(bytes);
  const auto first = next_line(rest);
  if (!first) return bad(Malformed::truncated);
  if (first->starts_with("NOTIFY * HTTP/"))
    out.kind = SsdpMessage::Kind::notify;
  else if (first->starts_with("M-SEARCH * HTTP/"))
    out.kind = SsdpMessage::Kind::search;
  else if (first->starts_with("HTTP/1.1 200"))
    out.kind = SsdpMessage::Kind::response;
  else
    return bad(Malformed::bad_value);
  for (;;) {
    const auto line = next_line(rest);
    if (!line) return bad(Malformed::truncated);
    if (line->empty()) return out;
    read_header(*line, out);
  }
}

const Dissector kSsdp{
    .name = "ssdp", .carrier = Carrier::datagram, .at = kAt, .probe = probe, .dissect = dissect};

}  // namespace vmirror
