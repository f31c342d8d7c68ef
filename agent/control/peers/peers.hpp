// The link between the agents of two hosts: one TCP connection for each pair, TLS 1.3 when
// configured, messages both ways. What a message means is the business of the layers above.
//
//   hosta  --- dials --->  hostb         of two hosts, the one whose name sorts first dials
//          <-- messages -->              messages of one connection arrive in order, or not at all
//
// One side dials so that there is only ever one connection to choose: no races, no ties. It tries
// again every 50 to 500 ms for as long as it lives; so the link is up within a second of the
// peer's return, whichever side went away.
//
// The link has a thread of its own and not the caller's: a peer is dead when it was silent for 2 s,
// and neither a large body under TLS nor a caller that is busy may make it so; nor may a busy
// caller spoil the pings that compare the two clocks.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/base/address.hpp"
#include "plugin/base/clock.hpp"
#include "plugin/base/result.hpp"

namespace vmirror {

struct PeerEndpoint {
  static constexpr std::uint16_t kDefaultPort = 9478;

  IpAddress address;
  std::uint16_t port = kDefaultPort;

  bool operator==(const PeerEndpoint&) const = default;
  /// `192.0.2.1:9478`, `[2001:db8::1]:9478`; without `:PORT` it is the default one.
  /// Error::Kind::invalid.
  static Result<PeerEndpoint> parse(std::string_view text);
  std::string text() const;
  /// 127.0.0.0/8 or ::1
  bool is_loopback() const;
};

/// Another host's agent.
struct Peer {
  std::string host;  ///< As that agent calls itself.
  PeerEndpoint endpoint;
};

/// PEM files. Both sides show a certificate of this CA that names their host: as a DNS name, or as
/// the common name where it has no DNS name (RFC 6125 6.4.4). No wildcards. TLS 1.3 only.
struct PeerTls {
  std::string certificate;  ///< May be followed by its chain.
  std::string private_key;
  std::string ca_certificate;
  /// Lists of revoked certificates (RFC 5280), one for each CA of the chain; empty: none is asked
  /// for. One whose time is over refuses every peer.
  std::string revoked = {};
};

struct PeerLimits {
  std::size_t message_bytes = std::size_t{16} << 20;  ///< Body of one message, either way.
  std::size_t queue_bytes = std::size_t{32}
                            << 20;  ///< Not yet written, of each peer; then refused.
  /// Accepted connections that have not said who they are, each for at most `dead_after`: of all
  /// addresses that are no peer's, of one such (of IPv6: of one /64), of one peer's address. One
  /// more takes the place of the oldest (slots.hpp).
  std::size_t handshakes = 16, handshakes_each = 4, handshakes_peer = 8;
  /// Received messages of a peer that are not worked off yet; then its socket is read later.
  std::size_t waiting_messages = 256, waiting_bytes = std::size_t{32} << 20;
  /// What is read of a peer a second, in the mean: messages, and their bytes. More is read later.
  std::size_t messages_a_second = 2000, bytes_a_second = std::size_t{32} << 20;
  std::chrono::milliseconds ping_interval{500};
  std::chrono::milliseconds dead_after{2000};  ///< Nothing received for so long: the peer is dead.
  std::chrono::milliseconds dial_first{50};    ///< Between two dials; doubled with each failure,
  std::chrono::milliseconds dial_most{500};    ///< up to this. One dial waits no longer than this.
};

struct PeersOptions {
  std::string host;  ///< The name of this agent's host.
  std::optional<PeerEndpoint>
      listen;               ///< Needed when a peer's name sorts before ours. Port 0: any.
  std::vector<Peer> peers;  ///< May contain this host, which is ignored.
  std::optional<PeerTls> tls;
  bool insecure = false;  ///< Without TLS, addresses other than loopback are allowed.
  PeerLimits limits = {};
  /// The most bytes of a message, by its type; of a type that is not here, kMaxUnknownMessage. A
  /// longer one ends the link. Empty: all types have PeerLimits::message_bytes.
  std::map<std::string, std::size_t, std::less<>> most_bytes = {};

