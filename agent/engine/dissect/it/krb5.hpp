// Kerberos 5 (RFC 4120): who logs on, to what, by which keys, and what the KDC refuses.
#pragma once

#include "agent/engine/dissect/dissector.hpp"

namespace vmirror {

/// Record `krb5`, with Suricata's names: msg_type ("KRB_AS_REQ"), cname, realm, sname; of a request
/// etypes [], pa_types []; of a reply encryption, ticket_encryption and weak_encryption; of an
/// error error_code; latency_us.
/// Facts: service "kerberos" and domain of a KDC (krb5.realm); host_name of a machine that logs on
/// (krb5.cname: "HMI-3$").
/// Acts on the KDC: weak_authentication, where a reply is by DES or RC4; refused_authentication by
/// an error. Errors 25 (more pre-authentication), 52 (answer too large for UDP) and 68 (another
/// realm) are steps of a logon.
/// Clocks: of who made an error (krb5.stime); refused is that of who got error 37.
extern const Dissector kKrb5;
/// The same over TCP, where a length stands in front of each message (section 7.2.2).
extern const Dissector kKrb5Tcp;
/// What GSS carries (spnego.hpp): msg_type "KRB_AP_REQ" with realm, sname, ticket_encryption and
/// weak_encryption; "KRB_AP_REP"; "KRB_ERROR" with error_code.
/// Act: weak_authentication of who presents a ticket by DES or RC4.
extern const Dissector kKrb5Token;

}  // namespace vmirror
