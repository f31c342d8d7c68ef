// Which certificate is the server's: the callback that decides in a TLS handshake.
#pragma once

#include <openssl/types.h>

#include <string>

#include "plugin/base/result.hpp"

namespace vmirror::net {

/// What is expected, and what the last handshake showed. Must outlive the SSL_CTX.
struct CertificateCheck {
  std::string pinned;    ///< A normal thumbprint, or empty: by the CAs of the SSL_CTX.
  std::string seen;      ///< The thumbprint of the certificate that the server has.
  std::string rejected;  ///< Why it is not the server's; empty: it is.
  /// The bytes of tls-server-end-point (RFC 5929): its hash by what it is signed with, at least
  /// SHA-256.
  std::string end_point;

  /// Takes over the decision of `context`, for all connections made of it.
  void install(SSL_CTX* context);
};

/// Error::Kind::invalid: `path` is no PEM file of certificates.
Result<void> check_ca_file(const std::string& path);

}  // namespace vmirror::net
