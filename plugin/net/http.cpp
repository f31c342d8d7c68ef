#include "plugin/net/http.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>

#include "plugin/net/lane.hpp"
#include "plugin/net/logon.hpp"

namespace vmirror::net {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

/// Waits for `pause`. False: `stop` came first.
bool sleep(milliseconds pause, std::stop_token stop) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, stop, pause, [] { return false; });
  return !stop.stop_requested();
}

std::string part(CURLU* url, CURLUPart which) {
  char* text = nullptr;
  if (curl_url_get(url, which, &text, 0) != CURLUE_OK) return {};
  std::string out = text;
  curl_free(text);
  return out;
}

/// The URL without the slash at its end, where it is a fit one.
Result<std::string> check_url(const HttpOptions& options) {
  const auto no = [&](std::string what, std::string remedy) {
    return fail(Error::Kind::invalid, std::move(what), "URL of the server", std::move(remedy));
  };
  const std::unique_ptr<CURLU, void (*)(CURLU*)> url(curl_url(), curl_url_cleanup);
  if (curl_url_set(url.get(), CURLUPART_URL, options.url.c_str(), 0) != CURLUE_OK)
    return no("no URL", "write https://HOST or https://HOST:PORT");
  // Not told with the URL's text, which has a password then.
  if (!part(url.get(), CURLUPART_USER).empty() || !part(url.get(), CURLUPART_PASSWORD).empty())
    return no("the URL has a user", "give user and password as credentials");
  const std::string scheme = part(url.get(), CURLUPART_SCHEME);
  if (scheme == "http" && !options.plain_http)
    return no(options.url + ": all can be read on the way", "write https://");
  if (scheme != "https" && scheme != "http")
    return no(options.url + ": not HTTP over TLS", "write https://");
  if (part(url.get(), CURLUPART_PATH) != "/" || !part(url.get(), CURLUPART_QUERY).empty() ||
      !part(url.get(), CURLUPART_FRAGMENT).empty())
    return no(options.url + ": has more than a host and a port", "leave out what follows");
  std::string out = options.url;
  if (out.ends_with('/')) out.pop_back();
  return out;
}

bool is_field_fit(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) { return c == '\r' || c == '\n'; });
}

}  // namespace

struct HttpClient::State {
  HttpOptions options;
  Cookies cookies;

  std::mutex mutex;                           ///< Guards the next two.
  std::vector<std::unique_ptr<Lane>> idle{};  ///< The last is the one that was used last.
  std::size_t in_use = 0;

  std::atomic<std::uint64_t> requests = 0, attempts = 0, connections = 0, no_lane = 0,
                             too_large = 0;

  std::unique_ptr<Lane> take() {
    const std::lock_guard lock(mutex);
    if (in_use >= options.max_lanes) return nullptr;
    in_use++;
    if (idle.empty()) return std::make_unique<Lane>(options);
    auto lane = std::move(idle.back());
    idle.pop_back();
    return lane;
  }
  void give_back(std::unique_ptr<Lane> lane) {
    const std::lock_guard lock(mutex);
    in_use--;
    idle.push_back(std::move(lane));
  }

  Attempt attempt(Lane& lane, const HttpRequest& request, milliseconds left,
                  const std::stop_token& stop) {
    attempts++;
    Attempt out = lane.attempt(options, cookies, request, left, stop);
    connections += static_cast<std::uint64_t>(out.connections);
    if (!out.result && out.result.error().kind == Error::Kind::exhausted) too_large++;
    return out;
  }

  Result<HttpResponse> send(Lane& lane, const HttpRequest& request, const std::stop_token& stop) {
    const auto deadline = Clock::now() + request.timeout;
    const auto left = [&] { return std::chrono::ceil<milliseconds>(deadline - Clock::now()); };
    for (int made = 1;; made++) {
      Attempt attempt = this->attempt(lane, request, left(), stop);
      if (!attempt.failure || stop.stop_requested()) return std::move(attempt.result);
      const auto pause = pause_before_retry(options.retry, *attempt.failure, request.repeatable,
                                            made, left(), options.random ? options.random() : 1.0);
      if (!pause) return std::move(attempt.result);
      if (!sleep(*pause, stop))
        return fail(Error::Kind::unreachable, "the call was stopped", options.url + request.path);
    }
  }
};

HttpClient::HttpClient(std::unique_ptr<State> state) : state_(std::move(state)) {}
HttpClient::~HttpClient() = default;

Result<std::unique_ptr<HttpClient>> HttpClient::make(HttpOptions options) {
  if (const auto started = start_libcurl(); !started) return tl::unexpected(started.error());
  auto url = check_url(options);
  if (!url) return tl::unexpected(url.error());
  options.url = std::move(*url);
  if (!options.thumbprint.empty() && !options.ca_file.empty())
    return fail(Error::Kind::invalid, "a CA file and a thumbprint for one server", options.url,
                "give one of the two: a thumbprint alone decides");
  if (!options.thumbprint.empty()) {
    auto normal = normal_thumbprint(options.thumbprint);
    if (!normal) return tl::unexpected(normal.error());
    options.thumbprint = std::move(*normal);
  }
  if (!options.ca_file.empty())
    if (const auto fit = check_ca_file(options.ca_file); !fit) return tl::unexpected(fit.error());
  if ((options.auth == Auth::basic || options.auth == Auth::ntlm) &&
      options.credentials.user.empty())
    return fail(Error::Kind::invalid, "no user to log in with", options.url, "give credentials");
  if (const auto good = check_mechanism(options.auth); !good) return tl::unexpected(good.error());
  auto state = std::make_unique<State>();
  state->options = std::move(options);
  return std::unique_ptr<HttpClient>(new HttpClient(std::move(state)));
}

Result<HttpResponse> HttpClient::send(const HttpRequest& request, std::stop_token stop) {
  state_->requests++;
  for (const auto& [name, value] : request.fields)
    if (!is_field_fit(name) || !is_field_fit(value))
      return fail(Error::Kind::invalid, "a field of a request has a line's end in it",
                  state_->options.url + request.path);
  if (!request.path.starts_with('/'))  // What follows the host without it would be of the host.
    return fail(Error::Kind::invalid, "a path begins with a slash", state_->options.url);
  auto lane = state_->take();
  if (!lane) {
    state_->no_lane++;
    return fail(Error::Kind::exhausted,
                "more than " + std::to_string(state_->options.max_lanes) + " calls at a time",
                state_->options.url);
  }
  auto out = state_->send(*lane, request, stop);
  state_->give_back(std::move(lane));
  return out;
}

void HttpClient::forget_cookies() {
  state_->cookies.forget();
}

HttpCounters HttpClient::counters() const {
  return {state_->requests, state_->attempts, state_->connections, state_->no_lane,
          state_->too_large};
}

const std::string& HttpClient::url() const {
  return state_->options.url;
}

}  // namespace vmirror::net
