#include "agent/api/http.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <list>
#include <mutex>
#include <optional>
#include <set>
#include <utility>

#include "plugin/base/slots.hpp"

namespace vmirror {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using Unix = asio::local::stream_protocol;
using Tcp = asio::ip::tcp;

namespace {
constexpr std::chrono::milliseconds kAcceptAgain{100};  ///< After an error: no descriptor is free.
constexpr std::chrono::milliseconds kLookAtSocket{1000};

/// Which file a path names, a link not followed; all 0: none.
struct FileId {
  dev_t device = 0;
  ino_t inode = 0;
  bool operator==(const FileId&) const = default;
};

FileId file_id(const std::string& path) {
  struct stat s {};
  return ::lstat(path.c_str(), &s) == 0 ? FileId{s.st_dev, s.st_ino} : FileId{};
}
}  // namespace

/// What both kinds of server share. Sessions and the pending accept hold it weakly or not at all
/// once `closed` is set, so that nothing calls the handler after the server is gone.
struct HttpServer::State {
  HttpHandler handler;
  asio::any_io_executor answers;  ///< Where the handler is called.
  HttpLimits limits;
  HttpUrgent urgent;
  /// The open connections, oldest first. Everything of it is on the sockets' thread.
  struct Connection {
    std::string client;     ///< Who counts as one.
    bool answered = false;  ///< Its request is being answered.
    bool spare = false;
    std::function<void()> close;
  };
  std::list<Connection> connections;
  bool closed = false;
  std::string socket_path;  ///< Empty for TCP.
  FileId socket;            ///< Ours, at that path; to unlink.
  std::mutex news_mutex;
  std::optional<std::string> news;
  std::uint16_t port = 0;
  std::set<std::function<void()>*> closers;  ///< One for each open socket and acceptor.
};

namespace {

std::optional<ucred> peer_of(const Unix::socket& socket) {
  ucred who{};
  socklen_t size = sizeof who;
  const int fd = const_cast<Unix::socket&>(socket).native_handle();
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) != 0) return std::nullopt;
  return who;
}

/// Root may be many clients: who opened the socket is known, and each process counts for itself.
std::string client_of(const Unix::socket& socket) {
  const auto who = peer_of(socket);
  return who ? std::to_string(who->pid) : "";
}

std::optional<std::uint32_t> user_of(const Unix::socket& socket) {
  const auto who = peer_of(socket);
  return who ? std::optional<std::uint32_t>(who->uid) : std::nullopt;
}

std::optional<std::uint32_t> user_of(const Tcp::socket&) {
  return std::nullopt;
}

std::string client_of(const Tcp::socket& socket) {
  beast::error_code gone;
  return socket.remote_endpoint(gone).address().to_string();
}

using Connections = std::list<HttpServer::State::Connection>;

/// Makes room for one more of this client. True: among the connections; false: it is a spare one.
bool make_room(HttpServer::State& server, const std::string& client) {
  std::vector<std::string> waiting;
  std::vector<Connections::iterator> at;
  std::size_t all = 0, of_client = 0;
  for (auto it = server.connections.begin(); it != server.connections.end(); ++it) {
    if (it->spare) continue;
    ++all;
    of_client += it->client == client ? 1 : 0;
    if (it->answered) continue;
    waiting.push_back(it->client);
    at.push_back(it);
  }
  const HttpLimits& limits = server.limits;
  const bool own_share = of_client >= limits.connections_each;
  if (!own_share && all < limits.connections) return true;
  const auto is_own = [&](const std::string& w) { return w == client; };
  if (own_share && std::ranges::none_of(waiting, is_own)) return false;
  // The share of each is as many as it has: one has to go.
  const auto place = gives_way(waiting, client, {.all = 0, .each = own_share ? 0U : all + 1});
  if (!place) return false;
  at[*place]->close();
  return true;
}

/// One connection: read a request, answer it, again, until the peer closes or is idle for too long.
template <typename Protocol>
class HttpSession : public std::enable_shared_from_this<HttpSession<Protocol>> {
 public:
  HttpSession(typename Protocol::socket socket, std::shared_ptr<HttpServer::State> server)
      : stream_(std::move(socket)), server_(std::move(server)) {
    closer_ = [this] {
      beast::error_code ignored;
      stream_.socket().close(ignored);
      leave();
    };
    server_->closers.insert(&closer_);
  }
  ~HttpSession() {
    server_->closers.erase(&closer_);
    leave();
  }

