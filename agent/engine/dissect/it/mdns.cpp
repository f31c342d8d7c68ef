// RFC 6762, section 18 (the message is that of DNS; see dns_message.cpp), with the top bit of the
// class used as a flag; RFC 6763, sections 4.1 and 6.
//
//   PTR   _ipp._tcp.local              -> Printer 7._ipp._tcp.local
//   SRV   Printer 7._ipp._tcp.local    -> port 631 on printer7.local
//   TXT   Mac._device-info._tcp.local  -> model=MacBookPro14,1
//   A     printer7.local               -> 192.0.2.7
#include "agent/engine/dissect/it/mdns.hpp"

#include "agent/engine/dissect/text.hpp"

namespace vmirror {
namespace mdns {
namespace {

constexpr std::string_view kLocal = ".local";

std::string_view without_local(std::string_view name) {
  return name.ends_with(kLocal) ? name.substr(0, name.size() - kLocal.size()) : name;
}

/// "model=X" among a TXT's strings (RFC 6763, section 6.3).
std::string_view text_value(Bytes data, std::string_view key) {
  Cursor cursor(data);
  while (!cursor.empty()) {
    const std::string_view part = as_text(cursor.take(cursor.u8()));
    if (part.starts_with(key)) return part.substr(key.size());
  }
  return {};
}

void learn(const DnsResource& resource, const Value& data, const Subject& sender, Facts& facts) {
  const std::string_view name = without_local(resource.name.text());
  switch (resource.type) {
    case dns_type::kA:
    case dns_type::kAaaa: {
      if (data.kind != Value::Kind::ip) return;
      // The sender's own address is surely of its MAC; its others may be on other links.
      const Subject subject = data.ip() == sender.ip ? sender : Subject{{}, data.ip()};
      facts.learn(subject, Attribute::host_name, facts.keep(name),
                  resource.type == dns_type::kA ? "mdns.a" : "mdns.aaaa");
      return;
    }
    case dns_type::kPtr:
      if (name.starts_with('_') && !name.starts_with("_services._dns-sd."))
        facts.learn(sender, Attribute::service, facts.keep(name), "mdns.ptr");
      return;
    case dns_type::kTxt:
      if (!name.ends_with("._device-info._tcp")) return;
      if (const std::string_view model = text_value(resource.data, "model="); !model.empty())
        facts.learn(sender, Attribute::model, model.substr(0, kMaxText), "mdns.device_info");
      return;
    default:
      return;
  }
}

Malformed tell_queries(DnsReader& reader, int count, Facts& facts) {
  if (count == 0) return Malformed::none;
  Malformed malformed = Malformed::none;
  facts.open_array("queries");
  for (int i = 0; i < count && malformed == Malformed::none; ++i) {
    if (i >= kMaxDnsListed) {
      malformed = reader.skip_question();
      continue;
    }
    const auto question = reader.question();
    if (!question) malformed = question.error();
    if (!question) continue;
    facts.open_object("");
    facts.add("rrname", facts.keep(question->name.text()));
    tell_dns_type(question->type, facts);
    facts.close();
  }
  facts.close();
  return malformed;
}

/// `sender` is null where nothing is to be learnt.
Malformed tell_section(DnsReader& reader, const char* name, int count, const Subject* sender,
                       Facts& facts) {
  return tell_dns_section(
      reader, name, count, facts,
      [](const DnsResource& resource) { return resource.type != dns_type::kOpt; },
      [&](const DnsResource& resource, const Value& data) {
        // A time to live of zero takes the record back (RFC 6762, section 10.1).
        if (sender && resource.ttl > 0) learn(resource, data, *sender, facts);
      });
}

Outcome dissect(Bytes message, const Context& context, Facts& facts) {
  DnsReader reader(message);
  const auto header = reader.header();
  if (!header) return header.error();
  facts.record("mdns");
  facts.add("type", header->response() ? "response" : "request");
  if (header->id != 0) facts.add("id", header->id);
  // What a request lists as answers are others' (RFC 6762, section 7.1).
  const Subject subject = context.ttl == 255 ? context.source : context.sender();
  const Subject* sender = header->response() ? &subject : nullptr;
  Malformed malformed = tell_queries(reader, header->questions, facts);
  if (malformed == Malformed::none)
    malformed = tell_section(reader, "answers", header->answers, sender, facts);
  if (malformed == Malformed::none)
    malformed = tell_section(reader, "authorities", header->authorities, nullptr, facts);
  if (malformed == Malformed::none)
    malformed = tell_section(reader, "additionals", header->additionals, sender, facts);
  return malformed;
}

/// At its own port alone: what stands there is DNS's, and no question need be asked.
Probe probe(Bytes message, const Context& context) {
  const auto header = DnsReader(message).header();
  return context.at_own_port && header && header->opcode() == 0 ? Probe::yes : Probe::no;
}

constexpr Place kAt[] = {5353};

}  // namespace
}  // namespace mdns

const Dissector kMdns{.name = "mdns",
                      .carrier = Carrier::datagram,
                      .at = mdns::kAt,
                      .probe = mdns::probe,
                      .dissect = mdns::dissect};

}  // namespace vmirror
