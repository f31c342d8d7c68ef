#include "agent/pki/certificate.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <ctime>
#include <memory>

#include "plugin/base/address.hpp"
#include "plugin/base/text.hpp"

namespace vmirror::pki {

namespace {

template <auto Free>
struct Freer {
  template <typename T>
  void operator()(T* one) const {
    Free(one);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;
using Cert = std::unique_ptr<X509, Freer<X509_free>>;
using Bio = std::unique_ptr<BIO, Freer<BIO_free_all>>;
using Names = std::unique_ptr<GENERAL_NAMES, Freer<GENERAL_NAMES_free>>;
using Number = std::unique_ptr<BIGNUM, Freer<BN_free>>;

constexpr Time kBackwards = 3600 * kSecond;  ///< For clocks that are behind.
constexpr int kSerialBytes = 16;

/// What OpenSSL says of its last fault.
tl::unexpected<Error> failed(const char* what) {
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  std::string text = std::string(what) + (reason == nullptr ? "" : std::string(": ") + reason);
  ERR_clear_error();
  return fail(Error::Kind::internal, std::move(text), "OpenSSL");
}

Bio reading(std::string_view text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

std::string text_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<std::size_t>(size)};
}

std::string pem_of(X509* certificate) {
  const Bio out(BIO_new(BIO_s_mem()));
  return PEM_write_bio_X509(out.get(), certificate) == 1 ? text_of(out.get()) : std::string();
}

std::string pem_of(EVP_PKEY* key) {
  const Bio out(BIO_new(BIO_s_mem()));
  const bool done =
      PEM_write_bio_PKCS8PrivateKey(out.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1;
  return done ? text_of(out.get()) : std::string();
}

/// A key with a passphrase is none: nobody is there to be asked.
int no_passphrase(char*, int, int, void*) {
  return 0;
}

/// `nid`: NID_commonName, or another part of the name; empty: there is none.
std::string name_part(const X509_NAME* name, int nid) {
  const int at = X509_NAME_get_index_by_NID(name, nid, -1);
  if (at < 0) return {};
  unsigned char* text = nullptr;
  const int size =
      ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
  if (size < 0) return {};
  std::string out(reinterpret_cast<char*>(text), static_cast<std::size_t>(size));
  OPENSSL_free(text);
  return out;
}

Time time_of(const ASN1_TIME* time) {
  std::tm parts{};
  return ASN1_TIME_to_tm(time, &parts) == 1 ? Time{timegm(&parts)} * kSecond : 0;
}

std::string serial_of(const X509* certificate) {
  const Number number(ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), nullptr));
  char* text = BN_bn2hex(number.get());
  std::string out = text == nullptr ? "" : text;
  OPENSSL_free(text);
  return out;
}

std::string address_text(const ASN1_OCTET_STRING* bytes) {
  const unsigned char* data = ASN1_STRING_get0_data(bytes);
  const int size = ASN1_STRING_length(bytes);
  return size == 4 ? IpAddress::v4(data).text() : size == 16 ? IpAddress::v6(data).text() : "";
}

void read_alternative_names(X509* certificate, Subject& out) {
  const Names names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_DNS)
      out.dns.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName)),
                           ASN1_STRING_length(name->d.dNSName));
    else if (name->type == GEN_IPADD)
      out.addresses.push_back(address_text(name->d.iPAddress));
  }
}

bool add_extension(X509* to, X509* issuer, int which, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, to, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, which, value.c_str());
  const bool done = extension != nullptr && X509_add_ext(to, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return done;
}

bool set_name(X509_NAME* name, const Subject& subject) {
  const std::string& text = subject.name();
  return X509_NAME_add_entry_by_txt(name, subject.common_name.empty() ? "OU" : "CN", MBSTRING_UTF8,
                                    reinterpret_cast<const unsigned char*>(text.data()),
                                    static_cast<int>(text.size()), -1, 0) == 1;
}

bool set_serial(X509* certificate) {
  unsigned char bytes[kSerialBytes];
  if (RAND_bytes(bytes, kSerialBytes) != 1) return false;
  bytes[0] = static_cast<unsigned char>((bytes[0] & 0x7f) | 0x40);  // Positive, of full length.
  const Number number(BN_bin2bn(bytes, kSerialBytes, nullptr));
  return number && BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr;
}

bool set_times(X509* certificate, Time from, Time to) {
  return ASN1_TIME_set(X509_getm_notBefore(certificate), from / kSecond) != nullptr &&
         ASN1_TIME_set(X509_getm_notAfter(certificate), to / kSecond) != nullptr;
}

/// The version, the times, the name and the key: what a CA's certificate and others share.
Cert begin_certificate(EVP_PKEY* key, const Subject& subject, Time from, Time to) {
  Cert out(X509_new());
  const bool done = out && X509_set_version(out.get(), X509_VERSION_3) == 1 &&
                    set_serial(out.get()) && set_times(out.get(), from, to) &&
                    set_name(X509_get_subject_name(out.get()), subject) &&
                    X509_set_pubkey(out.get(), key) == 1;
  return done ? std::move(out) : nullptr;
}

std::string alternative_names(const Subject& subject) {
  std::string out;
  for (const std::string& name : subject.dns) out += (out.empty() ? "DNS:" : ",DNS:") + name;
  for (const std::string& address : subject.addresses)
    out += (out.empty() ? "IP:" : ",IP:") + address;
  return out;
}

