#include "agent/control/peers/link.hpp"

#include <netinet/tcp.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/write.hpp>

#include "agent/control/peers/tls.hpp"

namespace vmirror {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

/// A peer that sent little may send so much at once: what it may send in this time.
constexpr std::chrono::seconds kAhead{2};

/// A read that failed, in words.
Error broken(const error_code& error, bool up) {
  // A reset is the close of one who had not read all.
  const bool closed = error == asio::error::eof || error == asio::error::connection_reset ||
                      error == asio::ssl::error::stream_truncated;
  if (!closed)
    return {Error::Kind::unreachable, "the connection broke: " + error.message(), {}, {}};
  if (up) return {Error::Kind::unreachable, "the agent there closed the connection", {}, {}};
  return {Error::Kind::refused,
          "it closed the connection before it was up",
          {},
          "see `vmirror status` there; does it have peers.tls as here?"};
}

Error silent(std::string who, std::chrono::milliseconds since) {
  return {Error::Kind::unreachable,
          std::move(who) + " was silent for " + std::to_string(since.count()) + " ms",
          {},
          "does its host run, and does the network between?"};
}

}  // namespace

std::string printable(std::string_view text, std::size_t most) {
  std::string out(text.substr(0, most));
  for (char& c : out)
    if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7f) c = '?';
  return out;
}

Link::Link(Tcp::socket socket, LinkOwner& owner, LinkOptions options)
    : socket_(std::move(socket)),
      timer_(socket_.get_executor()),
      pause_(socket_.get_executor()),
      owner_(owner),
      options_(std::move(options)) {
  if (options_.tls != nullptr) tls_.emplace(socket_, *options_.tls);
}

template <typename Action>
void Link::on_stream(Action action) {
  if (tls_)
    action(*tls_);
  else
    action(socket_);
}

// ---- To the hello ------------------------------------------------------------------------------

void Link::dial(const Tcp::endpoint& endpoint) {
  remote_ = endpoint.address().to_string();
  await(options_.limits.dial_most);
  socket_.async_connect(endpoint, [self = shared_from_this()](const error_code& error) {
    if (!self->is_live()) return;
    if (error)
      return self->end({Error::Kind::unreachable,
                        "no agent answers at " + self->remote_ + ": " + error.message(),
                        {},
                        "does vmirrord run there, with this peers.listen?"});
    self->begin();
  });
}

void Link::accepted() {
  error_code ignored;
  remote_ = socket_.remote_endpoint(ignored).address().to_string();
  begin();
}

void Link::begin() {
  error_code ignored;
  socket_.set_option(Tcp::no_delay(true), ignored);
  // The kernel gives up on what is not acknowledged when we do.
  using UserTimeout = asio::detail::socket_option::integer<IPPROTO_TCP, TCP_USER_TIMEOUT>;
  socket_.set_option(UserTimeout(static_cast<int>(options_.limits.dead_after.count())), ignored);
  await(options_.limits.dead_after);
  if (!tls_) return handshaken();
  stage_ = Stage::handshake;
  const auto role = is_dialer() ? asio::ssl::stream_base::client : asio::ssl::stream_base::server;
  tls_->async_handshake(role, [self = shared_from_this()](const error_code& error) {
    if (!self->is_live()) return;
    if (!error) return self->handshaken();
    const Error why = tls_error(error, self->tls_->native_handle());
    // The alert that says why to the peer is written; it must not be overtaken by a reset.
    self->stage_ = Stage::bye;
    error_code ignored;
    self->socket_.shutdown(Tcp::socket::shutdown_send, ignored);
    self->drain();
    self->owner_.ended(*self, why);
  });
}

void Link::handshaken() {
  stage_ = Stage::hello;
  if (is_dialer()) {
    if (tls_)
      if (const auto ok = check_certificate(tls_->native_handle(), options_.expected); !ok)
        return refuse(ok.error());
    first_ = encode_peer_frame(PeerFrame::Kind::hello, encode(options_.own));
    write();
  }
  read();
}

