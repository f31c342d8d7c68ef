// One connection to another agent, from its socket to its end: TLS, hello, frames both ways, pings.
// It knows no other connections; its owner decides which connections are wanted.
//
//     connect -> handshake -> hello -> greeted -> up -> closed
//         \__________\__________\_________\______ bye ____/
//
// greeted: the accepting side has answered the dialer's hello and waits for the dialer's first
// ping, which shows that the answer arrived. Neither side is therefore up before the other side
// wants the link, and the hello of a dialer that is gone makes no link. bye: the link tells the
// peer the reason, and gives the message time to arrive.
//
// Everything runs on the io_context's only thread.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <optional>
#include <string>

#include "agent/control/peers/clock_offset.hpp"
#include "agent/control/peers/frame.hpp"
#include "agent/control/peers/peers.hpp"

namespace vmirror {

class Link;

struct PeerMessage {
  std::string type, body;
  /// Bytes of the queue's bound; an empty message costs something, too.
  static constexpr std::size_t kOverhead = 128;
  std::size_t cost() const { return kOverhead + body.size(); }
};

/// The owner of a link. None of these functions is called after Link::close.
class LinkOwner {
 public:
  /// The peer's hello has arrived. An error refuses the peer with these words; `ended` follows.
  virtual Result<void> wanted(const Link& link, const PeerHello& hello) = 0;
  /// Both sides want the link, and it is up from here on. `wanted` is called once more just before.
  virtual void up(Link& link, const PeerHello& hello) = 0;
  virtual void message(Link& link, PeerFrame frame) = 0;
  /// The most bytes of a message's body.
  virtual std::size_t most_bytes(std::string_view type) const = 0;
  /// False: too much that came waits to be worked off; Link::resume follows.
  virtual bool has_room(const Link& link) const = 0;
  /// The next message to write; none: wait for Link::wake.
  virtual std::optional<PeerMessage> next(Link& link) = 0;
  /// The message of `next` was written.
  virtual void sent(Link& link, const PeerMessage& message) = 0;
  virtual void clock(Link& link, const ClockSample& sample) = 0;
  /// Called once: the link is closed, or says bye. Error::Kind::refused: one of the two does not
  /// want the other.
  virtual void ended(Link& link, const Error& error) = 0;

 protected:
  ~LinkOwner() = default;
};

struct LinkOptions {
  PeerHello own;
  std::string expected;  ///< The host that is dialed; empty for an accepted connection.
  boost::asio::ssl::context* tls = nullptr;  ///< None: in the clear.
  PeerLimits limits;
};

class Link : public std::enable_shared_from_this<Link> {
 public:
  using Tcp = boost::asio::ip::tcp;

  /// The owner outlives every handler that the io_context runs.
  Link(Tcp::socket socket, LinkOwner& owner, LinkOptions options);
  /// Begins the link: call one of the two, once.
  void dial(const Tcp::endpoint& endpoint);
  void accepted();
  /// There is a message to send.
  void wake() { write(); }
  /// There is room for what the peer sends.
  void resume();
  /// Closes the socket; the owner is not called any more.
  void close();
  bool is_dialer() const { return !options_.expected.empty(); }
  /// The host that is dialed, or the host of the peer's hello; empty before the hello.
  const std::string& host() const { return is_dialer() ? options_.expected : peer_.host; }
  /// The peer's address, for people.
  const std::string& remote() const { return remote_; }

 private:
  using Clock = std::chrono::steady_clock;
  enum class Stage { connect, handshake, hello, greeted, up, bye, closed };

  void begin();
  void handshaken();
  void read();
  void read_on();
  void was_read(const boost::system::error_code& error, std::size_t n);
  void handle(PeerFrame frame);
  Result<void> check(const PeerHello& hello);
  void take_hello(const PeerFrame& frame);
  void go_up();
  void write();
  bool choose();
  void written();
  void await(Clock::duration patience);
  void tick();
  void end(const Error& error);
  void refuse(const Error& error);
  void drain();
  bool is_live() const { return stage_ != Stage::closed; }

  /// Reads or writes through TLS if there is TLS.
  template <typename Action>
  void on_stream(Action action);

  Tcp::socket socket_;
  std::optional<boost::asio::ssl::stream<Tcp::socket&>> tls_;
  boost::asio::steady_timer timer_, pause_;
  LinkOwner& owner_;
  const LinkOptions options_;
  Stage stage_ = Stage::connect;
  std::string remote_;
  PeerHello peer_;

  PeerFrameReader reader_;
  std::string sink_;  ///< For bytes that arrive during bye.
  Clock::time_point received_ = {}, next_ping_ = {};
  bool paused_ = false;          ///< Nothing is read, because there is no room.
  Clock::time_point paid_ = {};  ///< Until when what was read uses up what may be read.
  ClockOffset clock_;

  /// Frames to be written before any message, at most one of each kind, so that a peer that sends
  /// many pings and reads little costs no memory.
  std::string first_;  ///< Hello or bye.
  bool ping_due_ = false;
  std::optional<std::pair<Time, Time>> pong_due_;  ///< The ping's time, and its arrival.
  /// The frame that is being written.
  bool writing_ = false;
  std::string head_;
  std::optional<PeerMessage> message_;
};

/// Text of an unknown peer for people: without control characters, and at most `most` bytes.
std::string printable(std::string_view text, std::size_t most = 500);

}  // namespace vmirror