  /// Begins, as a spare connection or not.
  void begin(std::string client, bool spare) {
    server_->connections.push_back({std::move(client), false, spare, closer_});
    mine_ = std::prev(server_->connections.end());
    read();
  }

  void read() {
    if (!mine_) return;  // It gave way meanwhile.
    (*mine_)->answered = false;
    parser_.emplace();
    parser_->body_limit(server_->limits.body_bytes);
    stream_.expires_after(server_->limits.idle);
    http::async_read(stream_, buffer_, *parser_,
                     [self = this->shared_from_this()](beast::error_code error, std::size_t) {
                       self->answer(error);
                     });
  }

 private:
  void answer(beast::error_code error) {
    if (server_->closed) return;
    if (error == http::error::body_limit)
      return write({413, "application/json",
                    R"({"error": {"kind": "exhausted", "what": "the request has more than )" +
                        std::to_string(server_->limits.body_bytes) +
                        R"( bytes", "where": "", "remedy": "send less at once"}})"},
                   false);
    if (error) return;
    const auto& request = parser_->get();
    HttpRequest asked{std::string(request.method_string()), std::string(request.target()),
                      request.body(), user_of(stream_.socket())};
    const bool urgent = server_->urgent.is && server_->urgent.is(asked);
    if (mine_ && (*mine_)->spare && !urgent)
      return write({503, "application/json",
                    R"({"error": {"kind": "exhausted", "what": "too many connections at once", )"
                    R"("where": "", "remedy": "close some, or ask later"}})"},
                   false);
    if (mine_) (*mine_)->answered = true;
    asio::post(urgent ? server_->urgent.answers : server_->answers,
               [self = this->shared_from_this(), asked = std::move(asked)]() mutable {
                 if (self->server_->closed) return;
                 HttpResponse response = self->server_->handler(asked);
                 // The last to let go of a session is the sockets' thread.
                 const auto sockets = self->stream_.get_executor();
                 asio::post(sockets, [self = std::move(self), response = std::move(response)] {
                   if (!self->server_->closed)
                     self->write(response, self->parser_->get().keep_alive());
                 });
               });
  }

  void write(HttpResponse response, bool keep) {
    if (mine_) (*mine_)->answered = false;  // Who takes no answer can give way.
    response_.emplace(static_cast<http::status>(response.status), 11);
    response_->set(http::field::content_type, response.content_type);
    response_->keep_alive(keep);
    response_->body() = std::move(response.body);
    response_->prepare_payload();
    stream_.expires_after(server_->limits.idle);
    http::async_write(
        stream_, *response_,
        [self = this->shared_from_this(), keep](beast::error_code error, std::size_t) {
          if (!error && keep && !self->server_->closed) self->read();
        });
  }

  void leave() {
    if (mine_) server_->connections.erase(*std::exchange(mine_, std::nullopt));
  }

  beast::basic_stream<Protocol> stream_;
  std::shared_ptr<HttpServer::State> server_;
  std::function<void()> closer_;
  std::optional<Connections::iterator> mine_;  ///< None: not begun, or closed.
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  std::optional<http::response<http::string_body>> response_;
};

template <typename Protocol>
class Listener : public std::enable_shared_from_this<Listener<Protocol>> {
 public:
  Listener(typename Protocol::acceptor acceptor, std::shared_ptr<HttpServer::State> server)
      : acceptor_(std::move(acceptor)),
        again_(acceptor_.get_executor()),
        server_(std::move(server)) {
    closer_ = [this] { close(); };
    server_->closers.insert(&closer_);
  }
  ~Listener() { server_->closers.erase(&closer_); }

  void accept() {
    acceptor_.async_accept([self = this->shared_from_this()](beast::error_code error,
                                                             typename Protocol::socket socket) {
      if (self->server_->closed || !self->acceptor_.is_open()) return;
      if (error) return self->accept_later();
      HttpServer::State& server = *self->server_;
      std::string client = client_of(socket);
      const bool room = make_room(server, client);
      if (room || static_cast<std::size_t>(std::ranges::count(
                      server.connections, true, &HttpServer::State::Connection::spare)) <
                      server.limits.spare)
        std::make_shared<HttpSession<Protocol>>(std::move(socket), self->server_)
            ->begin(std::move(client), !room);
      self->accept();
    });
  }
  void close() {
    beast::error_code ignored;
    acceptor_.close(ignored);
    again_.cancel(ignored);
  }

