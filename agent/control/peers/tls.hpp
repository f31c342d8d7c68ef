// TLS 1.3 between agents, both sides verified (RFC 8446, RFC 6125), and the words for what goes
// wrong with it.
#pragma once

#include <boost/asio/ssl/context.hpp>
#include <boost/system/error_code.hpp>
#include <memory>

#include "agent/control/peers/peers.hpp"

namespace vmirror {

/// For both roles. Reads the files. Error::Kind::invalid: which of them can't be used, and why.
Result<std::unique_ptr<boost::asio::ssl::context>> make_tls(const PeerTls& files);

/// That the peer's certificate names `host`; its chain was verified by the handshake.
/// Error::Kind::refused.
Result<void> check_certificate(const SSL* tls, const std::string& host);

/// What a failed handshake or read says, in words: Error::Kind::refused when one side doesn't
/// accept the other, else unreachable.
Error tls_error(const boost::system::error_code& error, const SSL* tls);

}  // namespace vmirror
