// RFC 1035, section 4 (the message is drawn in dns_message.cpp); TCP: section 4.2.2, RFC 7766;
// updates: RFC 2136.
//
//   UDP payload   | message |
//   TCP           | size[2] | message[size] | size[2] | message[size] | ...      bytes
#include "agent/engine/dissect/it/dns.hpp"

#include "agent/engine/dissect/text.hpp"

namespace vmirror {
namespace dns {
namespace {

constexpr int kNotify = 4;  ///< The opcode of RFC 1996.
constexpr int kUpdate = 5;  ///< The opcode of RFC 2136.
constexpr Named kRcodes[] = {{0, "NOERROR"}, {1, "FORMERR"}, {2, "SERVFAIL"}, {3, "NXDOMAIN"},
                             {4, "NOTIMP"},  {5, "REFUSED"}, {6, "YXDOMAIN"}, {7, "YXRRSET"},
                             {8, "NXRRSET"}, {9, "NOTAUTH"}, {10, "NOTZONE"}};

void tell_header(const DnsHeader& header, Facts& facts) {
  constexpr char kHex[] = "0123456789abcdef";
  const std::uint16_t f = header.flags;
  const char flags[] = {kHex[f >> 12], kHex[f >> 8 & 15], kHex[f >> 4 & 15], kHex[f & 15]};
  facts.add("version", 2u);
  facts.add("type", header.response() ? "answer" : "query");
  facts.add("id", header.id);
  facts.add("flags", facts.keep({flags, sizeof flags}));
  facts.add("qr", header.response());
  if (header.authoritative()) facts.add("aa", true);
  if (header.truncated()) facts.add("tc", true);
  if (header.recursion_desired()) facts.add("rd", true);
  if (header.recursion_available()) facts.add("ra", true);
  facts.add("opcode", static_cast<unsigned>(header.opcode()));
}

/// What an answer says of an address.
void learn(const DnsResource& resource, const Value& data, Facts& facts) {
  const bool address = resource.type == dns_type::kA || resource.type == dns_type::kAaaa;
  if (address && data.kind == Value::Kind::ip && !data.ip().is_unspecified() &&
      !data.ip().is_group()) {
    facts.learn({{}, data.ip()}, Attribute::host_name, facts.keep(resource.name.text()),
                resource.type == dns_type::kA ? "dns.a" : "dns.aaaa");
  } else if (resource.type == dns_type::kPtr && data.kind == Value::Kind::text) {
    const IpAddress ip = reverse_address(resource.name.text());
    if (!ip.empty()) facts.learn({{}, ip}, Attribute::host_name, data.text, "dns.ptr");
  }
}

/// The answers by type, as Suricata groups them.
struct Grouped {
  struct Item {
    std::uint16_t type;
    Value value;
  };
  Item items[kMaxDnsListed];
  int count = 0;

