#include "agent/control/peers/tls.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <boost/asio/ssl/error.hpp>

namespace vmirror {

namespace ssl = boost::asio::ssl;
using boost::system::error_code;

Result<std::unique_ptr<ssl::context>> make_tls(const PeerTls& files) {
  auto context = std::make_unique<ssl::context>(ssl::context::tls);
  SSL_CTX* const raw = context->native_handle();
  error_code error;
  const auto wrong = [&](const char* what, const std::string& file) {
    return fail(Error::Kind::invalid, what + error.message(), file,
                "name a readable PEM file in peers.tls");
  };
  if (SSL_CTX_set_min_proto_version(raw, TLS1_3_VERSION) != 1)
    return fail(Error::Kind::unsupported, "this OpenSSL has no TLS 1.3", "peers.tls",
                "install OpenSSL 1.1.1 or newer");
  context->use_certificate_chain_file(files.certificate, error);
  if (error) return wrong("the certificate can't be used: ", files.certificate);
  context->use_private_key_file(files.private_key, ssl::context::pem, error);
  // OpenSSL compares the key to the certificate as it takes it.
  if (error) return wrong("the private key can't be used: ", files.private_key);
  context->load_verify_file(files.ca_certificate, error);
  if (error) return wrong("the CA's certificate can't be used: ", files.ca_certificate);
  if (!files.revoked.empty()) {
    X509_STORE* const store = SSL_CTX_get_cert_store(raw);
    X509_LOOKUP* const lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());
    if (X509_load_crl_file(lookup, files.revoked.c_str(), X509_FILETYPE_PEM) < 1) {
      error = error_code(static_cast<int>(ERR_get_error()), boost::asio::error::get_ssl_category());
      return wrong("the list of revoked certificates can't be used: ", files.revoked);
    }
    X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
  }
  context->set_verify_mode(ssl::verify_peer | ssl::verify_fail_if_no_peer_cert, error);
  // Each connection proves itself: no sessions to resume.
  SSL_CTX_set_num_tickets(raw, 0);
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  return context;
}

Result<void> check_certificate(const SSL* tls, const std::string& host) {
  X509* const certificate = SSL_get0_peer_certificate(tls);
  if (certificate != nullptr && X509_check_host(certificate, host.data(), host.size(),
                                                X509_CHECK_FLAG_NO_WILDCARDS, nullptr) == 1)
    return {};
  return fail(Error::Kind::refused, "its certificate does not name `" + host + "`", {},
              "give it one with that DNS name, or correct the host's name");
}

Error tls_error(const error_code& error, const SSL* tls) {
  const long verdict = SSL_get_verify_result(tls);
  if (verdict != X509_V_OK) {
    const bool time =
        verdict == X509_V_ERR_CERT_HAS_EXPIRED || verdict == X509_V_ERR_CERT_NOT_YET_VALID;
    const bool list = verdict == X509_V_ERR_UNABLE_TO_GET_CRL ||
                      verdict == X509_V_ERR_CRL_HAS_EXPIRED ||
                      verdict == X509_V_ERR_CRL_NOT_YET_VALID;
    return {
        Error::Kind::refused,
        std::string("its certificate is not accepted: ") + X509_verify_cert_error_string(verdict),
        {},
        time   ? "renew it; are both hosts' clocks right?"
        : list ? "write the CA's latest list to peers.tls.revoked"
        : verdict == X509_V_ERR_CERT_REVOKED
            ? "its CA took it back: give that host another one"
            : "give both hosts certificates of one CA, and name that in peers.tls.ca"};
  }
  if (error.category() != boost::asio::error::get_ssl_category())
    return {Error::Kind::unreachable,
            "it ended the TLS handshake: " + error.message(),
            {},
            "see `vmirror status` there"};
  switch (const int reason = ERR_GET_REASON(static_cast<unsigned long>(error.value()))) {
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
      return {Error::Kind::refused,
              "it does not speak TLS",
              {},
              "set peers.tls on both hosts, or on neither"};
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
      return {Error::Kind::refused,
              "the two have no version of TLS in common",
              {},
              "agents speak TLS 1.3"};
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
      return {Error::Kind::refused, "it showed no certificate", {}, "does a vmirrord dial there?"};
    default:
      // An alert that we received (RFC 8446, 6.2): OpenSSL numbers them from 1000 on.
      if (reason >= SSL_AD_REASON_OFFSET)
        return {Error::Kind::refused,
                std::string("it does not accept this host's certificate: ") + error.message(),
                {},
                "see `vmirror status` there; is the certificate of its CA, and valid?"};
      return {Error::Kind::refused,
              "TLS failed: " + error.message(),
              {},
              "does a vmirrord of this version listen there?"};
  }
}

}  // namespace vmirror
