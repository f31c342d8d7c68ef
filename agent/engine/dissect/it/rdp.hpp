// RDP ([MS-RDPBCGR]): who connects to a desktop, and how the connection is secured.
#pragma once

#include <optional>

#include "agent/engine/dissect/dissector.hpp"

namespace vmirror {

/// The negotiation inside X.224's connection request and confirm.
struct RdpNegotiation {
  enum class Kind : std::uint8_t { none = 0, request = 1, response = 2, failure = 3 };
  bool is_confirm = false;
  std::string_view cookie;      ///< "mstshash=user", or a load balancer's token
  Kind kind = Kind::none;       ///< none: RDP 4 and 5.0, which know RDP's own security alone
  std::uint8_t flags = 0;       ///< 1 of a request: restricted administration
  std::uint32_t protocols = 0;  ///< Those asked for, the one chosen, or the code of the failure.
};
/// `bytes`: a TPKT. truncated, bad_length: X.224's; bad_value: not a connection request or confirm,
/// or one of another protocol than RDP.
Parsed<RdpNegotiation> parse_rdp(Bytes bytes);

/// Record `rdp`, with Suricata's names: event_type ("initial_request", "initial_response"), cookie,
/// requested [] (rdp, ssl, hybrid, rdstls, hybrid_ex, rdsaad), protocol (the chosen one), or error
/// of a refusal. With TLS or CredSSP the flow becomes tls; with RDP's own security nothing more is
/// read.
/// Facts: service "rdp" of who confirms. Acts: weak_authentication where RDP's own security (RC4, a
/// key that is public) was chosen.
extern const Dissector kRdp;

}  // namespace vmirror
