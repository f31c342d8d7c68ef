// In BER (ber.hpp). RFC 1157, section 4; RFC 3416, section 3; RFC 3412, section 6; RFC 3414,
// section 2.4.
//
//   1, 2c   SEQUENCE { INTEGER 0 | 1, OCTET STRING community, pdu }
//   3       SEQUENCE { INTEGER 3, header, OCTET STRING { security }, data }
//     header     SEQUENCE { INTEGER id, INTEGER size, OCTET STRING flags, INTEGER model }
//     security   of model 3: SEQUENCE { OCTET STRING engine, INTEGER boots, INTEGER time,
//                                       OCTET STRING user, ... }
//     data       SEQUENCE { OCTET STRING engine, OCTET STRING context, pdu }, or encrypted:
//                OCTET STRING
//   pdu     [n] { INTEGER request id, INTEGER error, INTEGER index, SEQUENCE OF variable }
//     4, trap of version 1   [4] { OID enterprise, IpAddress, INTEGER generic, INTEGER specific,
//                                  TimeTicks, SEQUENCE OF variable }
//   variable   SEQUENCE { OID, value }
#include "agent/engine/dissect/it/snmp.hpp"

#include "agent/engine/dissect/ber.hpp"
#include "agent/engine/dissect/oid.hpp"
#include "agent/engine/dissect/text.hpp"

