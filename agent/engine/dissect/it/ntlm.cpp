// [MS-NLMP], section 2.2: messages (2.2.1), target information (2.2.2.1), responses (2.2.2.3 to
// 2.2.2.8). Numbers are little-endian.
//
//   field[n]: n bytes; field: | size[2] | room[2] | offset[4] | from the message's first byte
//
//   all           | "NTLMSSP" 00 | type[4] | ...
//   negotiate     | flags[4] | domain | workstation | version[8] |
//   challenge     | target | flags[4] | challenge[8] | 8 | target information | version[8] |
//   authenticate  | LM response | NT response | domain | user | workstation | session key |
//                 | flags[4] | version[8] | ...
//   version       | major[1] | minor[1] | build[2] | 3 | revision[1] |
//   information   | kind[2] | size[2] | value | ...    kind 0 ends it
#include "agent/engine/dissect/it/ntlm.hpp"

#include "agent/engine/dissect/guid.hpp"
#include "agent/engine/dissect/it/spnego.hpp"

namespace vmirror {
namespace ntlm {
namespace {

constexpr std::string_view kSignature("NTLMSSP\0", 8);
constexpr std::uint32_t kDomainSent = 0x1000, kWorkstationSent = 0x2000, kSessionSecurity = 0x80000,
                        kVersionSent = 0x2000000;
constexpr std::size_t kOldResponse = 24;
constexpr const char* kTypes[] = {"", "negotiate", "challenge", "authenticate"};

/// What a field points to; false: it is not there.
bool read_field(Cursor& cursor, Bytes all, Bytes& out) {
  const std::uint16_t size = cursor.le16();
  cursor.le16();
  const std::uint32_t offset = cursor.le32();
  if (!cursor.ok()) return false;
  if (size == 0) return true;
  if (offset > all.size() || size > all.size() - offset) return false;
  out = all.subspan(offset, size);
  return true;
}

void read_version(Cursor& cursor, NtlmMessage& out) {
  if ((out.flags & kVersionSent) == 0 || cursor.left() < 8) return;
  NtlmMessage::Version version;
  version.major = cursor.u8();
  version.minor = cursor.u8();
  version.build = cursor.le16();
  cursor.skip(3);
  version.revision = cursor.u8();
  out.version = version;
}

std::string_view text(const NtlmMessage& ntlm, Bytes field, Facts& facts) {
  return ntlm.unicode() ? utf16_text(field, facts) : text_of(field);
}

void tell(Facts& facts, const char* name, std::string_view value) {
  if (!value.empty()) facts.add(name, value);
}

const char* response_of(const NtlmMessage& ntlm) {
  if (ntlm.nt.empty()) return ntlm.lm.size() == kOldResponse ? "lm" : "anonymous";
  if (ntlm.nt.size() > kOldResponse) return "ntlmv2";
  return (ntlm.flags & kSessionSecurity) != 0 ? "ntlmv1_session_security" : "ntlmv1";
}

void tell_authenticate(const NtlmMessage& ntlm, const Context& context, Facts& facts) {
  tell(facts, "user", text(ntlm, ntlm.user, facts));
  tell(facts, "domain", text(ntlm, ntlm.domain, facts));
  const std::string_view host = text(ntlm, ntlm.workstation, facts);
  tell(facts, "host", host);
  const char* response = response_of(ntlm);
  facts.add("response", response);
  if (!host.empty()) facts.learn(context.sender(), Attribute::host_name, host, "ntlm.host");
  const bool anonymous = ntlm.nt.empty() && ntlm.lm.size() != kOldResponse;
  if (!anonymous && ntlm.nt.size() <= kOldResponse)
    facts.act(Act::Kind::weak_authentication, context.receiver(), context.sender(),
              "ntlm.response");
}

void tell_challenge(const NtlmMessage& ntlm, const Context& context, Facts& facts) {
  enum Kind : std::uint16_t { kNbComputer = 1, kNbDomain, kDnsComputer, kDnsDomain, kTree, kEnd };
  constexpr const char* kFields[] = {"",
                                     "server_nb_computer_name",
                                     "server_nb_domain_name",
                                     "server_dns_computer_name",
                                     "server_dns_domain_name",
                                     "server_tree_name"};
  tell(facts, "target", text(ntlm, ntlm.target, facts));
  std::string_view names[kEnd];
  for (Cursor cursor(ntlm.target_info); cursor.ok() && !cursor.empty();) {
    const std::uint16_t kind = cursor.le16();
    const Bytes value = cursor.take(cursor.le16());
    if (kind == 0 || !cursor.ok()) break;
    if (kind < kEnd) names[kind] = utf16_text(value, facts);
  }
  for (std::size_t kind = kNbComputer; kind < kEnd; ++kind) tell(facts, kFields[kind], names[kind]);
  const std::string_view host =
      names[kDnsComputer].empty() ? names[kNbComputer] : names[kDnsComputer];
  const std::string_view domain = names[kDnsDomain].empty() ? names[kNbDomain] : names[kDnsDomain];
  if (!host.empty()) facts.learn(context.sender(), Attribute::host_name, host, "ntlm.challenge");
  if (!domain.empty()) facts.learn(context.sender(), Attribute::domain, domain, "ntlm.challenge");
}

Outcome dissect(Bytes bytes, const Context& context, Facts& facts) {
  const auto ntlm = parse_ntlm(bytes);
  if (!ntlm) return ntlm.error();
  facts.record("ntlm");
  facts.add("type", kTypes[static_cast<std::size_t>(ntlm->type)]);
  switch (ntlm->type) {
    case NtlmMessage::Type::negotiate:
      tell(facts, "domain", text_of(ntlm->domain));  // Never in Unicode.
      tell(facts, "host", text_of(ntlm->workstation));
      break;
    case NtlmMessage::Type::challenge:
      tell_challenge(*ntlm, context, facts);
      break;
    case NtlmMessage::Type::authenticate:
      tell_authenticate(*ntlm, context, facts);
      break;
  }
  if (ntlm->version) {
    const auto& [major, minor, build, revision] = *ntlm->version;
    facts.add("version", ShortText()
                             .add(major)
                             .add(".")
                             .add(minor)
                             .add(" build ")
                             .add(build)
                             .add(" rev ")
                             .add(revision)
                             .kept(facts));
  }
  return Malformed::none;
}

constexpr Place kAt[] = {kNtlmToken};

}  // namespace
}  // namespace ntlm

Parsed<NtlmMessage> parse_ntlm(Bytes bytes) {
  Cursor cursor(bytes);
  const Bytes signature = cursor.take(ntlm::kSignature.size());
  const std::uint32_t type = cursor.le32();
  if (!cursor.ok()) return bad(Malformed::truncated);
  if (as_text(signature) != ntlm::kSignature || type < 1 || type > 3)
    return bad(Malformed::bad_value);
  NtlmMessage out;
  out.type = static_cast<NtlmMessage::Type>(type);
  const auto field = [&](Bytes& to) { return ntlm::read_field(cursor, bytes, to); };
  bool all = true;
  Bytes unused;
  if (out.type == NtlmMessage::Type::negotiate) {
    out.flags = cursor.le32();
    if (!cursor.ok()) return bad(Malformed::truncated);
    if (cursor.empty()) return out;  // Old clients end here.
    all = field(out.domain) && field(out.workstation);
    if ((out.flags & ntlm::kDomainSent) == 0) out.domain = {};
    if ((out.flags & ntlm::kWorkstationSent) == 0) out.workstation = {};
  } else if (out.type == NtlmMessage::Type::challenge) {
    all = field(out.target);
    out.flags = cursor.le32();
    cursor.skip(8);
    if (!cursor.ok()) return bad(Malformed::truncated);
    if (cursor.empty() && all) return out;  // Version 1's servers end here.
    cursor.skip(8);
    all = all && field(out.target_info);
  } else {
    all = field(out.lm) && field(out.nt) && field(out.domain) && field(out.user) &&
          field(out.workstation);
    if (all && cursor.left() >= 12) {
      all = field(unused);
      out.flags = cursor.le32();
    }
  }
  if (!all || !cursor.ok()) return bad(Malformed::truncated);
  ntlm::read_version(cursor, out);
  return out;
}

const Dissector kNtlm{.name = "ntlm",
                      .carrier = Carrier::inside,
                      .at = ntlm::kAt,
                      .dissect = ntlm::dissect,
                      .names_flow = false};

}  // namespace vmirror