  void tell(Facts& facts) {
    facts.open_object("grouped");
    for (int i = 0; i < count; ++i) {
      const std::uint16_t type = items[i].type;
      if (type == 0) continue;
      facts.open_array(dns_type_name(type));
      for (int j = i; j < count; ++j) {
        if (items[j].type != type) continue;
        push(items[j].value, facts);
        items[j].type = 0;
      }
      facts.close();
    }
    facts.close();
  }
  static void push(const Value& value, Facts& facts) {
    if (value.kind == Value::Kind::ip)
      facts.add("", value.ip());
    else
      facts.add("", value.text);
  }
};

Malformed tell_section(DnsReader& reader, const char* name, int count, Grouped* grouped,
                       Facts& facts) {
  return tell_dns_section(
      reader, name, count, facts, [](const DnsResource&) { return true; },
      [&](const DnsResource& resource, const Value& data) {
        const bool listable = data.kind == Value::Kind::ip || data.kind == Value::Kind::text;
        if (!listable || !grouped) return;
        learn(resource, data, facts);
        grouped->items[grouped->count++] = {resource.type, data};
      });
}

/// RFC 2136, section 2: what an update needs to be true, and what it changes, where another message
/// has answers and authorities. It is what somebody asks for: no fact, and no answer to be grouped.
Malformed tell_update(DnsReader& reader, const DnsHeader& header, Facts& facts) {
  const Malformed malformed = tell_section(reader, "prerequisites", header.answers, nullptr, facts);
  if (malformed != Malformed::none) return malformed;
  return tell_section(reader, "updates", header.authorities, nullptr, facts);
}

Outcome dissect(Bytes message, const Context& context, Facts& facts) {
  DnsReader reader(message);
  const auto header = reader.header();
  if (!header) return header.error();
  facts.record("dns");
  tell_header(*header, facts);
  for (int i = 0; i < header->questions; ++i) {
    if (i > 0) {
      const Malformed malformed = reader.skip_question();
      if (malformed != Malformed::none) return malformed;
      continue;
    }
    const auto question = reader.question();
    if (!question) return question.error();
    facts.add("rrname", facts.keep(question->name.text()));
    tell_dns_type(question->type, facts);
  }
  const int opcode = header->opcode();
  const bool update = opcode == kUpdate;
  if (!header->response()) {
    context.ask(header->id);
    if (update) return tell_update(reader, *header, facts);
    // RFC 1996, section 3.7: the new record, as a hint that is not to be trusted: no fact.
    if (opcode == kNotify) return tell_section(reader, "answers", header->answers, nullptr, facts);
    return Malformed::none;
  }
  tell_named(facts, "rcode", kRcodes, static_cast<std::uint32_t>(header->rcode()));
  if (const auto request = context.answer(header->id))
    facts.add("latency_us", context.latency_us(*request));
  if (update) return tell_update(reader, *header, facts);
  Grouped grouped;
  Malformed malformed = tell_section(reader, "answers", header->answers, &grouped, facts);
  if (grouped.count > 0) grouped.tell(facts);
  if (malformed == Malformed::none)
    malformed = tell_section(reader, "authorities", header->authorities, nullptr, facts);
  // With TC set the message may end anywhere (RFC 2181, section 9).
  return malformed == Malformed::truncated && header->truncated() ? Malformed::none : malformed;
}

bool plausible(const DnsHeader& header) {
  const int opcode = header.opcode();
  if (header.id == 0 || header.questions != 1 || (header.flags & 0x0040) != 0) return false;
  if (opcode != 0 && opcode != kNotify && opcode != kUpdate) return false;
  if (!header.response() && header.rcode() != 0) return false;
  return header.response() || opcode != 0 || (header.answers == 0 && header.authorities == 0);
}

bool plausible(const DnsQuestion& question) {
  for (const char c : question.name.text())
    if (c <= ' ' || c > '~') return false;
  return question.type != 0 && dns_type_name(question.type) && question.type != dns_type::kOpt &&
         (question.cls == 1 || question.cls == 3 || question.cls == 255);
}

/// The ports of what looks like DNS and is not: NetBIOS names, mDNS, LLMNR.
bool is_kin(std::uint16_t port) {
  return port == 137 || port == 5353 || port == 5355;
}

/// At its own port: what could be one, with room for all that it counts.
bool possible(const DnsHeader& header, std::size_t size) {
  const std::size_t least =
      header.questions * 5U + (header.answers + header.authorities + header.additionals) * 11U;
  return header.opcode() <= 6 && (header.flags & 0x0040) == 0 &&
         ((header.truncated() && header.response()) || least <= size);
}

Probe side_of(const DnsHeader& header) {
  return header.response() ? Probe::server : Probe::client;
}

Probe probe(Bytes message, const Context& context) {
  if (context.at_own_port) {
    DnsReader reader(message);
    const auto header = reader.header();
    if (!header || !(context.cut || possible(*header, reader.left()))) return Probe::no;
    return side_of(*header);
  }
  if (is_kin(context.source_port) || is_kin(context.destination_port)) return Probe::no;
  DnsReader reader(message);
  const auto header = reader.header();
  if (!header || !plausible(*header)) return Probe::no;
  const auto question = reader.question();
  if (!question || !plausible(*question)) return Probe::no;
  const int resources = header->answers + header->authorities + header->additionals;
  for (int i = 0; i < resources; ++i)
    if (reader.skip_resource() != Malformed::none) return Probe::no;
  return reader.left() == 0 ? side_of(*header) : Probe::no;
}

constexpr std::size_t kHeader = 12;

Framing frame(Bytes stream, const Context&) {
  if (stream.size() < 2) return Framing::more();
  const std::uint32_t size = load_be16(stream.data());
  return size < kHeader ? Framing::lost() : Framing::message(2 + size);
}

Probe probe_tcp(Bytes stream, const Context& context) {
  if (stream.size() < 2 + kHeader) return Probe::maybe;
  const std::size_t size = load_be16(stream.data());
  const auto header = DnsReader(stream.subspan(2)).header();
  if (context.at_own_port)
    return size >= kHeader && possible(*header, size - kHeader) ? side_of(*header) : Probe::no;
  if (size < kHeader + 5 || !plausible(*header)) return Probe::no;
  if (stream.size() < 2 + size) return Probe::maybe;
  return probe(stream.subspan(2, size), context);
}

Outcome dissect_tcp(Bytes message, const Context& context, Facts& facts) {
  if (message.size() < 2) return Malformed::truncated;
  return dissect(message.subspan(2), context, facts);
}

constexpr Place kAt[] = {53};

}  // namespace
}  // namespace dns

const Dissector kDns{.name = "dns",
                     .carrier = Carrier::datagram,
                     .at = dns::kAt,
                     .probe = dns::probe,
                     .dissect = dns::dissect};
const Dissector kDnsTcp{.name = "dns",
                        .carrier = Carrier::stream,
                        .at = dns::kAt,
                        .probe = dns::probe_tcp,
                        .frame = dns::frame,
                        .dissect = dns::dissect_tcp};

}  // namespace vmirror
