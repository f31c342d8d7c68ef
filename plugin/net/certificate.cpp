#include "plugin/net/certificate.hpp"

#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <memory>

#include "plugin/net/http.hpp"

namespace vmirror::net {
namespace {

std::string colons(const unsigned char* bytes, std::size_t size) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out;
  for (std::size_t i = 0; i < size; i++) {
    if (i > 0) out += ':';
    out += kDigits[bytes[i] >> 4];
    out += kDigits[bytes[i] & 15];
  }
  return out;
}

std::string thumbprint_of(const X509* certificate) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (!certificate || !X509_digest(certificate, EVP_sha256(), digest, &size)) return {};
  return colons(digest, size);
}

std::string end_point_of(const X509* certificate) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  int signed_by = NID_undef;
  if (!certificate) return {};
  OBJ_find_sigid_algs(X509_get_signature_nid(certificate), &signed_by, nullptr);
  const EVP_MD* by = EVP_get_digestbynid(signed_by);
  if (!by || signed_by == NID_md5 || signed_by == NID_sha1) by = EVP_sha256();
  if (!X509_digest(certificate, by, digest, &size)) return {};
  return {reinterpret_cast<const char*>(digest), size};
}

/// 1: the handshake goes on.
int verify(X509_STORE_CTX* handshake, void* argument) {
  auto& check = *static_cast<CertificateCheck*>(argument);
  check.rejected.clear();
  check.seen = thumbprint_of(X509_STORE_CTX_get0_cert(handshake));
  check.end_point = end_point_of(X509_STORE_CTX_get0_cert(handshake));
  if (check.pinned.empty()) {
    if (X509_verify_cert(handshake) == 1) return 1;
    check.rejected = X509_verify_cert_error_string(X509_STORE_CTX_get_error(handshake));
    return 0;
  }
  if (check.seen == check.pinned) {
    X509_STORE_CTX_set_error(handshake, X509_V_OK);
    return 1;
  }
  check.rejected = "it has not the thumbprint that is configured";
  X509_STORE_CTX_set_error(handshake, X509_V_ERR_APPLICATION_VERIFICATION);
  return 0;
}

}  // namespace

void CertificateCheck::install(SSL_CTX* context) {
  SSL_CTX_set_cert_verify_callback(context, verify, this);
}

Result<void> check_ca_file(const std::string& path) {
  const std::unique_ptr<X509_STORE, void (*)(X509_STORE*)> store(X509_STORE_new(), X509_STORE_free);
  if (!store || X509_STORE_load_file(store.get(), path.c_str()) != 1)
    return fail(Error::Kind::invalid, "no certificates of CAs can be read from the file", path,
                "give a PEM file");
  return {};
}

Result<std::string> normal_thumbprint(std::string_view text) {
  std::string bytes;
  int high = -1;
  bool pairs = true;  // Colons stand between pairs of digits only.
  for (const char c : text) {
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0) {
      pairs = pairs && c == ':' && high < 0 && !bytes.empty();
    } else if (high < 0) {
      high = digit;
    } else {
      bytes += static_cast<char>(high << 4 | digit);
      high = -1;
    }
  }
  pairs = pairs && high < 0 && !text.ends_with(':');
  if (pairs && bytes.size() == 32)
    return colons(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  const bool sha1 = pairs && bytes.size() == 20;
  return fail(Error::Kind::invalid,
              sha1 ? "a thumbprint by SHA-1 (20 bytes), where one by SHA-256 is needed"
                   : "no thumbprint: 64 hexadecimal digits, with or without colons",
              "thumbprint", "openssl x509 -noout -fingerprint -sha256 -in CERTIFICATE");
}

}  // namespace vmirror::net
