// One connection of an HttpClient, and one attempt to send a request over it. The only header that
// sees libcurl.
#pragma once

#include <curl/curl.h>

#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>

#include "plugin/net/certificate.hpp"
#include "plugin/net/http.hpp"

namespace vmirror::net {

/// Sets libcurl up, once a process, with memory that no core dump has. Error::Kind::unsupported:
/// its TLS is not OpenSSL's.
Result<void> start_libcurl();

/// The cookies that the lanes of one client share.
class Cookies {
 public:
  Cookies();
  ~Cookies();
  Cookies(const Cookies&) = delete;
  Cookies& operator=(const Cookies&) = delete;
  void use_in(CURL* easy) const;
  void forget();

 private:
  CURLSH* share_;
  std::mutex mutex_;  ///< libcurl locks it around its use of them.
};

struct Attempt {
  Result<HttpResponse> result;
  /// How it failed, where another attempt may do better.
  std::optional<Failure> failure;
  long connections = 0;      ///< That it made.
  std::string challenges{};  ///< Of a 401: its fields WWW-Authenticate, with commas between.
};

/// Of one thread at a time.
class Lane {
 public:
  explicit Lane(const HttpOptions& options);
  ~Lane();
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  /// `options` and `cookies` are the client's, and outlive the lane.
  Attempt attempt(const HttpOptions& options, const Cookies& cookies, const HttpRequest& request,
                  std::chrono::milliseconds left, std::stop_token stop);

 private:
  struct Sink;
  /// Of one exchange with the server; a logon by GSS-API takes several.
  struct Exchange {
    std::string_view token = {};  ///< For the field Authorization: Negotiate; empty: none.
    bool body = true;             ///< Without it nothing can be done by it.
    bool fresh = false;           ///< On a new connection.
  };
  void prepare(const HttpOptions& options, const HttpRequest& request, const Exchange& exchange,
               std::chrono::milliseconds left, Sink& sink);
  Attempt exchange(const HttpOptions& options, const Cookies& cookies, const HttpRequest& request,
                   const Exchange& exchange, std::chrono::milliseconds left, std::stop_token stop);
  /// One that logs on by GSS-API, where its connection has not.
  Attempt negotiate(const HttpOptions& options, const Cookies& cookies, const HttpRequest& request,
                    std::chrono::milliseconds left, const std::stop_token& stop);
  CURLcode run(std::stop_token stop);
  Attempt succeeded(Sink& sink) const;
  Attempt failed(CURLcode code, const Sink& sink, const HttpOptions& options,
                 std::string where) const;

  CertificateCheck certificate_;
  bool logged_on_ = false;  ///< By GSS-API, on the connection of the last attempt.
  CURLM* multi_;
  CURL* easy_;
  char error_[CURL_ERROR_SIZE] = {};
};

}  // namespace vmirror::net
