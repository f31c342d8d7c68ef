// An HTTP client of one server over TLS, by libcurl: what the drivers of vSphere (vim25) and
// Hyper-V (WS-Management) call their servers with.
//
//   callers, any thread --HttpRequest--> [ lane: connection ]--\           .
//                                        [ lane: connection ]---+--TLS--> server
//                       <--HttpResponse- [ lane: connection ]--/           .
//                                          `-- cookies of all lanes
//
// A call takes a lane that is free and its connection, so that calls one after another use one
// connection, and a long poll holds its own.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "plugin/base/result.hpp"
#include "plugin/net/retry.hpp"
#include "plugin/net/secret.hpp"

namespace vmirror::net {

/// How the client proves who it is at the level of HTTP. vim25 logs in by a call instead (none).
enum class Auth {
  none,
  basic,
  ntlm,      ///< By user and password, under the scheme Negotiate, as WinRM offers it (logon.hpp).
  negotiate  ///< By Kerberos, with the ticket that `keytab` brings; without one with the ticket in
             ///< this process's credential cache (kinit(1)), or of its client keytab
             ///< (KRB5_CLIENT_KTNAME). No password is used.
};

struct HttpOptions {
  std::string url;  ///< "https://vcenter.example" or with a port; no user, path or query.
  /// Which certificates are the server's. With `thumbprint` the one that has this SHA-256, as
  /// vSphere and `openssl x509 -fingerprint -sha256` print it (colons and case do not matter):
  /// whoever signed it, whatever host it names, whenever it ends, and no other. Otherwise one for
  /// the URL's host by a CA of `ca_file` (PEM), or where this is empty, by a CA of this machine.
  std::string ca_file, thumbprint;
  Auth auth = Auth::none;
  Credentials credentials;  ///< For basic and ntlm: "agent", "HOST\\agent", "DOMAIN\\agent".
  std::string keytab;       ///< For negotiate: a file with the key of one principal, or empty.
  /// Whether https_proxy and no_proxy of the environment are used.
  bool proxy_from_environment = false;
  bool plain_http = false;  ///< Whether an http:// URL is taken: all can be read on the way.
  std::chrono::milliseconds connect_timeout{10'000};  ///< For the name, TCP and TLS of an attempt.
  RetryOptions retry;
  /// From 0 to 1, anew with each call; for the pauses between attempts. May be called by several
  /// threads at a time. Empty: always 1.
  std::function<double()> random;
  std::size_t max_response_bytes = 16 << 20;  ///< Of an answer's fields and body.
  std::size_t max_lanes = 4;                  ///< Calls at a time; one more is refused.
};

struct HttpRequest {
  std::string path = "/";                                     ///< "/sdk", percent-encoded.
  std::vector<std::pair<std::string, std::string>> fields{};  ///< {"SOAPAction", "..."}
  std::optional<std::string_view> body{};     ///< Sent by POST; borrowed. None: GET.
  std::chrono::milliseconds timeout{30'000};  ///< For all attempts and pauses; a long poll needs
                                              ///< more than it asks the server to wait.
  bool repeatable = false;                    ///< Nothing changes at the server if it comes twice.
};

struct HttpResponse {
  int status = 0;            ///< Any: 401 and 500 are answers, too.
  std::string content_type;  ///< As sent.
  Message body;
};

/// Counted since the client was made.
struct HttpCounters {
  std::uint64_t requests = 0;     ///< Calls of `send`.
  std::uint64_t attempts = 0;     ///< Requests that were tried; more than `requests` by repetition.
  std::uint64_t connections = 0;  ///< Connections that were made.
  std::uint64_t no_lane = 0;      ///< Calls refused by max_lanes.
  std::uint64_t too_large = 0;    ///< Answers past max_response_bytes.
};

/// All functions may be called from any thread.
class HttpClient {
 public:
  /// Connects to nothing yet. Error::Kind::invalid: an option of another form, a CA file that can't
  /// be read. Error::Kind::unsupported: this machine's libcurl stands on another TLS library than
  /// OpenSSL, or the machine has no NTLM where that is asked for.
  static Result<std::unique_ptr<HttpClient>> make(HttpOptions options);
  /// No call may be running.
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  /// Sends and waits for the whole answer. Redirections are answers and not followed. An answer of
  /// 429, 502, 503 or 504 is returned once no further attempt is allowed (pause_before_retry).
  /// Another thread ends a call by `stop`. No error has the text of a request, of an answer or of a
  /// credential.
  /// Error::Kind::unreachable: no connection, time was up, the answer ended early, or `stop`.
  /// Error::Kind::refused: the certificate is not the server's; the remedy tells its thumbprint.
  /// Also: no ticket of Kerberos, or a server that does not offer Negotiate.
  /// Error::Kind::exhausted: the answer is too large, or all lanes are in use.
  Result<HttpResponse> send(const HttpRequest& request, std::stop_token stop = {});

  /// Cookies of the server are kept, and sent by each call. Forgets them all: the session's end.
  void forget_cookies();

  HttpCounters counters() const;
  /// The URL, for errors and logs.
  const std::string& url() const;

 private:
  struct State;
  explicit HttpClient(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// The 32 bytes of a thumbprint in hexadecimal, as `openssl x509 -fingerprint -sha256` prints them:
/// 64 digits in capitals, a colon after each two. Error::Kind::invalid: another form, or a SHA-1.
Result<std::string> normal_thumbprint(std::string_view text);

}  // namespace vmirror::net
