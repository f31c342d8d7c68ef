// TLS 1.3 between agents, with both sides verified (RFC 8446, RFC 6125), and the words for the
// errors of TLS.
#pragma once

#include <boost/asio/ssl/context.hpp>
#include <boost/system/error_code.hpp>
#include <memory>

#include "agent/control/peers/peers.hpp"

namespace vmirror {

/// For both roles. Reads the files. Error::Kind::invalid: names the unusable file and the cause.
Result<std::unique_ptr<boost::asio::ssl::context>> make_tls(const PeerTls& files);

/// Checks that the peer's certificate names `host`; the handshake verified the certificate's chain.
/// Error::Kind::refused.
Result<void> check_certificate(const SSL* tls, const std::string& host);

/// The error of a failed handshake or read, in words. Error::Kind::refused: one side doesn't accept
/// the other; else unreachable.
Error tls_error(const boost::system::error_code& error, const SSL* tls);

}  // namespace vmirror
