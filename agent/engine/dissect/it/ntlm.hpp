// NTLM ([MS-NLMP]): who logs on from which machine, by which version, and what the server is.
#pragma once

#include <optional>

#include "agent/engine/dissect/dissector.hpp"

namespace vmirror {

/// One of the three messages. Texts are as the message has them: UTF-16LE where `unicode` says so.
struct NtlmMessage {
  enum class Type : std::uint8_t { negotiate = 1, challenge = 2, authenticate = 3 };
  Type type = Type::negotiate;
  std::uint32_t flags = 0;
  Bytes domain, user, workstation;  ///< negotiate (without user), authenticate
  Bytes target, target_info;        ///< challenge
  Bytes lm, nt;                     ///< authenticate: the responses
  struct Version {
    std::uint8_t major = 0, minor = 0;
    std::uint16_t build = 0;
    std::uint8_t revision = 0;
  };
  std::optional<Version> version;
  bool unicode() const { return (flags & 1) != 0; }
};
/// truncated: a field is not there; bad_value: no NTLM.
Parsed<NtlmMessage> parse_ntlm(Bytes bytes);

/// Record `ntlm`, with the names of Suricata (smb.ntlmssp) and of Zeek: type, version ("10.0 build
/// 17763 rev 15", of the sender's system); of an authenticate user, domain, host and response
/// (ntlmv2 | ntlmv1_session_security | ntlmv1 | lm | anonymous); of a negotiate domain and host
/// where it has them; of a challenge target and server_nb_computer_name, server_nb_domain_name,
/// server_dns_computer_name, server_dns_domain_name, server_tree_name. Challenges and responses
/// themselves are not told.
/// Facts: host_name and domain of who challenges (ntlm.challenge); host_name of who authenticates
/// (ntlm.host). Acts: weak_authentication of a response of version 1 or LM.
extern const Dissector kNtlm;

}  // namespace vmirror
