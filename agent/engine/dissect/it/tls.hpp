// TLS: who asks for which name, what the two agree on, and who the server says it is. Behind the
// handshake nothing can be read, and nothing is.
#pragma once

#include "agent/engine/dissect/dissector.hpp"

namespace vmirror {

struct TlsClientHello {
  std::uint16_t version = 0;  ///< The legacy field, or the highest of supported_versions.
  std::string_view server_name;
  std::string_view protocol;  ///< The first of ALPN.
  std::uint16_t cipher_suites = 0;
};
struct TlsServerHello {
  std::uint16_t version = 0;
  std::uint16_t cipher_suite = 0;
  std::string_view protocol;
};
/// `body`: a handshake message behind its four bytes of head. truncated, bad_length.
Parsed<TlsClientHello> parse_client_hello(Bytes body);
Parsed<TlsServerHello> parse_server_hello(Bytes body);

/// Of a certificate's names.
struct X509Names {
  std::string_view subject, issuer;  ///< The common name, else the organisation.
  static constexpr std::size_t kMostNames = 16;
  std::array<std::string_view, kMostNames> dns_names;
  std::size_t dns_name_count = 0;
};
/// `der`: RFC 5280's Certificate. truncated, bad_length.
Parsed<X509Names> parse_certificate(Bytes der);

/// Record `tls`, one for each hello and one for the server's certificate: type; of the client's
/// hello version, sni, alpn, cipher_suites; of the server's version, cipher_suite, alpn; of the
/// certificate subject, issuerdn, subjectaltname. An alert: level, description.
/// Facts: service "tls" and host_name of who shows a certificate.
/// The flow is done once both sides encrypt: with the server's hello of TLS 1.3, with the change of
/// cipher before.
extern const Dissector kTls;

}  // namespace vmirror
