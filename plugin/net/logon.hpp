// A logon by GSS-API (RFC 2743), whose tokens HTTP carries under the scheme Negotiate (RFC 4559):
//
//   client  POST, no body                                  --> server     the certificate is known
//           401, WWW-Authenticate: Negotiate                <--            now (Kerberos)
//           POST, no body, Authorization: Negotiate TOKEN  -->            NTLM's NEGOTIATE_MESSAGE
//           401, WWW-Authenticate: Negotiate TOKEN          <--            CHALLENGE_MESSAGE
//           POST, body, Authorization: Negotiate TOKEN     -->            AUTHENTICATE_MESSAGE, or
//           the answer                                      <--            Kerberos's one token
//
// The mechanisms are MIT's: Kerberos wrapped in SPNEGO (RFC 4178), and the plug-in gss-ntlmssp,
// whose messages go raw, as WinRM's other clients send them. Both are bound to the TLS channel by
// the server's certificate (RFC 5929, tls-server-end-point), which a server with
// CbtHardeningLevel Strict insists on.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "plugin/net/http.hpp"

namespace vmirror::net {

/// Error::Kind::unsupported: this machine lacks what `auth` needs. The first call for NTLM gives
/// the process the algorithms MD4 and RC4 (OpenSSL's legacy provider).
Result<void> check_mechanism(Auth auth);

/// One logon on one connection. Of one thread at a time.
class Logon {
 public:
  /// `host` as the URL names it; auth is Auth::ntlm or Auth::negotiate. Error::Kind::refused: no
  /// credentials (no ticket, a keytab that can't be read).
  static Result<Logon> make(const HttpOptions& options, const std::string& host);
  ~Logon();
  Logon(Logon&&) noexcept;
  Logon& operator=(Logon&&) = delete;

  /// The token that answers a challenge, in Base64; the first answers an empty one. `end_point` is
  /// the hash of the server's certificate; empty: not known, not bound. Error::Kind::refused: the
  /// mechanism fails (a service that the domain does not know, no KDC, a clock that is wrong).
  Result<Message> next(std::string_view challenge, std::string_view end_point);
  /// Whether the mechanism waits for no further challenge.
  bool complete() const;

 private:
  struct State;
  explicit Logon(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// What a 401 offers: the values of its fields WWW-Authenticate, with commas between.
struct Challenges {
  std::optional<std::string> negotiate;  ///< The token, which may be empty; none: not offered.
  std::string schemes;                   ///< "Negotiate, Basic", for people.
};
Challenges parse_challenges(std::string_view fields);

}  // namespace vmirror::net
