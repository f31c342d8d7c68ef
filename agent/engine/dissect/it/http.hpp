// HTTP/1 (RFC 9110, RFC 9112): who asks which host for what, by which software, and what it
// answers.
#pragma once

#include <optional>

#include "agent/engine/dissect/dissector.hpp"

namespace vmirror {

/// A message's first line and headers. What is not there is empty; all borrow from the packet.
struct HttpMessage {
  bool is_response = false;
  std::string_view method, url;  ///< Of a request.
  std::string_view version;      ///< "HTTP/1.1"
  std::uint16_t status = 0;      ///< Of a response.
  std::string_view host, user_agent, referer, server, location, content_type, upgrade;
  /// Authorization, or Proxy-Authorization: "Basic dXNlcjpwYXNz"
  std::string_view authorization;
  /// WWW-Authenticate and Proxy-Authenticate, in their order; more are passed over.
  static constexpr std::size_t kMostChallenges = 8;
  std::string_view challenges[kMostChallenges];
  std::size_t challenge_count = 0;
  std::optional<std::uint64_t> length;  ///< Content-Length
  bool chunked = false;
};

/// `head`: from the first line to the empty one. truncated: no empty line; bad_value: another first
/// line, or a Content-Length that is no number.
Parsed<HttpMessage> parse_http(Bytes head);

/// Record `http`, one for each request and each response, with Suricata's names: type, protocol;
/// of a request http_method, url (front), hostname, http_port, http_user_agent, http_refer,
/// auth_scheme, and username of Basic; of a response status, server, redirect, auth_schemes [],
/// latency_us; of both http_content_type and length, as the header says. Bodies are passed over.
/// Tokens of NTLM and Negotiate go down as spnego.hpp says.
/// CONNECT to a port of TLS, and an upgrade to TLS, become tls; after another CONNECT or upgrade
/// (WebSocket, h2c) nothing more of the flow is read. HTTP/0.9 and HTTP/2 are not this protocol.
/// Facts: service "http" of who answers. Acts: weak_authentication of a password in clear (Basic).
extern const Dissector kHttp;

}  // namespace vmirror
