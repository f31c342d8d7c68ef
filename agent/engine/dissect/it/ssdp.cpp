// UPnP Device Architecture 2.0, sections 1.2 and 1.3: HTTP's lines in a datagram.
//
//   NOTIFY * HTTP/1.1     CRLF      M-SEARCH * HTTP/1.1   CRLF      HTTP/1.1 200 OK   CRLF
//   NAME: value CRLF ...            ...                             ...
//   CRLF
#include "agent/engine/dissect/it/ssdp.hpp"

#include "agent/engine/dissect/header_lines.hpp"

namespace vmirror {
namespace ssdp {
namespace {

void read_header(const HeaderLine& header, SsdpMessage& out) {
  const std::pair<std::string_view, std::string_view*> known[] = {{"NT", &out.target},
                                                                  {"ST", &out.target},
                                                                  {"NTS", &out.state},
                                                                  {"USN", &out.usn},
                                                                  {"SERVER", &out.server},
                                                                  {"LOCATION", &out.location},
                                                                  {"USER-AGENT", &out.user_agent}};
  for (const auto& [name, to] : known)
    if (is_same_name(header.name, name)) *to = header.value;
}

Outcome dissect(Bytes bytes, const Context& context, Facts& facts) {
  const auto ssdp = parse_ssdp(bytes);
  if (!ssdp) return ssdp.error();
  constexpr const char* kKinds[] = {"notify", "search", "response"};
  const bool notifies = ssdp->kind == SsdpMessage::Kind::notify;
  facts.record("ssdp");
  facts.add("type", kKinds[static_cast<std::size_t>(ssdp->kind)]);
  tell_text(facts, notifies ? "nt" : "st", ssdp->target);
  tell_text(facts, "nts", ssdp->state);
  tell_text(facts, "usn", ssdp->usn);
  tell_text(facts, "server", ssdp->server);
  tell_text(facts, "user_agent", ssdp->user_agent);
  tell_text(facts, "location", ssdp->location);
  if (ssdp->kind == SsdpMessage::Kind::search || ssdp->state == "ssdp:byebye")
    return Malformed::none;
  if (ssdp->target == "upnp:rootdevice" || ssdp->target.starts_with("urn:"))
    facts.learn(context.sender(), Attribute::service, shortened(ssdp->target), "ssdp.nt");
  if (!ssdp->server.empty())
    facts.learn(context.sender(), Attribute::description, shortened(ssdp->server), "ssdp.server");
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
}  // namespace ssdp

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
    ssdp::read_header(header_of(*line), out);
  }
}

const Dissector kSsdp{.name = "ssdp",
                      .carrier = Carrier::datagram,
                      .at = ssdp::kAt,
                      .probe = ssdp::probe,
                      .dissect = ssdp::dissect};

}  // namespace vmirror
