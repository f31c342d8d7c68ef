// The format of the link between two agents. All integers are big-endian.
//
//   +------------------------------------------------------+
//   | length of type and body:32                           |
//   +----------+------------------+------------------------+
//   | kind:8   | type's length:8  | flags:16, all 0        |
//   +----------+------------------+------------------------+
//   | type, 0 to 32 bytes, then the body...                |
//   +------------------------------------------------------+
//
//   kind         body
//   1 hello      magic:32 "VMPL" | version:16 | 0:16 | instance:64 | connection:64 |
//                host's length:16 | host
//   2 bye        why the sender does not want this connection, as text
//   3 ping       its time:64
//   4 pong       the ping's time:64 | time of receipt:64 | time of answer:64
//   5 message    anything; the only kind that has a type
//
//   field:n: n bits
//
//   dialer  ---- hello --->  acceptor
//           <--- hello ----
//           ---- ping ---->            then any of 2 to 5, both ways
//
//   A bye instead of any of these ends the link.
//
// Bytes after the host's name or the times, of a later version, are not read. The version is the
// format's: two agents link only if their versions are equal.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "plugin/base/clock.hpp"
#include "plugin/base/cursor.hpp"
#include "plugin/base/result.hpp"

namespace vmirror {

constexpr std::uint16_t kPeerVersion = 1;
constexpr std::size_t kPeerHeader = 8;
constexpr std::size_t kMaxPeerType = 32;
constexpr std::size_t kMaxPeerHost = 255;
/// Bytes of a frame that isn't a message, and of any frame before the hello.
constexpr std::size_t kMaxPeerControl = 4096;

struct PeerFrame {
  enum class Kind : std::uint8_t { hello = 1, bye = 2, ping = 3, pong = 4, message = 5 };
  Kind kind = Kind::message;
  std::string type;
  std::string body;
  bool operator==(const PeerFrame&) const = default;
};

/// Header and type of a frame; the body, of this size, follows.
std::string encode_peer_head(PeerFrame::Kind kind, std::string_view type, std::size_t body_size);
/// A whole frame without a type.
std::string encode_peer_frame(PeerFrame::Kind kind, std::string_view body);

/// Assembles frames from the received bytes, wherever these are cut. The caller reads from its
/// socket directly into `space`, so that a body is never copied, and at most one frame is held:
///
///     n = read(socket, reader.space());  auto frame = reader.filled(n);
class PeerFrameReader {
 public:
  PeerFrameReader();
  /// Gives the most bytes of a body, by the message's type.
  using Limit = std::function<std::size_t(std::string_view type)>;
  /// Allows messages from now on; at first no message is allowed.
  void allow_messages(Limit limit) { limit_ = std::move(limit); }
  /// The buffer for the next bytes; never empty. Valid until `filled`.
  std::span<std::uint8_t> space();
  /// `n` bytes, at most space().size(), were put there. Returns the completed frame, or none yet.
  /// Error::Kind::invalid: not such a frame; the reader can't be used any more.
  Result<std::optional<PeerFrame>> filled(std::size_t n);

 private:
  Result<void> read_header();
  Result<void> begin_body();

  Limit limit_;
  std::size_t body_bytes_ = 0;
  std::string header_;  ///< The fixed part.
  PeerFrame frame_;
  std::size_t have_ = 0;  ///< Of the part that is being filled.
  enum class Part { header, type, body } part_ = Part::header;
};

/// The sender of a hello.
struct PeerHello {
  std::uint16_t version = kPeerVersion;
  std::uint64_t instance = 0;    ///< Random, of this run of the agent.
  std::uint64_t connection = 0;  ///< The dialer counts its connections; rises within a run.
  std::string host;
  bool operator==(const PeerHello&) const = default;
};
std::string encode(const PeerHello& hello);
/// Error::Kind::invalid: no hello. Of another version only `version` is read.
Result<PeerHello> parse_peer_hello(std::string_view body);

/// The four times of one ping; the first and last by our clock, the middle ones by the peer's.
struct PeerTimes {
  Time sent = 0, peer_received = 0, peer_sent = 0, received = 0;
  bool operator==(const PeerTimes&) const = default;
};
/// Bodies of ping and pong.
std::string encode_ping(Time now);
std::string encode_pong(Time ping_sent, Time received, Time now);
/// Error::Kind::invalid: too short.
Result<Time> parse_ping(std::string_view body);
Result<PeerTimes> parse_pong(std::string_view body, Time received);

}  // namespace vmirror