  static constexpr std::size_t kMaxUnknownMessage = 65536;
};

/// A message's body. While a copy of the receipt is there, the message counts as not worked off:
/// who hands the body on, hands the receipt on with it.
struct PeerBody {
  std::string bytes;
  std::shared_ptr<const void> receipt;
  operator std::string() && { return std::move(bytes); }
};

/// Checks options; `start` calls it first. Error::Kind::invalid: names that are empty, too long or
/// given twice; no peer to dial and no address to listen on; an address other than
/// loopback without TLS and without `insecure`. Pure: files are not opened.
Result<void> check(const PeersOptions& options);

/// The events. Called on the link's thread, one at a time, and for each peer in the order: on_up,
/// on_message..., on_down, on_up... A handler may call `send` and `status`. While a handler runs,
/// the link reads nothing and sends no ping: hand longer work to another thread.
struct PeersHandlers {
  std::function<void(const std::string& host, const std::string& type, PeerBody body)> on_message;
  std::function<void(const std::string& host)> on_up;
  std::function<void(const std::string& host, const std::string& reason)> on_down;
};

struct PeerStatus {
  enum class State : std::uint8_t {
    up,
    down,
    refused,  ///< The peer answers, but one side refuses the other; the link is tried again.
  };

  std::string host;
  PeerEndpoint endpoint;
  State state = State::down;
  Time since = 0;      ///< Of this state.
  std::string reason;  ///< Why the peer isn't up, in words; empty if it is up.
  bool dials = false;  ///< This agent dials the peer; else the peer dials this agent.
  bool encrypted = false;
  /// The peer's run: random, another one after its restart. 0: not seen yet.
  std::uint64_t instance = 0;
  /// The peer's wall clock less ours, of the quickest of the last eight pings; right within half of
  /// `rtt`. None before the first ping of this connection was answered.
  std::optional<Time> clock_offset;
  std::optional<Time> rtt;  ///< Nanoseconds, of the same ping.
  std::uint64_t connections = 0;
  std::uint64_t sent_messages = 0, sent_bytes = 0;  ///< Written to the connection; bodies' bytes.
  std::uint64_t received_messages = 0, received_bytes = 0;
  std::size_t queued_bytes = 0;        ///< Not yet written, with 128 for each message.
  std::uint64_t refused_messages = 0;  ///< By `send`: down, too large, or the queue was full.
  std::uint64_t lost_messages = 0;     ///< Queued when the connection ended.
};
/// "up", "down", "refused"
const char* to_text(PeerStatus::State state);

struct PeersStatus {
  std::optional<PeerEndpoint> listen;     ///< As bound.
  bool encrypted = false;                 ///< If not: say so wherever this is shown.
  std::vector<PeerStatus> peers;          ///< By host name.
  std::uint64_t refused_connections = 0;  ///< Accepted, and then refused, or closed for others.
  std::string last_refusal;               ///< `ADDRESS: why`, of the latest refusal.
  std::string tls_error;  ///< Why the changed files of TLS are not in use; empty: they are.
};

/// Any thread, and the handlers, may call all functions except for the destructor.
class Peers {
 public:
  /// Listens, dials, and returns at once; an unreachable peer is a state, not an error.
  /// Error::Kind::invalid: the options contradict each other, an address that isn't loopback
  /// without TLS and without `insecure`, a key or certificate that can't be used.
  /// Error::Kind::refused: the port is taken.
  static Result<std::unique_ptr<Peers>> start(PeersOptions options, PeersHandlers handlers);
  /// Closes all connections. No handler is called for this, and none runs after the return.
  ~Peers();
  Peers(const Peers&) = delete;
  Peers& operator=(const Peers&) = delete;

  /// Queues one message and returns at once. `type` has 1 to 32 bytes, `body` is anything. Success
  /// is no receipt: messages on their way are lost when the connection ends, and are not sent on
  /// the next connection; on_down reports the end. Errors, each counted in `refused_messages`:
  /// Kind::missing: no such peer; unreachable: it is down, `what` says why; invalid: type or size;
  /// exhausted: the queue is full.
  Result<void> send(const std::string& host, std::string_view type, std::string body);
  PeersStatus status() const;

  struct State;

 private:
  explicit Peers(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace vmirror