Result<void> Link::check(const PeerHello& hello) {
  if (hello.version != kPeerVersion)
    return fail(Error::Kind::refused,
                "it speaks version " + std::to_string(hello.version) +
                    " of the agents' protocol, `" + options_.own.host + "` speaks version " +
                    std::to_string(kPeerVersion),
                {}, "bring both to one version of vmirror");
  if (is_dialer() && hello.host != options_.expected)
    return fail(Error::Kind::refused,
                "the agent there calls itself `" + printable(hello.host) + "`, not `" +
                    options_.expected + "`",
                {}, "correct peers.hosts, or `host` there");
  if (tls_) return check_certificate(tls_->native_handle(), hello.host);
  return {};
}

void Link::take_hello(const PeerFrame& frame) {
  if (frame.kind != PeerFrame::Kind::hello)
    return refuse({Error::Kind::refused, "it did not say who it is", {}, {}});
  auto hello = parse_peer_hello(frame.body);
  if (!hello) return refuse(hello.error());
  peer_ = std::move(*hello);
  if (const auto ok = check(peer_); !ok) return refuse(ok.error());
  if (const auto ok = owner_.wanted(*this, peer_); !ok) return refuse(ok.error());
  reader_.allow_messages([this](std::string_view type) { return owner_.most_bytes(type); });
  if (is_dialer()) return go_up();
  stage_ = Stage::greeted;
  first_ = encode_peer_frame(PeerFrame::Kind::hello, encode(options_.own));
  write();
}

void Link::go_up() {
  // Another connection of this peer may have come up since.
  if (const auto ok = owner_.wanted(*this, peer_); !ok) return refuse(ok.error());
  stage_ = Stage::up;
  ping_due_ = true;
  next_ping_ = Clock::now() + options_.limits.ping_interval;
  owner_.up(*this, peer_);
  tick();
  write();
}

// ---- Reading -----------------------------------------------------------------------------------

void Link::read() {
  const auto space = reader_.space();
  on_stream([&](auto& stream) {
    stream.async_read_some(asio::buffer(space.data(), space.size()),
                           [self = shared_from_this()](const error_code& error, std::size_t n) {
                             if (self->is_live()) self->was_read(error, n);
                           });
  });
}

void Link::was_read(const error_code& error, std::size_t n) {
  if (error) {
    if (error.category() == asio::error::get_ssl_category())
      return end(tls_error(error, tls_->native_handle()));
    return end(broken(error, stage_ == Stage::up));
  }
  received_ = Clock::now();
  auto frame = reader_.filled(n);
  if (!frame) return refuse(frame.error());
  if (*frame) {
    const PeerLimits& limits = options_.limits;
    // What one message takes of a second, as a message or by its bytes.
    const double share = std::max(
        1.0 / static_cast<double>(limits.messages_a_second),
        static_cast<double>((*frame)->body.size()) / static_cast<double>(limits.bytes_a_second));
    paid_ = std::max(paid_, received_) +
            std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(share));
    handle(std::move(**frame));
  }
  if (stage_ < Stage::bye) read_on();
}

/// Reads at once, or when the peer may send more.
void Link::read_on() {
  if (stage_ == Stage::up && !owner_.has_room(*this)) {
    paused_ = true;
    return;
  }
  if (paid_ - Clock::now() <= kAhead) return read();
  pause_.expires_at(paid_ - kAhead);
  pause_.async_wait([self = shared_from_this()](const error_code& error) {
    if (!error && self->stage_ < Stage::bye) self->read();
  });
}

void Link::resume() {
  if (!std::exchange(paused_, false) || stage_ >= Stage::bye) return;
  read_on();
}

void Link::handle(PeerFrame frame) {
  if (frame.kind == PeerFrame::Kind::bye)
    return end({Error::Kind::refused, "it refuses: " + printable(frame.body), {}, {}});
  if (stage_ == Stage::hello) return take_hello(frame);
  if (stage_ == Stage::greeted) go_up();
  if (stage_ != Stage::up) return;
  switch (frame.kind) {
    case PeerFrame::Kind::message:
      return owner_.message(*this, std::move(frame));
    case PeerFrame::Kind::ping: {
      const Time now = wall_clock();
      const auto sent = parse_ping(frame.body);
      if (!sent) return refuse(sent.error());
      pong_due_ = {*sent, now};
      return write();
    }
    case PeerFrame::Kind::pong: {
      const auto times = parse_pong(frame.body, wall_clock());
      if (!times) return refuse(times.error());
      clock_.add(*times);
      if (const auto best = clock_.best()) owner_.clock(*this, *best);
      return;
    }
    default:
      return refuse({Error::Kind::refused, "a second hello", {}, {}});
  }
}

