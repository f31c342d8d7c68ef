#include "plugin/net/lane.hpp"

#include <openssl/ssl.h>

#include <cstring>
#include <string>
#include <utility>

#include "plugin/net/logon.hpp"

namespace vmirror::net {
namespace {

using Clock = std::chrono::steady_clock;

// libcurl's memory holds passwords, cookies and requests. These are malloc(3) and its relatives.
void* copy_undumped(const void* from, std::size_t bytes, std::size_t room) {
  void* out = allocate_undumped(room);
  if (out) std::memcpy(out, from, std::min(bytes, room));
  return out;
}
void* reallocate(void* memory, std::size_t bytes) {
  if (!memory) return allocate_undumped(bytes);
  void* out = copy_undumped(memory, size_of_undumped(memory), bytes);
  if (out) free_undumped(memory);
  return out;
}
char* duplicate(const char* text) {
  const std::size_t bytes = std::strlen(text) + 1;
  return static_cast<char*>(copy_undumped(text, bytes, bytes));
}
void* allocate_zeroed(std::size_t count, std::size_t each) {
  std::size_t bytes = 0;
  if (__builtin_mul_overflow(count, each, &bytes)) return nullptr;
  void* out = allocate_undumped(bytes);
  if (out) std::memset(out, 0, bytes);
  return out;
}

class Fields {
 public:
  Fields() = default;
  ~Fields() { curl_slist_free_all(list_); }
  Fields(const Fields&) = delete;
  Fields& operator=(const Fields&) = delete;
  void add(const char* line) { list_ = curl_slist_append(list_, line); }
  curl_slist* get() const { return list_; }

 private:
  curl_slist* list_ = nullptr;
};

std::string field_of(CURL* easy, const char* name) {
  curl_header* header = nullptr;
  return curl_easy_header(easy, name, 0, CURLH_HEADER, -1, &header) == CURLHE_OK ? header->value
                                                                                 : std::string();
}

/// All of a name, with commas between.
std::string fields_of(CURL* easy, const char* name) {
  std::string out;
  curl_header* header = nullptr;
  for (std::size_t i = 0; curl_easy_header(easy, name, i, CURLH_HEADER, -1, &header) == CURLHE_OK;
       i++)
    out += (i == 0 ? "" : ", ") + std::string(header->value);
  return out;
}

std::string host_of(const std::string& url) {
  const std::unique_ptr<CURLU, void (*)(CURLU*)> parsed(curl_url(), curl_url_cleanup);
  char* host = nullptr;
  if (curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK ||
      curl_url_get(parsed.get(), CURLUPART_HOST, &host, 0) != CURLUE_OK)
    return {};
  std::string out = host;
  curl_free(host);
  return out;
}

long number_of(CURL* easy, CURLINFO info) {
  long out = 0;
  curl_easy_getinfo(easy, info, &out);
  return out;
}

}  // namespace

Result<void> start_libcurl() {
  static const CURLcode started =
      curl_global_init_mem(CURL_GLOBAL_DEFAULT, allocate_undumped, free_undumped, reallocate,
                           duplicate, allocate_zeroed);
  if (started != CURLE_OK)
    return fail(Error::Kind::unsupported,
                std::string("libcurl does not start: ") + curl_easy_strerror(started));
  const char* tls = curl_version_info(CURLVERSION_NOW)->ssl_version;
  if (!tls || !std::string_view(tls).starts_with("OpenSSL/"))
    return fail(Error::Kind::unsupported,
                std::string("libcurl's TLS is ") + (tls ? tls : "left out") +
                    ", with which thumbprints can't be checked",
                "libcurl", "install the libcurl that stands on OpenSSL (Debian: libcurl4)");
  return {};
}

// ---- Cookies ------------------------------------------------------------------------------------

Cookies::Cookies() : share_(curl_share_init()) {
  curl_share_setopt(share_, CURLSHOPT_USERDATA, this);
  curl_share_setopt(
      share_, CURLSHOPT_LOCKFUNC, +[](CURL*, curl_lock_data data, curl_lock_access, void* self) {
        if (data == CURL_LOCK_DATA_COOKIE) static_cast<Cookies*>(self)->mutex_.lock();
      });
  curl_share_setopt(
      share_, CURLSHOPT_UNLOCKFUNC, +[](CURL*, curl_lock_data data, void* self) {
        if (data == CURL_LOCK_DATA_COOKIE) static_cast<Cookies*>(self)->mutex_.unlock();
      });
  curl_share_setopt(share_, CURLSHOPT_SHARE, CURL_LOCK_DATA_COOKIE);
}
Cookies::~Cookies() {
  curl_share_cleanup(share_);
}
void Cookies::use_in(CURL* easy) const {
  curl_easy_setopt(easy, CURLOPT_SHARE, share_);
  curl_easy_setopt(easy, CURLOPT_COOKIEFILE, "");  // Turns them on.
}
void Cookies::forget() {
  CURL* easy = curl_easy_init();
  use_in(easy);
  curl_easy_setopt(easy, CURLOPT_COOKIELIST, "ALL");
  curl_easy_cleanup(easy);
}

// ---- Lane ---------------------------------------------------------------------------------------

/// Where an answer goes while it comes in.
struct Lane::Sink {
  Fields fields;  ///< Of the request.
  HttpResponse response;
  std::size_t bytes = 0, most = 0;
  bool too_large = false;
  std::string_view unsent{};  ///< Of the request's body.

