#include "plugin/net/logon.hpp"

#include <gssapi/gssapi.h>
#include <gssapi/gssapi_ext.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <strings.h>

#include <algorithm>
#include <array>
#include <vector>

namespace vmirror::net {
namespace {

// 1.3.6.1.5.5.2, 1.2.840.113554.1.2.2, 1.3.6.1.4.1.311.2.2.10
gss_OID_desc kSpnego{6, const_cast<char*>("\x2b\x06\x01\x05\x05\x02")};
gss_OID_desc kKerberos{9, const_cast<char*>("\x2a\x86\x48\x86\xf7\x12\x01\x02\x02")};
gss_OID_desc kNtlm{10, const_cast<char*>("\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a")};
constexpr std::string_view kEndPoint = "tls-server-end-point:";

gss_buffer_desc buffer_of(std::string_view bytes) {
  return {bytes.size(), const_cast<char*>(bytes.data())};
}

std::string words_of(OM_uint32 code, int kind, gss_OID mechanism) {
  std::string out;
  OM_uint32 minor = 0, more = 0;
  do {
    gss_buffer_desc text{};
    if (GSS_ERROR(gss_display_status(&minor, code, kind, mechanism, &more, &text))) break;
    if (!out.empty()) out += "; ";
    out.append(static_cast<const char*>(text.value), text.length);
    gss_release_buffer(&minor, &text);
  } while (more != 0);
  return out;
}

/// A failure of GSS-API in words: those of the mechanism, where it has any.
tl::unexpected<Error> failure(std::string what, OM_uint32 major, OM_uint32 minor, gss_OID mechanism,
                              std::string where, std::string remedy) {
  const std::string words = minor == 0 ? words_of(major, GSS_C_GSS_CODE, mechanism)
                                       : words_of(minor, GSS_C_MECH_CODE, mechanism);
  return fail(Error::Kind::refused, std::move(what) + ": " + words, std::move(where),
              std::move(remedy));
}

class Name {
 public:
  Name() = default;
  ~Name() {
    OM_uint32 minor = 0;
    gss_release_name(&minor, &name_);
  }
  Name(const Name&) = delete;
  Name& operator=(const Name&) = delete;
  OM_uint32 import(OM_uint32& minor, std::string_view text, gss_OID kind) {
    gss_buffer_desc buffer = buffer_of(text);
    return gss_import_name(&minor, &buffer, kind, &name_);
  }
  gss_name_t get() const { return name_; }

 private:
  gss_name_t name_ = GSS_C_NO_NAME;
};

bool has_mechanism(const gss_OID_desc& wanted) {
  OM_uint32 minor = 0;
  gss_OID_set all = GSS_C_NO_OID_SET;
  int present = 0;
  if (GSS_ERROR(gss_indicate_mechs(&minor, &all))) return false;
  gss_test_oid_set_member(&minor, const_cast<gss_OID_desc*>(&wanted), all, &present);
  gss_release_oid_set(&minor, &all);
  return present != 0;
}

Message encode_base64(std::string_view bytes) {
  Message out((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                   reinterpret_cast<const unsigned char*>(bytes.data()),
                                   static_cast<int>(bytes.size()));
  out.resize(static_cast<std::size_t>(size));
  return out;
}

/// Nothing: not Base64.
std::optional<std::string> decode_base64(std::string_view text) {
  std::string out(text.size() / 4 * 3 + 3, '\0');
  const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                   reinterpret_cast<const unsigned char*>(text.data()),
                                   static_cast<int>(text.size()));
  if (size < 0 || text.size() % 4 != 0) return std::nullopt;
  const std::size_t padding = text.size() - std::min(text.size(), text.find_last_not_of('=') + 1);
  out.resize(static_cast<std::size_t>(size) - std::min<std::size_t>(padding, 2));
  return out;
}

}  // namespace

Result<void> check_mechanism(Auth auth) {
  if (auth != Auth::ntlm) return {};
  if (!has_mechanism(kNtlm))
    return fail(Error::Kind::unsupported, "this machine has no NTLM", "auth",
                "install gss-ntlmssp, or use an account of the domain (Kerberos)");
  // `default` is no longer implied where another provider is named.
  static const bool loaded =
      OSSL_PROVIDER_load(nullptr, "default") && OSSL_PROVIDER_load(nullptr, "legacy");
  if (!loaded)
    return fail(Error::Kind::unsupported,
                "OpenSSL's legacy provider, whose MD4 and RC4 NTLM needs, does not load", "auth",
                "install openssl-provider-legacy (Debian 13), or use Kerberos");
  return {};
}

struct Logon::State {
  std::string url;
  bool ntlm = false, complete = false;
  Name service;
  gss_cred_id_t credential = GSS_C_NO_CREDENTIAL;
  gss_ctx_id_t context = GSS_C_NO_CONTEXT;

  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    OM_uint32 minor = 0;
    gss_delete_sec_context(&minor, &context, GSS_C_NO_BUFFER);
    gss_release_cred(&minor, &credential);
  }

  gss_OID mechanism() const { return ntlm ? &kNtlm : &kSpnego; }