// ---- Writing -----------------------------------------------------------------------------------

/// Puts what is to be written next into head_ and message_; false: nothing.
bool Link::choose() {
  message_.reset();
  if (!first_.empty()) {
    head_ = std::exchange(first_, {});
  } else if (stage_ != Stage::up) {
    return false;
  } else if (pong_due_) {
    head_ = encode_peer_frame(PeerFrame::Kind::pong,
                              encode_pong(pong_due_->first, pong_due_->second, wall_clock()));
    pong_due_.reset();
  } else if (ping_due_) {
    head_ = encode_peer_frame(PeerFrame::Kind::ping, encode_ping(wall_clock()));
    ping_due_ = false;
  } else if ((message_ = owner_.next(*this))) {
    head_ = encode_peer_head(PeerFrame::Kind::message, message_->type, message_->body.size());
  } else {
    return false;
  }
  return true;
}

void Link::write() {
  if (writing_ || !is_live() || !choose()) return;
  writing_ = true;
  const std::array<asio::const_buffer, 2> buffers{
      asio::buffer(head_), message_ ? asio::buffer(message_->body) : asio::const_buffer()};
  on_stream([&](auto& stream) {
    asio::async_write(stream, buffers,
                      [self = shared_from_this()](const error_code& error, std::size_t) {
                        self->writing_ = false;
                        if (!self->is_live()) return;
                        // What the peer said before it went is more than that it went: read on.
                        if (error) return;
                        self->written();
                      });
  });
}

void Link::written() {
  if (message_ && stage_ == Stage::up) owner_.sent(*this, *std::exchange(message_, std::nullopt));
  write();
  if (stage_ == Stage::bye && !writing_) {
    error_code ignored;
    socket_.shutdown(Tcp::socket::shutdown_send, ignored);
  }
}

// ---- Time and the end --------------------------------------------------------------------------

void Link::await(Clock::duration patience) {
  timer_.expires_after(patience);
  timer_.async_wait([self = shared_from_this()](const error_code& error) {
    if (!error && self->is_live()) self->tick();
  });
}

/// Up: pings, and ends a link that was silent for too long. Before that, and while it says bye:
/// time is over.
void Link::tick() {
  const PeerLimits& limits = options_.limits;
  if (stage_ == Stage::bye) return close();
  if (stage_ == Stage::connect) return end(silent(remote_, limits.dial_most));
  if (stage_ != Stage::up) return end(silent("it", limits.dead_after));
  const auto now = Clock::now();
  error_code ignored;
  // Something may wait in the socket because this whole process was stopped.
  if (now - received_ >= limits.dead_after && socket_.available(ignored) == 0)
    return end(silent("it", limits.dead_after));
  if (now >= next_ping_) {
    ping_due_ = true;
    next_ping_ = now + limits.ping_interval;
    write();
  }
  const auto dead = received_ + limits.dead_after;
  await((dead > now ? std::min(next_ping_, dead) : next_ping_) - now);
}

void Link::end(const Error& error) {
  close();
  owner_.ended(*this, error);
}

void Link::close() {
  stage_ = Stage::closed;
  error_code ignored;
  timer_.cancel();
  pause_.cancel();
  socket_.close(ignored);
}

/// Tells the peer and the owner why. The socket is closed when the peer has closed its side, so
/// that no reset overtakes the words.
void Link::refuse(const Error& error) {
  stage_ = Stage::bye;
  first_ = encode_peer_frame(PeerFrame::Kind::bye, printable(error.text()));
  write();
  await(options_.limits.dead_after);
  drain();
  owner_.ended(*this, {Error::Kind::refused, error.what, error.where, error.remedy});
}

/// Reads what is no longer wanted, below TLS.
void Link::drain() {
  sink_.resize(4096);
  socket_.async_read_some(asio::buffer(sink_),
                          [self = shared_from_this()](const error_code& error, std::size_t) {
                            if (!self->is_live()) return;
                            if (error) return self->close();
                            self->drain();
                          });
}

}  // namespace vmirror