 private:
  void accept_later() {
    again_.expires_after(kAcceptAgain);
    again_.async_wait([self = this->shared_from_this()](beast::error_code error) {
      if (!error && self->acceptor_.is_open()) self->accept();
    });
  }

  typename Protocol::acceptor acceptor_;
  asio::steady_timer again_;
  std::shared_ptr<HttpServer::State> server_;
  std::function<void()> closer_;
};

std::shared_ptr<HttpServer::State> make_state(asio::any_io_executor answers, HttpHandler handler,
                                              HttpLimits limits) {
  auto state = std::make_shared<HttpServer::State>();
  state->handler = std::move(handler);
  state->answers = std::move(answers);
  state->limits = limits;
  return state;
}

/// True when a process listens on the socket, also one that hangs and whose queue is full. Does not
/// wait, as Asio's own connect would.
bool somebody_listens(asio::io_context& io, const std::string& path) {
  Unix::socket probe(io);
  beast::error_code error;
  probe.open(Unix(), error);
  if (!error) probe.native_non_blocking(true, error);
  if (error) return true;  // No descriptor is free: nobody can tell, so that it stays.
  const Unix::endpoint to(path);
  return ::connect(probe.native_handle(), to.data(), static_cast<socklen_t>(to.size())) == 0 ||
         errno == EAGAIN;
}

constexpr std::size_t kMaxSocketPath = 107;  // sun_path without its final zero

Result<Unix::acceptor> listen_on(asio::io_context& io, const std::string& path) {
  if (path.empty() || path.size() > kMaxSocketPath)
    return fail(Error::Kind::invalid, "a Unix socket's path has 1 to 107 characters", path,
                "choose a shorter path");
  if (somebody_listens(io, path))
    return fail(Error::Kind::refused, "another process listens on this socket", path,
                "stop it, or give this daemon a socket of its own");
  struct stat s {};
  if (::lstat(path.c_str(), &s) == 0) {
    if (!S_ISSOCK(s.st_mode))
      return fail(Error::Kind::refused, "what is there is no socket, and stays", path,
                  "remove it, or choose another path");
    ::unlink(path.c_str());
  }
  Unix::acceptor acceptor(io);
  beast::error_code error;
  acceptor.open(Unix(), error);
  // Nobody else may connect, not even between bind and chmod: Linux gives the file the mode that
  // its socket has by then. The umask is every thread's.
  if (!error && ::fchmod(acceptor.native_handle(), 0600) != 0)
    error.assign(errno, boost::system::system_category());
  if (!error) acceptor.bind(Unix::endpoint(path), error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error)
    return fail(Error::Kind::refused, "can't listen: " + error.message(), path,
                "create the folder and make it writable for this user");
  return acceptor;
}

/// Listens at a path, for as long as the server is there: who cleans /run takes the path from under
/// a socket, which then nobody can reach any more.
class PathKeeper : public std::enable_shared_from_this<PathKeeper> {
 public:
  PathKeeper(asio::io_context& io, std::shared_ptr<HttpServer::State> server)
      : io_(io), timer_(io), server_(std::move(server)) {
    closer_ = [this] {
      beast::error_code ignored;
      timer_.cancel(ignored);
    };
    server_->closers.insert(&closer_);
  }
  ~PathKeeper() { server_->closers.erase(&closer_); }

  Result<void> listen() {
    auto acceptor = listen_on(io_, server_->socket_path);
    if (!acceptor) return tl::unexpected(acceptor.error());
    if (listener_) listener_->close();
    server_->socket = file_id(server_->socket_path);
    listener_ = std::make_shared<Listener<Unix>>(std::move(*acceptor), server_);
    listener_->accept();
    return {};
  }

  void wait() {
    timer_.expires_after(kLookAtSocket);
    timer_.async_wait([self = shared_from_this()](beast::error_code error) {
      if (error || self->server_->closed) return;
      if (file_id(self->server_->socket_path) != self->server_->socket) self->listen_again();
      self->wait();
    });
  }

 private:
  void listen_again() {
    std::error_code ignored;
    std::filesystem::create_directory(std::filesystem::path(server_->socket_path).parent_path(),
                                      ignored);
    const Result<void> done = listen();
    std::string text = done ? server_->socket_path + ": was taken away; listens there again"
                            : "the control socket was taken away: " + done.error().text();
    if (text != told_) {
      const std::lock_guard lock(server_->news_mutex);
      server_->news = text;
    }
    told_ = done ? std::string() : std::move(text);
  }