  /// By user and password. What the mechanism keeps of them ends with this object.
  Result<void> take_password(const Credentials& credentials) {
    OM_uint32 minor = 0;
    Name user;
    OM_uint32 major = user.import(minor, credentials.user, GSS_C_NT_USER_NAME);
    gss_OID_set_desc mechanisms{1, &kNtlm};
    gss_buffer_desc password = buffer_of(credentials.password.view());
    if (!GSS_ERROR(major))
      major = gss_acquire_cred_with_password(&minor, user.get(), &password, GSS_C_INDEFINITE,
                                             &mechanisms, GSS_C_INITIATE, &credential, nullptr,
                                             nullptr);
    if (!GSS_ERROR(major)) return {};
    return failure("no logon by NTLM", major, minor, &kNtlm, url,
                   "write the user as DOMAIN\\USER, or HOST\\USER for a local account");
  }

  /// By a keytab, whose tickets this process keeps in its memory; or by the ticket cache that the
  /// environment names.
  Result<void> take_ticket(const std::string& keytab) {
    OM_uint32 minor = 0;
    gss_OID_set_desc mechanisms{1, &kSpnego}, inner{1, &kKerberos};
    const std::string cache = "MEMORY:" + keytab;
    std::array<gss_key_value_element_desc, 2> elements{
        {{"client_keytab", keytab.c_str()}, {"ccache", cache.c_str()}}};
    const gss_key_value_set_desc store{elements.size(), elements.data()};
    OM_uint32 major =
        gss_acquire_cred_from(&minor, GSS_C_NO_NAME, GSS_C_INDEFINITE, &mechanisms, GSS_C_INITIATE,
                              keytab.empty() ? nullptr : &store, &credential, nullptr, nullptr);
    if (!GSS_ERROR(major)) major = gss_set_neg_mechs(&minor, credential, &inner);
    if (!GSS_ERROR(major)) return {};
    return failure("no ticket of Kerberos", major, minor, &kKerberos, url,
                   keytab.empty() ? "kinit(1), or name a `keytab`"
                                  : "look into the keytab (klist -k) and at the realm's KDC");
  }
};

Logon::Logon(std::unique_ptr<State> state) : state_(std::move(state)) {}
Logon::~Logon() = default;
Logon::Logon(Logon&&) noexcept = default;

Result<Logon> Logon::make(const HttpOptions& options, const std::string& host) {
  if (const auto good = check_mechanism(options.auth); !good) return tl::unexpected(good.error());
  auto state = std::make_unique<State>();
  state->url = options.url;
  state->ntlm = options.auth == Auth::ntlm;
  OM_uint32 minor = 0;
  if (const OM_uint32 major =
          state->service.import(minor, "HTTP@" + host, GSS_C_NT_HOSTBASED_SERVICE);
      GSS_ERROR(major))
    return failure("no name of a service", major, minor, state->mechanism(), options.url, "");
  const auto taken =
      state->ntlm ? state->take_password(options.credentials) : state->take_ticket(options.keytab);
  if (!taken) return tl::unexpected(taken.error());
  return Logon(std::move(state));
}

bool Logon::complete() const {
  return state_->complete;
}

Result<Message> Logon::next(std::string_view challenge, std::string_view end_point) {
  const auto token = decode_base64(challenge);
  if (!token)
    return fail(Error::Kind::refused, "the server's challenge is not Base64", state_->url);
  gss_buffer_desc input = buffer_of(*token), output{};
  const std::string application = std::string(kEndPoint) + std::string(end_point);
  gss_channel_bindings_struct bindings{};
  bindings.initiator_addrtype = bindings.acceptor_addrtype = GSS_C_AF_UNSPEC;
  bindings.application_data = buffer_of(application);
  OM_uint32 minor = 0;
  const OM_uint32 major = gss_init_sec_context(
      &minor, state_->credential, &state_->context, state_->service.get(), state_->mechanism(), 0,
      GSS_C_INDEFINITE, end_point.empty() ? GSS_C_NO_CHANNEL_BINDINGS : &bindings, &input, nullptr,
      &output, nullptr, nullptr);
  const Message out = encode_base64({static_cast<const char*>(output.value), output.length});
  OM_uint32 ignored = 0;
  gss_release_buffer(&ignored, &output);
  if (GSS_ERROR(major))
    return failure(state_->ntlm ? "NTLM fails" : "Kerberos fails", major, minor,
                   state_->ntlm ? &kNtlm : &kKerberos, state_->url,
                   state_->ntlm
                       ? ""
                       : "the URL must name the host as its domain does; check its clock, the "
                         "ticket (klist) and /etc/krb5.conf");
  state_->complete = (major & GSS_S_CONTINUE_NEEDED) == 0;
  return out;
}

Challenges parse_challenges(std::string_view fields) {
  constexpr std::string_view kScheme = "Negotiate";
  Challenges out;
  while (!fields.empty()) {
    const std::size_t end = std::min(fields.find(','), fields.size());
    std::string_view one = fields.substr(0, end);
    fields.remove_prefix(std::min(end + 1, fields.size()));
    one.remove_prefix(std::min(one.find_first_not_of(" \t"), one.size()));
    const std::string_view scheme = one.substr(0, one.find(' '));
    if (scheme.empty() || scheme.find('=') != scheme.npos) continue;  // A parameter of the last.
    if (!out.schemes.empty()) out.schemes += ", ";
    out.schemes += scheme;
    if (scheme.size() != kScheme.size() ||
        ::strncasecmp(scheme.data(), kScheme.data(), kScheme.size()) != 0)
      continue;
    one.remove_prefix(scheme.size());
    one.remove_prefix(std::min(one.find_first_not_of(' '), one.size()));
    out.negotiate = std::string(one.substr(0, one.find(' ')));
  }
  return out;
}

}  // namespace vmirror::net