/// Names go into OpenSSL's text form of extensions, in which commas and colons mean something.
Result<void> check_subject(const Subject& subject) {
  if (subject.name().empty() || subject.name().size() > 64)
    return fail(Error::Kind::invalid, "a certificate's name has 1 to 64 bytes", subject.name(),
                "give a shorter name");
  for (const std::string& name : subject.dns)
    if (name.empty() ||
        name.find_first_not_of("abcdefghijklmnopqrstuvwxyz"
                               "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_*") != name.npos)
      return fail(Error::Kind::invalid, "`" + name + "` is no DNS name", "--dns",
                  "write letters, digits, dots and hyphens");
  for (const std::string& address : subject.addresses)
    if (!IpAddress::parse(address))
      return fail(Error::Kind::invalid, "`" + address + "` is no IP address", "--address",
                  "write one as 192.0.2.7 or 2001:db8::7");
  return {};
}

Cert read_one(BIO* from) {
  return Cert(PEM_read_bio_X509(from, nullptr, no_passphrase, nullptr));
}

Certificate certificate_of(X509* one) {
  Certificate out;
  out.subject.common_name = name_part(X509_get_subject_name(one), NID_commonName);
  out.subject.unit = name_part(X509_get_subject_name(one), NID_organizationalUnitName);
  read_alternative_names(one, out.subject);
  out.issuer = name_part(X509_get_issuer_name(one), NID_commonName);
  out.serial = serial_of(one);
  out.not_before = time_of(X509_get0_notBefore(one));
  out.not_after = time_of(X509_get0_notAfter(one));
  out.is_authority = X509_check_ca(one) == 1;
  out.pem = pem_of(one);
  return out;
}

}  // namespace

Result<KeyPair> make_authority(const std::string& name, Time now, Time validity) {
  if (const auto good = check_subject({name}); !good) return tl::unexpected(good.error());
  const Key key(EVP_EC_gen("P-256"));
  if (!key) return failed("no key can be made");
  const Cert made = begin_certificate(key.get(), {name}, now - kBackwards, now + validity);
  X509* const one = made.get();
  const bool done = one != nullptr && set_name(X509_get_issuer_name(one), {name}) &&
                    add_extension(one, one, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
                    add_extension(one, one, NID_key_usage, "critical,keyCertSign,cRLSign") &&
                    add_extension(one, one, NID_subject_key_identifier, "hash") &&
                    X509_sign(one, key.get(), EVP_sha256()) != 0;
  if (!done) return failed("the CA's certificate can't be made");
  return KeyPair{pem_of(key.get()), pem_of(one)};
}

bool is_pair(const KeyPair& pair) {
  const Key key(PEM_read_bio_PrivateKey(reading(pair.key).get(), nullptr, no_passphrase, nullptr));
  const Cert one = read_one(reading(pair.certificate).get());
  const bool out = key && one && X509_check_private_key(one.get(), key.get()) == 1;
  ERR_clear_error();
  return out;
}

Result<KeyPair> issue(const KeyPair& authority, const Subject& subject, Time now, Time validity) {
  if (const auto good = check_subject(subject); !good) return tl::unexpected(good.error());
  const Key signer(
      PEM_read_bio_PrivateKey(reading(authority.key).get(), nullptr, no_passphrase, nullptr));
  const Cert issuer = read_one(reading(authority.certificate).get());
  ERR_clear_error();
  if (!signer || !issuer || X509_check_private_key(issuer.get(), signer.get()) != 1)
    return fail(Error::Kind::invalid, "the CA's key and certificate are no pair in PEM", "the CA",
                "put back ca.key and ca.pem of one `vmirror pki init`");
  const Time last = time_of(X509_get0_notAfter(issuer.get()));
  if (last <= now)
    return fail(Error::Kind::invalid, "the CA has expired at " + clock_text(last), "the CA",
                "make a new one: `vmirror pki rotate`");
  const Key key(EVP_EC_gen("P-256"));
  if (!key) return failed("no key can be made");
  const Cert made =
      begin_certificate(key.get(), subject, now - kBackwards, std::min(now + validity, last));
  X509* const one = made.get();
  const std::string names = alternative_names(subject);
  const bool done =
      one != nullptr && X509_set_issuer_name(one, X509_get_subject_name(issuer.get())) == 1 &&
      add_extension(one, issuer.get(), NID_basic_constraints, "critical,CA:FALSE") &&
      add_extension(one, issuer.get(), NID_key_usage, "critical,digitalSignature") &&
      add_extension(one, issuer.get(), NID_ext_key_usage, "serverAuth,clientAuth") &&
      add_extension(one, issuer.get(), NID_subject_key_identifier, "hash") &&
      add_extension(one, issuer.get(), NID_authority_key_identifier, "keyid") &&
      (names.empty() || add_extension(one, issuer.get(), NID_subject_alt_name, names)) &&
      X509_sign(one, signer.get(), EVP_sha256()) != 0;
  if (!done) return failed("the certificate can't be made");
  return KeyPair{pem_of(key.get()), pem_of(one)};
}

Result<std::vector<Certificate>> read_certificates(std::string_view pem) {
  const Bio in = reading(pem);
  std::vector<Certificate> out;
  while (const Cert one = read_one(in.get())) out.push_back(certificate_of(one.get()));
  const bool ended = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (!ended || out.empty())
    return fail(Error::Kind::invalid,
                out.empty() ? "this is no certificate in PEM"
                            : "certificate " + std::to_string(out.size() + 1) + " can't be read");
  return out;
}

bool is_signed_by(const Certificate& certificate, const Certificate& authority) {
  const Cert one = read_one(reading(certificate.pem).get());
  const Cert issuer = read_one(reading(authority.pem).get());
  EVP_PKEY* const key = issuer ? X509_get0_pubkey(issuer.get()) : nullptr;
  const bool out = one && key != nullptr && X509_verify(one.get(), key) == 1;
  ERR_clear_error();
  return out;
}

}  // namespace vmirror::pki