  asio::io_context& io_;
  asio::steady_timer timer_;
  std::shared_ptr<HttpServer::State> server_;
  std::shared_ptr<Listener<Unix>> listener_;
  std::function<void()> closer_;
  std::string told_;  ///< Why it can't listen again.
};

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::on_unix_socket(
    asio::io_context& io, asio::any_io_executor answers, const std::string& path,
    HttpHandler handler, HttpLimits limits, HttpUrgent urgent) {
  auto state = make_state(std::move(answers), std::move(handler), limits);
  state->urgent = std::move(urgent);
  state->socket_path = path;
  const auto keeper = std::make_shared<PathKeeper>(io, state);
  if (const auto done = keeper->listen(); !done) return tl::unexpected(done.error());
  keeper->wait();
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(state)));
}

Result<std::unique_ptr<HttpServer>> HttpServer::on_loopback(asio::io_context& io,
                                                            asio::any_io_executor answers,
                                                            const std::string& address,
                                                            std::uint16_t port, HttpHandler handler,
                                                            HttpLimits limits) {
  const std::string where = address + ":" + std::to_string(port);
  beast::error_code error;
  const auto parsed = asio::ip::make_address(address, error);
  if (error || !parsed.is_loopback())
    return fail(Error::Kind::invalid, "not a loopback address", where, "use 127.0.0.1 or ::1");
  const Tcp::endpoint endpoint(parsed, port);
  Tcp::acceptor acceptor(io);
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(Tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error)
    return fail(Error::Kind::refused, "can't listen: " + error.message(), where,
                "choose another port");
  auto state = make_state(std::move(answers), std::move(handler), limits);
  state->port = acceptor.local_endpoint(error).port();
  std::make_shared<Listener<Tcp>>(std::move(acceptor), state)->accept();
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(state)));
}

HttpServer::HttpServer(std::shared_ptr<State> state) : state_(std::move(state)) {}

HttpServer::~HttpServer() {
  state_->closed = true;
  state_->handler = nullptr;
  for (auto* close : std::set(state_->closers)) (*close)();
  if (state_->socket != FileId{} && file_id(state_->socket_path) == state_->socket)
    ::unlink(state_->socket_path.c_str());
}

std::optional<std::string> HttpServer::take_news() {
  const std::lock_guard lock(state_->news_mutex);
  return std::exchange(state_->news, std::nullopt);
}

std::uint16_t HttpServer::port() const {
  return state_->port;
}

Result<HttpResponse> http_call(const std::string& socket_path, const HttpRequest& request,
                               std::chrono::milliseconds timeout) {
  const auto unreachable = [&](const std::string& what) {
    return fail(Error::Kind::unreachable, what, socket_path,
                "is vmirrord running? name its control socket with --socket");
  };
  asio::io_context io;
  beast::basic_stream<Unix> stream(io);
  if (socket_path.empty() || socket_path.size() > kMaxSocketPath)
    return unreachable("no path of a Unix socket");
  http::request<http::string_body> out(http::string_to_verb(request.method), request.target, 11);
  out.set(http::field::host, "vmirror");
  out.body() = request.body;
  out.prepare_payload();
  beast::flat_buffer buffer;
  http::response_parser<http::string_body> in;
  in.body_limit(std::uint64_t{1} << 30);
  std::optional<beast::error_code> done;

  stream.expires_after(timeout);
  stream.async_connect(Unix::endpoint(socket_path), [&](beast::error_code error) {
    if (error) return void(done = error);
    http::async_write(stream, out, [&](beast::error_code write_error, std::size_t) {
      if (write_error) return void(done = write_error);
      http::async_read(stream, buffer, in,
                       [&](beast::error_code read_error, std::size_t) { done = read_error; });
    });
  });
  io.run();
  if (done && *done == boost::system::errc::permission_denied)
    return fail(Error::Kind::unreachable, "no answer: " + done->message(), socket_path,
                "run as root");
  if (!done || *done) return unreachable("no answer: " + (done ? done->message() : "cancelled"));
  const auto& response = in.get();
  return HttpResponse{static_cast<int>(response.result_int()),
                      std::string(response[http::field::content_type]), response.body()};
}

}  // namespace vmirror