  bool count(std::size_t more) {
    bytes += more;
    too_large = too_large || bytes > most;
    return !too_large;
  }
};

Lane::Lane(const HttpOptions& options) : multi_(curl_multi_init()), easy_(curl_easy_init()) {
  certificate_.pinned = options.thumbprint;
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, 1L);
}

Lane::~Lane() {
  curl_easy_cleanup(easy_);
  curl_multi_cleanup(multi_);
}

void Lane::prepare(const HttpOptions& options, const HttpRequest& request, const Exchange& exchange,
                   std::chrono::milliseconds left, Sink& sink) {
  const auto set = [this](CURLoption option, auto value) {
    curl_easy_setopt(easy_, option, value);
  };
  error_[0] = '\0';
  set(CURLOPT_ERRORBUFFER, error_);
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_URL, (options.url + request.path).c_str());
  set(CURLOPT_PROTOCOLS_STR, options.plain_http ? "http,https" : "https");
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));  // NTLM is a connection's.
  if (!options.proxy_from_environment) set(CURLOPT_PROXY, "");
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options.connect_timeout.count()));
  set(CURLOPT_TIMEOUT_MS, static_cast<long>(std::max<std::int64_t>(left.count(), 1)));
  set(CURLOPT_TCP_KEEPALIVE, 1L);
  // libcurl sends a request a second time when a connection that was idle turns out to be gone. A
  // new connection has no such past.
  if (exchange.fresh) set(CURLOPT_FRESH_CONNECT, 1L);

  set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  set(CURLOPT_SSL_CTX_DATA, &certificate_);
  set(
      CURLOPT_SSL_CTX_FUNCTION, +[](CURL*, void* context, void* check) {
        static_cast<CertificateCheck*>(check)->install(static_cast<SSL_CTX*>(context));
        return CURLE_OK;
      });
  if (!options.thumbprint.empty()) {
    set(CURLOPT_SSL_VERIFYHOST, 0L);  // The thumbprint says which host it is.
    set(CURLOPT_CAINFO, nullptr);
    set(CURLOPT_CAPATH, nullptr);
  } else if (!options.ca_file.empty()) {
    set(CURLOPT_CAINFO, options.ca_file.c_str());
    set(CURLOPT_CAPATH, nullptr);
  }

  if (options.auth == Auth::basic) {
    set(CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
    set(CURLOPT_USERNAME, options.credentials.user.c_str());
    set(CURLOPT_PASSWORD, options.credentials.password.c_str());
  }

  for (const auto& [name, value] : request.fields) sink.fields.add((name + ": " + value).c_str());
  if (!exchange.token.empty())
    sink.fields.add(Message("Authorization: Negotiate ").append(exchange.token).c_str());
  if (request.body) {
    sink.fields.add("Expect:");  // No round trip more for a large body.
    sink.unsent = exchange.body ? *request.body : std::string_view();
    set(CURLOPT_POST, 1L);
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(sink.unsent.size()));
    if (request.repeatable) {
      set(CURLOPT_POSTFIELDS, sink.unsent.data() ? sink.unsent.data() : "");
    } else {
      // Read by a function that can't go back: where a logon's connection turns out to be closed,
      // libcurl then can't send the body a second time on another.
      set(CURLOPT_READDATA, &sink);
      set(
          CURLOPT_READFUNCTION, +[](char* to, std::size_t, std::size_t room, void* from) {
            std::string_view& unsent = static_cast<Sink*>(from)->unsent;
            const std::size_t size = unsent.copy(to, room);
            unsent.remove_prefix(size);
            return size;
          });
    }
  }
  set(CURLOPT_HTTPHEADER, sink.fields.get());

  sink.most = options.max_response_bytes;
  set(CURLOPT_HEADERDATA, &sink);
  set(
      CURLOPT_HEADERFUNCTION, +[](char*, std::size_t, std::size_t size, void* to) {
        return static_cast<Sink*>(to)->count(size) ? size : 0;
      });
  set(CURLOPT_WRITEDATA, &sink);
  set(
      CURLOPT_WRITEFUNCTION, +[](char* bytes, std::size_t, std::size_t size, void* to) {
        Sink& sink = *static_cast<Sink*>(to);
        if (!sink.count(size)) return std::size_t{0};
        sink.response.body.append(bytes, size);
        return size;
      });
}

