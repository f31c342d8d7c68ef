// RFC 4795, section 2.1: the message is that of DNS (dns_message.cpp), with other flags.
//
//   field[n]: n bytes, field:n: n bits
//
//   header | id[2] | QR:1 opcode:4 conflict:1 TC:1 tentative:1 0:4 rcode:4 | counts[8] |
#include "agent/engine/dissect/it/llmnr.hpp"

#include "agent/engine/dissect/text.hpp"

namespace vmirror {
namespace llmnr {
namespace {

void learn(const DnsResource& resource, const Value& data, Facts& facts) {
  const bool v4 = resource.type == dns_type::kA;
  if ((!v4 && resource.type != dns_type::kAaaa) || data.kind != Value::Kind::ip) return;
  facts.learn({{}, data.ip()}, Attribute::host_name, facts.keep(resource.name.text()),
              v4 ? "llmnr.a" : "llmnr.aaaa");
}

Outcome dissect(Bytes message, const Context& context, Facts& facts) {
  DnsReader reader(message);
  const auto header = reader.header();
  if (!header) return header.error();
  const auto question = reader.question();  // Exactly one, in answers, too (section 2.1.1).
  if (!question) return question.error();
  facts.record("llmnr");
  facts.add("type", header->response() ? "answer" : "query");
  facts.add("id", header->id);
  facts.add("rrname", facts.keep(question->name.text()));
  tell_dns_type(question->type, facts);
  if (!header->response()) {
    context.ask(header->id);
    return Malformed::none;
  }
  facts.add("rcode", static_cast<unsigned>(header->rcode()));
  if (const auto request = context.answer(header->id))
    facts.add("latency_us", context.latency_us(*request));
  return tell_dns_section(
      reader, "answers", header->answers, facts, [](const DnsResource&) { return true; },
      [&](const DnsResource& resource, const Value& data) { learn(resource, data, facts); });
}

/// At its own port alone: what stands there is DNS's.
Probe probe(Bytes message, const Context& context) {
  const auto header = DnsReader(message).header();
  if (!context.at_own_port || !header || header->opcode() != 0 || header->questions != 1)
    return Probe::no;
  return header->response() ? Probe::server : Probe::client;
}

constexpr Place kAt[] = {5355};

}  // namespace
}  // namespace llmnr

const Dissector kLlmnr{.name = "llmnr",
                       .carrier = Carrier::datagram,
                       .at = llmnr::kAt,
                       .probe = llmnr::probe,
                       .dissect = llmnr::dissect};

}  // namespace vmirror
