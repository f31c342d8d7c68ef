// HTTP/1.1 as the control side speaks it: a small server on a Unix socket (the control socket) or
// on a loopback port (metrics), and the call that the command line makes. What the paths mean is
// the handler's business.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "plugin/base/result.hpp"

namespace vmirror {

struct HttpRequest {
  std::string method = "GET";
  std::string target = "/";  ///< Path and query as sent, percent-encoded.
  std::string body;
  /// The user of the process at the other end of a Unix socket; none: a TCP socket.
  std::optional<std::uint32_t> user = {};
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
};

/// Answers one request. Called on the executor that the server was given: where that has several
/// threads, several requests at once. A connection has one request under way.
using HttpHandler = std::function<HttpResponse(const HttpRequest&)>;

/// What one peer can cost.
struct HttpLimits {
  std::size_t body_bytes = 1 << 20;  ///< A larger request is answered 413.
  std::size_t connections = 64;
  /// Of one client: of a Unix socket's, of one process; of TCP's, of one address. One more than
  /// these two takes the place of the oldest that is not being answered; where all are, it is of
  /// the spare ones, and all that are not urgent are answered 503.
  std::size_t connections_each = 16;
  std::size_t spare = 16;
  std::chrono::seconds idle = std::chrono::seconds(30);  ///< Without a whole request or answer.
};

/// Requests that wait for no others: what is asked, and where the handler is called for it.
struct HttpUrgent {
  std::function<bool(const HttpRequest&)> is = {};
  boost::asio::any_io_executor answers = {};
};

/// A server whose sockets live on the io_context of its maker, and whose handler is called on
/// `answers`: what takes long to answer, or is taken slowly by a client, delays no other
/// connection. Destroying the server closes everything; do so on the io_context's thread, or once
/// that has stopped, and once no handler runs.
class HttpServer {
 public:
  /// Listens on a Unix socket with mode 0600. A socket that nobody listens on any more (left by a
  /// crash) is replaced. Error::Kind::refused: another process listens there, or the folder is not
  /// writable. When the path is taken away, with its folder or not, it listens there again within
  /// about a second, unless another process does by then.
  static Result<std::unique_ptr<HttpServer>> on_unix_socket(
      boost::asio::io_context& io, boost::asio::any_io_executor answers, const std::string& path,
      HttpHandler handler, HttpLimits limits = {}, HttpUrgent urgent = {});
  /// Listens on a TCP port of a loopback address; port 0: any free one. Error::Kind::invalid: not a
  /// loopback address. Error::Kind::refused: the port is taken.
  static Result<std::unique_ptr<HttpServer>> on_loopback(boost::asio::io_context& io,
                                                         boost::asio::any_io_executor answers,
                                                         const std::string& address,
                                                         std::uint16_t port, HttpHandler handler,
                                                         HttpLimits limits = {});
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// The TCP port that it listens on; 0 for a Unix socket.
  std::uint16_t port() const;
  /// For the log: that the socket's path was taken away, and what came of it; once. Any thread.
  std::optional<std::string> take_news();

  struct State;

 private:
  explicit HttpServer(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

/// One request to a server on a Unix socket; blocks for at most `timeout`.
/// Error::Kind::unreachable: no daemon answers there (the remedy says how to start or find it).
Result<HttpResponse> http_call(const std::string& socket_path, const HttpRequest& request,
                               std::chrono::milliseconds timeout = std::chrono::seconds(10));

}  // namespace vmirror