CURLcode Lane::run(std::stop_token stop) {
  if (curl_multi_add_handle(multi_, easy_) != CURLM_OK) return CURLE_FAILED_INIT;
  CURLcode code = CURLE_ABORTED_BY_CALLBACK;
  {
    const std::stop_callback wake(stop, [this] { curl_multi_wakeup(multi_); });
    int running = 1;
    while (!stop.stop_requested()) {
      if (curl_multi_perform(multi_, &running) != CURLM_OK) code = CURLE_FAILED_INIT;
      if (running == 0 || code == CURLE_FAILED_INIT) break;
      curl_multi_poll(multi_, nullptr, 0, 1000, nullptr);
    }
  }
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left))
    if (message->msg == CURLMSG_DONE) code = message->data.result;
  curl_multi_remove_handle(multi_, easy_);
  return code;
}

Attempt Lane::succeeded(Sink& sink) const {
  HttpResponse& response = sink.response;
  response.status = static_cast<int>(number_of(easy_, CURLINFO_RESPONSE_CODE));
  response.content_type = field_of(easy_, "Content-Type");
  Attempt out{std::move(response), {}, number_of(easy_, CURLINFO_NUM_CONNECTS), {}};
  const int status = out.result->status;
  if (status == 401) out.challenges = fields_of(easy_, "WWW-Authenticate");
  if (status == 429 || (status >= 502 && status <= 504))
    out.failure =
        Failure{Failure::Reached::answered,
                parse_retry_after(field_of(easy_, "Retry-After"),
                                  std::chrono::duration_cast<std::chrono::seconds>(
                                      std::chrono::system_clock::now().time_since_epoch()))};
  return out;
}

Attempt Lane::failed(CURLcode code, const Sink& sink, const HttpOptions& options,
                     std::string where) const {
  Attempt out{HttpResponse{}, {}, number_of(easy_, CURLINFO_NUM_CONNECTS), {}};
  const auto is = [&](Error::Kind kind, std::string what, std::string remedy = {}) {
    out.result = fail(kind, std::move(what), std::move(where), std::move(remedy));
    return std::move(out);
  };
  if (sink.too_large)
    return is(Error::Kind::exhausted,
              "the answer is larger than " + std::to_string(sink.most) + " bytes");
  const std::string words = error_[0] ? error_ : curl_easy_strerror(code);
  if (!certificate_.rejected.empty() || code == CURLE_PEER_FAILED_VERIFICATION)
    return is(Error::Kind::refused,
              "the server's certificate is not accepted: " +
                  (certificate_.rejected.empty() ? words : certificate_.rejected),
              certificate_.seen.empty()
                  ? ""
                  : "give the CA that signed it, or, once you know that this is the server's, its "
                    "thumbprint " +
                        certificate_.seen);
  if (code == CURLE_SSL_CACERT_BADFILE)
    return is(Error::Kind::invalid, "no certificates of CAs can be read",
              "give a CA file or a thumbprint");
  if (code == CURLE_ABORTED_BY_CALLBACK)
    return is(Error::Kind::unreachable, "the call was stopped");
  // No request was made until the connection stood, with TLS.
  out.failure = Failure{number_of(easy_, CURLINFO_REQUEST_SIZE) == 0 ? Failure::Reached::nothing
                                                                     : Failure::Reached::unknown,
                        {}};
  if (code == CURLE_OPERATION_TIMEDOUT && out.failure->reached == Failure::Reached::nothing)
    return is(Error::Kind::unreachable, "no connection in time: " + words);
  if (code == CURLE_OPERATION_TIMEDOUT)
    return is(Error::Kind::unreachable, "no whole answer in time: " + words);
  if (code == CURLE_SEND_FAIL_REWIND) {  // libcurl would have begun anew.
    out.failure->reached = Failure::Reached::unknown;
    return is(Error::Kind::unreachable, "the answer ended early: the connection was closed");
  }
  if (code == CURLE_PARTIAL_FILE)
    return is(Error::Kind::unreachable, "the answer ended early: " + words);
  if (code == CURLE_SSL_CONNECT_ERROR)
    return is(Error::Kind::unreachable, "no TLS with the server: " + words,
              options.plain_http ? "" : "is it a port that speaks TLS 1.2 or later?");
  return is(Error::Kind::unreachable, words);
}

