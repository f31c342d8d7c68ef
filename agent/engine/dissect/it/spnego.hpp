// GSS tokens, wherever they are carried, and SPNEGO (RFC 4178), by which two sides choose among
// Kerberos, NTLM and others.
#pragma once

#include "agent/engine/dissect/dissector.hpp"

namespace vmirror {

/// Where tokens go down: those of GSS, NTLM's own, Kerberos' without their frame. Who carries
/// tokens hands down at the first two, by `hand_down_gss`.
constexpr Place kGssToken = inside("gss.token");
constexpr Place kNtlmToken = inside("gss.ntlm");
constexpr Place kKerberosToken = inside("gss.krb5");

/// Hands `token` to whom its first bytes name; nothing where they name no one (signatures, SASL's
/// wrapped tokens, other mechanisms). Begins records: the carrier's own must be complete.
void hand_down_gss(Bytes token, const Context& context, Facts& facts);

/// Record `spnego`: type "init" with mechanisms [] (names, or OIDs) and of a server principal, the
/// hint of its name; type "response" with state and mechanism. The token inside goes down: record
/// `ntlm` or `krb5`. A token of a mechanism without SPNEGO has no record of its own.
extern const Dissector kSpnego;

}  // namespace vmirror
