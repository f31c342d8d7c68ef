// LDAP over TCP, and CLDAP over UDP (how domain controllers are located): who binds how, what is
// searched, and what a directory says of itself.
#pragma once

#include "agent/engine/dissect/dissector.hpp"

namespace vmirror {

struct LdapMessage {
  std::uint32_t id = 0;
  std::uint32_t operation = 0;  ///< BER tag: 0x60 bind request, ...
  Bytes body;                   ///< The operation's contents.
};
/// The message at the front of `bytes`; `rest` is what is behind it. truncated; bad_length: its
/// parts contradict it; bad_value: no LDAP message.
Parsed<LdapMessage> parse_ldap(Bytes bytes, Bytes& rest);

/// Record `ldap`: message_id, operation; by operation: bind: version, name, authentication,
/// mechanism; search: base, scope, filter, attributes; entry: object_name, attributes by name with
/// the first values of text; any response: result_code, result, message, latency_us; extended: oid;
/// NetLogon's answer: netlogon with its names and the domain's GUID. After a SASL bind that chose a
/// security layer: what Kerberos signs alone is read on; else one record of operation "sealed", and
/// the flow is done. After an accepted
/// StartTLS it becomes TLS. Tokens of NTLM and GSS in binds go down as spnego.hpp says.
/// Facts: service "ldap" of who answers; of the directory's root and of NetLogon host_name, domain,
/// role "domain_controller". Acts: weak_authentication by a password in clear,
/// refused_authentication.
extern const Dissector kLdap;   // stream
extern const Dissector kCldap;  // datagram; records and facts say cldap

}  // namespace vmirror