Attempt Lane::exchange(const HttpOptions& options, const Cookies& cookies,
                       const HttpRequest& request, const Exchange& exchange,
                       std::chrono::milliseconds left, std::stop_token stop) {
  Sink sink;
  certificate_.rejected.clear();
  certificate_.seen.clear();
  curl_easy_reset(easy_);
  cookies.use_in(easy_);
  prepare(options, request, exchange, left, sink);
  const CURLcode code = run(std::move(stop));
  Attempt out =
      code == CURLE_OK ? succeeded(sink) : failed(code, sink, options, options.url + request.path);
  curl_easy_reset(easy_);  // Frees, thus wipes, what it has of the request.
  return out;
}

Attempt Lane::negotiate(const HttpOptions& options, const Cookies& cookies,
                        const HttpRequest& request, std::chrono::milliseconds left,
                        const std::stop_token& stop) {
  constexpr int kMostRounds = 8;
  const auto end = Clock::now() + left;
  long connections = 0;
  const auto send = [&](const Exchange& with) {
    const auto rest = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now());
    Attempt out = exchange(options, cookies, request, with, rest, stop);
    out.connections = connections += out.connections;
    return out;
  };
  const auto is_401 = [](const Attempt& of) { return of.result && of.result->status == 401; };
  const auto is = [&](Error error) {
    return Attempt{tl::unexpected(std::move(error)), {}, connections, {}};
  };

  // A connection that logged on stays so (WinRM), or each request must (RFC 4559): the answer
  // tells.
  if (std::exchange(logged_on_, false) && request.repeatable) {
    Attempt out = send({});
    logged_on_ = !is_401(out);
    if (logged_on_) return out;
  }
  auto logon = Logon::make(options, host_of(options.url));
  if (!logon) return is(logon.error());
  const bool ntlm = options.auth == Auth::ntlm;
  bool fresh = !request.repeatable;
  std::string challenge;
  for (int round = ntlm ? 1 : 0;; round++) {
    // Kerberos needs one token, which is bound to the connection's certificate: that is seen first.
    Message token;
    if (round > 0) {
      auto next = logon->next(challenge, certificate_.end_point);
      if (!next) return is(next.error());
      token = std::move(*next);
    }
    const bool whole = round > 0 && (!ntlm || logon->complete());
    const long before = connections;
    Attempt out = send({token, whole, std::exchange(fresh, false)});
    if (!is_401(out)) {
      if (!whole && out.result && out.result->status < 400) return send({});  // It asks nobody.
      logged_on_ = whole && out.result;
      return out;
    }
    if (ntlm && round > 1 && connections != before) {
      // libcurl took another connection, where the server knows nothing of the challenge.
      Attempt cut = is({Error::Kind::unreachable,
                        "the server closed the connection during a logon",
                        options.url + request.path,
                        {}});
      cut.failure = Failure{Failure::Reached::unknown, {}};
      return cut;
    }
    const Challenges challenges = parse_challenges(out.challenges);
    if (!challenges.negotiate)
      return is({Error::Kind::refused,
                 "the server does not offer Negotiate, but " +
                     (challenges.schemes.empty() ? "nothing" : challenges.schemes),
                 options.url + request.path,
                 {}});
    const bool ended = round > 0 && (logon->complete() || challenges.negotiate->empty());
    if (ended || round == kMostRounds) return out;
    challenge = *challenges.negotiate;
  }
}

Attempt Lane::attempt(const HttpOptions& options, const Cookies& cookies,
                      const HttpRequest& request, std::chrono::milliseconds left,
                      std::stop_token stop) {
  if (options.auth == Auth::ntlm || options.auth == Auth::negotiate)
    return negotiate(options, cookies, request, left, stop);
  return exchange(options, cookies, request, {.fresh = !request.repeatable}, left, std::move(stop));
}

}  // namespace vmirror::net
