// SIP (RFC 3261) over UDP and TCP: telephones, their servers, and who calls whom.
#pragma once

#include <optional>

#include "agent/engine/dissect/dissector.hpp"

namespace vmirror {

/// A message's first line and headers. What is not there is empty; all borrow from the packet.
struct SipMessage {
  bool is_response = false;
  std::string_view method, uri;  ///< Of a request.
  std::string_view version;      ///< "SIP/2.0"
  std::uint16_t code = 0;        ///< Of a response,
  std::string_view reason;       ///< with this.
  std::string_view from, to, call_id, sequence, user_agent, server, content_type, authorization;
  std::optional<std::uint64_t> length;  ///< Content-Length
  bool bad_length = false;              ///< It is no number.
};
/// `bytes`: a message, or its head. truncated: no empty line; bad_value: another first line.
Parsed<SipMessage> parse_sip(Bytes bytes);

/// Record `sip`, with Suricata's names: method, uri, version, or version, code, reason; and
/// request_from, request_to (Zeek's), call_id, cseq, user_agent, server, content_type, auth_scheme.
/// Facts: service "sip" of who answers (a telephone, too). Acts: weak_authentication of a password
/// in clear (Basic).
extern const Dissector kSip;     // datagram
extern const Dissector kSipTcp;  // stream

}  // namespace vmirror
