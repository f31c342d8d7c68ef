// The form of a protocol. A protocol is one source pair, one line in dissectors.cpp, payloads, one
// test, one fuzz target and one golden capture; docs/adding-a-protocol.md walks through one.
//
//   carrier    what carries it   how it is found              what `dissect` is given
//   link       Ethernet, LLC     EtherType, LLC SAP, SNAP     the frame behind them
//   network    IP                protocol number              the datagram from that header on
//   datagram   UDP               port, or probe               the UDP payload
//   stream     TCP               port, or probe               one message, cut from in-order bytes
//                                                             as `frame` says
//
// All functions are pure: no allocation, no logging, no state but what Context lends; all reading
// goes through a Cursor. What they find goes into Facts.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <tl/expected.hpp>

#include "agent/model/facts.hpp"
#include "plugin/base/cursor.hpp"

namespace vmirror {

enum class Carrier : std::uint8_t { link, network, datagram, stream };
/// "datagram"
const char* to_text(Carrier carrier);

/// What was wrong with a message. Counted by protocol and by name.
enum class Malformed : std::uint8_t {
  none,
  truncated,   ///< Ends before its own lengths say. Not counted where the mirror cut the copy.
  bad_length,  ///< A length contradicts another.
  bad_value,   ///< A field holds what the protocol forbids.
  too_deep,    ///< Nesting, or pointers, past the bound.
  count_,
};
/// "bad_length"
const char* to_text(Malformed malformed);

/// What a protocol's parse function answers: the message, or what is wrong with it.
template <typename Message>
using Parsed = tl::expected<Message, Malformed>;
/// `return bad(Malformed::truncated);`
inline tl::unexpected<Malformed> bad(Malformed malformed) {
  return tl::unexpected<Malformed>(malformed);
}

/// Where a protocol is found: an EtherType, an IP protocol number or a port as plain numbers, or
/// one of these two.
using Place = std::uint64_t;
/// IEEE 802.2: frames to this destination SAP (0x42: spanning tree).
constexpr Place llc(std::uint8_t dsap) {
  return std::uint64_t{1} << 40 | dsap;
}
/// IEEE 802 SNAP: an organisation's own protocol ID (snap(0x00000c, 0x2000): CDP). With OUI zero
/// the ID is an EtherType and is found as one.
constexpr Place snap(std::uint32_t oui, std::uint16_t pid) {
  return std::uint64_t{1} << 41 | std::uint64_t{oui} << 16 | pid;
}

/// A request that waits for its answer.
struct Request {
  Time time = 0;
  std::uint32_t a = 0, b = 0;  ///< The dissector's own: what it needs when the answer comes.
  bool operator==(const Request&) const = default;
};

/// The pending requests of all flows of a worker (requests.hpp).
class Requests;

/// What a dissector is lent for one call.
struct Context {
  Time time = 0;
  /// Sender and receiver as the frame has them; MACs are zero where the link has none. Behind a
  /// router the MAC is the router's: a Subject of both is right only for what never leaves its link
  /// (ARP, ND, DHCP, mDNS). Elsewhere learn about `sender()`.
  Subject source, destination;
  std::uint16_t source_port = 0, destination_port = 0;
  std::uint16_t vlan = 0;
  std::uint8_t ttl = 0;          ///< TTL or hop limit; 0: below IP.
  bool to_server = true;         ///< The message goes from the flow's client to its server.
  bool cut = false;              ///< The copy was truncated: the message may end early by no fault.
  std::uint64_t flow = 0;        ///< Flow::id
  Requests* requests = nullptr;  ///< Null: nothing is remembered or matched.

  /// Who sent this, by IP address alone.
  Subject sender() const { return {{}, source.ip}; }
  /// Remembers a request of this flow under `key`, for `answer`.
  void ask(std::uint64_t key, std::uint32_t a = 0, std::uint32_t b = 0) const;
  /// Takes the request of this flow that this message answers, if it was seen.
  std::optional<Request> answer(std::uint64_t key) const;
  /// Microseconds from `request` to now; 0 where the clock went back.
  std::uint64_t latency_us(const Request& request) const {
    return time > request.time ? static_cast<std::uint64_t>(time - request.time) / 1000 : 0;
  }
};

/// What a validating probe says of a payload on a port that is no protocol's own.
enum class Probe : std::uint8_t {
  no,
  maybe,  ///< Stream: right so far, but too short to be sure. (Datagram: the same as `no`.)
  yes,    ///< Surely this protocol: lengths agree to the last byte, values are all legal.
};

/// How the front of a stream is cut.
struct Framing {
  enum class Status : std::uint8_t {
    message,  ///< The first `size` bytes are one message, whether all of it is there yet or not.
    more,     ///< Too short to tell.
    lost,     ///< This can't be the protocol: skip the segment, try again at the next one.
  };
  Status status = Status::more;
  std::uint32_t size = 0;

  static constexpr Framing message(std::uint32_t size) { return {Status::message, size}; }
  static constexpr Framing more() { return {Status::more, 0}; }
  static constexpr Framing lost() { return {Status::lost, 0}; }
};

/// A protocol on one carrier. One that has two (DNS) is two of these with the same name.
struct Dissector {
  const char* name;  ///< "modbus": in records, flows, options and counters. A literal.
  Carrier carrier;
  std::span<const Place> at;  ///< Two of one carrier may share a port when both have a probe.
  /// Looks at a datagram, or at the first bytes of one direction of a stream. The way to be found
  /// on an odd port and to find the way back into a stream after a gap. Null: only at its own
  /// ports.
  Probe (*probe)(Bytes first, const Context& context) = nullptr;
  /// stream only: where the message ends that begins at `stream`'s front (never empty). Of one that
  /// is longer than kMaxMessage, `dissect` is given the front, as a cut copy.
  Framing (*frame)(Bytes stream, const Context& context) = nullptr;
  /// Reads one message and tells what it says. With an error, what was told before it stands.
  Malformed (*dissect)(Bytes message, const Context& context, Facts& facts);
};

/// The longest message of a stream that is dissected whole, in bytes.
constexpr std::uint32_t kMaxMessage = 65535;

}  // namespace vmirror
