// Certificates as values: a CA of one's own, and the certificates that it signs (RFC 5280), by
// OpenSSL. Keys are of the curve P-256. Pure, but for the random numbers of keys and serials.
//
//   PEM of a holder, in one file, so that key and certificate are replaced together:
//     -----BEGIN PRIVATE KEY----- ... -----BEGIN CERTIFICATE----- ...
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "plugin/base/clock.hpp"
#include "plugin/base/result.hpp"

namespace vmirror::pki {

struct KeyPair {
  std::string key;          ///< PEM, PKCS #8, without a passphrase.
  std::string certificate;  ///< PEM.
};

/// What a certificate is to say of its holder. One of both names, of at most 64 bytes (X.520).
struct Subject {
  std::string common_name;
  std::vector<std::string> dns = {};        ///< Subject alternative names.
  std::vector<std::string> addresses = {};  ///< The same, IP.
  std::string unit = {};                    ///< OU, of a holder who has no common name.
  const std::string& name() const { return common_name.empty() ? unit : common_name; }
  bool operator==(const Subject&) const = default;
};

struct Certificate {
  Subject subject;
  std::string issuer;  ///< Common name.
  std::string serial;  ///< Hexadecimal.
  Time not_before = 0, not_after = 0;
  bool is_authority = false;
  std::string pem;  ///< Of this certificate alone.
};

/// A CA that signs its own certificate. It may sign no further CA.
Result<KeyPair> make_authority(const std::string& common_name, Time now, Time validity);

/// Is the key that of the (first) certificate?
bool is_pair(const KeyPair& pair);

/// A new key, and a certificate of the CA for it, for both sides of TLS. It begins an hour before
/// `now`, for clocks that are behind, and ends with the CA's at the latest. Error::Kind::invalid:
/// the CA's PEM can't be used, an address is none, or the CA has expired.
Result<KeyPair> issue(const KeyPair& authority, const Subject& subject, Time now, Time validity);

/// The certificates of a PEM text, in its order; other blocks are passed over.
/// Error::Kind::invalid: none, or one that can't be read.
Result<std::vector<Certificate>> read_certificates(std::string_view pem);

/// Did the CA's key sign it? Without regard to times.
bool is_signed_by(const Certificate& certificate, const Certificate& authority);

}  // namespace vmirror::pki