namespace vmirror {
namespace snmp {
namespace {

constexpr int kMaxListed = 64;
constexpr std::uint32_t kInteger = 2, kOctets = 4, kOid = 6, kSequence = 0x30;
enum Pdu : std::uint8_t {
  kGet = 0xa0,
  kResponse = 0xa2,
  kSet = 0xa3,
  kTrap1 = 0xa4,
  kTrap2 = 0xa7,
  kReport = 0xa8
};
constexpr Named kPdus[] = {
    {kGet, "get_request"},    {0xa1, "get_next_request"}, {kResponse, "response"},
    {kSet, "set_request"},    {kTrap1, "trap_v1"},        {0xa5, "get_bulk_request"},
    {0xa6, "inform_request"}, {kTrap2, "trap_v2"},        {kReport, "report"}};
constexpr Named kErrors[] = {{1, "too_big"},
                             {2, "no_such_name"},
                             {3, "bad_value"},
                             {4, "read_only"},
                             {5, "gen_err"},
                             {6, "no_access"},
                             {7, "wrong_type"},
                             {8, "wrong_length"},
                             {9, "wrong_encoding"},
                             {10, "wrong_value"},
                             {11, "no_creation"},
                             {12, "inconsistent_value"},
                             {13, "resource_unavailable"},
                             {14, "commit_failed"},
                             {15, "undo_failed"},
                             {16, "authorization_error"},
                             {17, "not_writable"},
                             {18, "inconsistent_name"}};

/// The objects of 1.3.6.1.2.1.1 that say who somebody is; each has one instance, 0.
constexpr std::uint8_t kSystem[] = {0x2b, 6, 1, 2, 1, 1};
constexpr std::uint8_t kTrapOid[] = {0x2b, 6, 1, 6, 3, 1, 1, 4, 1, 0};
enum SystemObject : std::uint8_t { kDescr = 1, kObjectId = 2, kName = 5, kLocation = 6 };

bool starts_with(Bytes bytes, Bytes front) {
  return bytes.size() >= front.size() && std::equal(front.begin(), front.end(), bytes.begin());
}

/// What a response or a trap says of its sender.
struct Known {
  std::string_view descr, name, location, object_id, trap;
};

void note(Bytes oid, const BerElement& value, Known& known, Facts& facts) {
  if (starts_with(oid, kTrapOid) && value.tag == kOid) known.trap = oid_text(value.value, facts);
  if (oid.size() != std::size(kSystem) + 2 || !starts_with(oid, kSystem) || oid.back() != 0) return;
  const std::uint8_t object = oid[std::size(kSystem)];
  if (object == kObjectId && value.tag == kOid) known.object_id = oid_text(value.value, facts);
  if (value.tag != kOctets) return;
  const std::string_view text = text_of(value.value);
  if (object == kDescr) known.descr = text;
  if (object == kName) known.name = text;
  if (object == kLocation) known.location = text;
}

Malformed tell_variables(BerReader pdu, Known& known, Facts& facts) {
  BerReader list = pdu.enter(kSequence);
  if (!pdu.ok()) return Malformed::bad_value;
  Malformed malformed = Malformed::none;
  facts.open_array("vars");
  for (int i = 0; !list.empty() && malformed == Malformed::none; ++i) {
    BerReader variable = list.enter(kSequence);
    const Bytes oid = variable.expect(kOid);
    const BerElement value = variable.next();
    if (!list.ok() || !variable.ok()) malformed = Malformed::bad_value;
    if (malformed != Malformed::none || i >= kMaxListed) continue;
    facts.add("", oid_text(oid, facts));
    note(oid, value, known, facts);
  }
  facts.close();
  return malformed;
}

void learn(const Known& known, const Subject& sender, Facts& facts) {
  if (!known.descr.empty())
    facts.learn(sender, Attribute::description, known.descr, "snmp.sys_descr");
  if (!known.name.empty()) facts.learn(sender, Attribute::host_name, known.name, "snmp.sys_name");
}

void tell_known(const Known& known, Facts& facts) {
  const auto tell = [&](const char* name, std::string_view text) {
    if (!text.empty()) facts.add(name, text);
  };
  tell("trap_oid", known.trap);
  tell("sys_descr", known.descr);
  tell("sys_object_id", known.object_id);
  tell("sys_name", known.name);
  tell("sys_location", known.location);
}

Malformed tell_trap1(BerReader pdu, Facts& facts) {
  facts.add("enterprise", oid_text(pdu.expect(kOid), facts));
  pdu.next();
  const auto generic = ber_unsigned(pdu.expect(kInteger));
  const auto specific = ber_unsigned(pdu.expect(kInteger));
  pdu.next();
  if (!pdu.ok() || !generic || !specific) return Malformed::bad_value;
  facts.add("generic_trap", *generic);
  facts.add("specific_trap", *specific);
  Known known;
  const Malformed malformed = tell_variables(pdu, known, facts);
  tell_known(known, facts);
  return malformed;
}

Malformed tell_pdu(const SnmpMessage& snmp, const Context& context, Facts& facts) {
  BerReader pdu(snmp.pdu);
  if (snmp.pdu_type == kTrap1) return tell_trap1(pdu, facts);
  const auto id = ber_integer(pdu.expect(kInteger));
  const auto error = ber_unsigned(pdu.expect(kInteger));
  pdu.expect(kInteger);
  if (!pdu.ok() || !id || !error) return Malformed::bad_value;
  const auto key = static_cast<std::uint32_t>(*id);
  facts.add("request_id", key);
  const bool answers = snmp.pdu_type == kResponse || snmp.pdu_type == kReport;
  if (answers) {
    if (*error != 0) tell_named(facts, "error_status", kErrors, static_cast<std::uint32_t>(*error));
    if (const auto request = context.answer(key))
      facts.add("latency_us", context.latency_us(*request));
    facts.learn(context.sender(), Attribute::service, "snmp", "snmp.pdu_type", Confidence::implied);
  } else if (snmp.pdu_type != kTrap2) {
    context.ask(key);
  }
  if (snmp.pdu_type == kSet)
    facts.act(Act::Kind::write, context.receiver(), context.sender(), "snmp.pdu_type");
  Known known;
  const Malformed malformed = tell_variables(pdu, known, facts);
  if ((answers || snmp.pdu_type == kTrap2) && *error == 0) {
    tell_known(known, facts);
    learn(known, context.sender(), facts);
  }
  return malformed;
}

Outcome dissect(Bytes bytes, const Context& context, Facts& facts) {
  const auto snmp = parse_snmp(bytes);
  if (!snmp) return snmp.error();
  facts.record("snmp");
  facts.add("version", snmp->version);
  if (snmp->version == 3) {
    if (!snmp->user.empty()) facts.add("usm", snmp->user);
    if (!snmp->engine_id.empty()) facts.add("engine_id", snmp->engine_id);
    facts.add("authenticated", snmp->authenticated);
    facts.add("encrypted", snmp->encrypted);
  } else {
    facts.add("community", snmp->community);
  }
  if (snmp->pdu_type == 0) return Malformed::none;
  tell_named(facts, "pdu_type", kPdus, snmp->pdu_type);
  return tell_pdu(*snmp, context, facts);
}

Probe probe(Bytes bytes, const Context&) {
  const auto snmp = parse_snmp(bytes);
  if (!snmp) return Probe::no;
  if (snmp->pdu_type == 0) return Probe::yes;
  return snmp->pdu_type == kResponse || snmp->pdu_type == kReport ? Probe::server : Probe::client;
}

constexpr Place kAt[] = {161, 162};

/// Version 3: what the header and the security parameters say, and the PDU where it is in clear.
Malformed read_version3(BerReader& message, SnmpMessage& out) {
  constexpr std::uint64_t kUsers = 3;
  BerReader header = message.enter(kSequence);
  header.expect(kInteger);
  header.expect(kInteger);
  const Bytes flags = header.expect(kOctets);
  const auto model = ber_unsigned(header.expect(kInteger));
  BerReader security(message.expect(kOctets));
  if (!message.ok() || !header.ok() || !model || flags.size() != 1) return Malformed::bad_value;
  out.authenticated = (flags[0] & 1) != 0;
  out.encrypted = (flags[0] & 2) != 0;
  if (*model == kUsers) {
    BerReader users = security.enter(kSequence);
    out.engine_id = users.expect(kOctets);
    users.expect(kInteger);
    users.expect(kInteger);
    out.user = text_of(users.expect(kOctets));
    if (!security.ok() || !users.ok()) return Malformed::bad_value;
  }
  if (out.encrypted) {
    message.expect(kOctets);
    return message.ok() ? Malformed::none : Malformed::bad_value;
  }
  BerReader scoped = message.enter(kSequence);
  scoped.expect(kOctets);
  scoped.expect(kOctets);
  const BerElement pdu = scoped.next();
  if (!message.ok() || !scoped.ok()) return Malformed::bad_value;
  out.pdu_type = static_cast<std::uint8_t>(pdu.tag);
  out.pdu = pdu.value;
  return Malformed::none;
}

}  // namespace
}  // namespace snmp

Parsed<SnmpMessage> parse_snmp(Bytes bytes) {
  const BerSize whole = ber_size(bytes);
  if (!whole.sound || (!bytes.empty() && bytes[0] != snmp::kSequence))
    return bad(Malformed::bad_value);
  if (!whole.size || *whole.size > bytes.size()) return bad(Malformed::truncated);
  if (*whole.size < bytes.size()) return bad(Malformed::bad_length);
  BerReader outer(bytes);
  BerReader message = outer.enter(snmp::kSequence);
  const auto version = ber_unsigned(message.expect(snmp::kInteger));
  if (!outer.ok() || !message.ok() || !version) return bad(Malformed::bad_value);
  SnmpMessage out;
  if (*version == 3) {
    out.version = 3;
    const Malformed malformed = snmp::read_version3(message, out);
    if (malformed != Malformed::none) return bad(malformed);
    if (out.encrypted) return out;
  } else if (*version <= 1) {
    out.version = static_cast<std::uint8_t>(*version + 1);
    out.community = text_of(message.expect(snmp::kOctets));
    const BerElement pdu = message.next();
    if (!message.ok()) return bad(Malformed::bad_value);
    out.pdu_type = static_cast<std::uint8_t>(pdu.tag);
    out.pdu = pdu.value;
  }
  if (out.version == 0 || name_of(snmp::kPdus, out.pdu_type) == nullptr)
    return bad(Malformed::bad_value);
  return out;
}

const Dissector kSnmp{.name = "snmp",
                      .carrier = Carrier::datagram,
                      .at = snmp::kAt,
                      .probe = snmp::probe,
                      .dissect = snmp::dissect};

}  // namespace vmirror
