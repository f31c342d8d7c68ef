// The form of a protocol. A protocol is one source pair, one line in dissectors.cpp, and a folder
// in tests/protocols; docs/adding-a-protocol.md walks through one.
//
//   carrier    what carries it   how it is found              what `dissect` is given
//   link       Ethernet, LLC     EtherType, LLC SAP, SNAP     the frame behind them
//   network    IP                protocol number              the datagram from that header on
//   datagram   UDP               probe; a port is a hint      the UDP payload
//   stream     TCP               probe; a port is a hint      one message, cut from in-order bytes
//                                                             as `frame` says
//   inside     another protocol  the name of the place where  what Context::hand_down was given
//                                that one hands parts down,
//                                and a probe
//
// All functions are pure: no allocation, no logging, no state but what Context lends; all reading
// goes through a Cursor. What they find goes into Facts.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <tl/expected.hpp>
#include <type_traits>

#include "agent/model/facts.hpp"
#include "plugin/base/cursor.hpp"

namespace vmirror {

enum class Carrier : std::uint8_t { link, network, datagram, stream, inside };
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
/// one of these three.
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

/// Where a protocol hands parts of its messages down; those that it carries are found there. The
/// carrier chooses the name: "cotp.data". `number` tells several of one name apart.
constexpr Place inside(std::string_view name, std::uint32_t number = 0) {
  std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a; a test sees that no two places are one.
  const auto add = [&hash](std::uint8_t byte) { hash = (hash ^ byte) * 0x100000001b3; };
  for (const char c : name) add(static_cast<std::uint8_t>(c));
  for (int shift = 0; shift < 32; shift += 8) add(static_cast<std::uint8_t>(number >> shift));
  return hash | std::uint64_t{1} << 63;
}

/// A request that waits for its answer.
struct Request {
  Time time = 0;
  std::uint32_t a = 0, b = 0;  ///< The dissector's own: what it needs when the answer comes.
  bool operator==(const Request&) const = default;
};

/// Something that comes in parts, put together.
struct Joined {
  Bytes bytes;
  bool cut = false;  ///< It was longer than kMaxMessage: this is its front.
};
/// Whether a part is the first of what it belongs to, where the protocol says.
enum class Begins : std::uint8_t { yes, no, unsaid };

struct Dissector;
/// Lends what Context offers (dissection.hpp).
class Dissection;
/// What a flow keeps of its dissector (dissectors.hpp).
using DissectorId = std::uint8_t;

/// The most bytes of state that a dissector has of one flow under one key.
constexpr std::size_t kMaxState = 96;

/// What a dissector is lent for one call.
struct Context {
  Time time = 0;
  /// Sender and receiver as the frame has them; MACs are zero where the link has none. Behind a
  /// router the MAC is the router's: a Subject of both is right only for what never leaves its link
  /// (ARP, ND, DHCP, mDNS). Elsewhere learn about `sender()`.
  Subject source, destination;
  std::uint16_t source_port = 0, destination_port = 0;
  std::uint16_t vlan = 0;
  std::uint8_t ttl = 0;      ///< TTL or hop limit; 0: below IP.
  bool to_server = true;     ///< The message goes from the flow's client to its server.
  bool start_seen = false;   ///< The flow's SYN was seen: `to_server` is sure.
  bool cut = false;          ///< The copy was truncated: the message may end early by no fault.
  bool at_own_port = false;  ///< For a probe: a port is the protocol's own, little is needed.
  bool last = false;         ///< The flow ended: no bytes follow these.
  std::uint8_t depth = 0;    ///< Protocols around this one that handed it down.
  DissectorId self = 0;      ///< Who is being called.
  std::uint32_t size = 0;    ///< stream: the whole message's, of which `frame` may want less.
  std::uint32_t tag = 0;     ///< inside: what the carrier says of the part, by its own rule.
  std::uint64_t flow = 0;    ///< Flow::id
  /// Null: nothing is remembered, joined, expected or handed down.
  Dissection* engine = nullptr;

  /// Who sent this, by IP address alone.
  Subject sender() const { return {{}, source.ip}; }
  Subject receiver() const { return {{}, destination.ip}; }

  /// The same as if the other side had sent it.
  Context reversed() const {
    Context out = *this;
    out.source = destination;
    out.destination = source;
    out.source_port = destination_port;
    out.destination_port = source_port;
    out.to_server = !to_server;
    return out;
  }

  /// Remembers a request of this flow under `key`, for `answer`.
  void ask(std::uint64_t key, std::uint32_t a = 0, std::uint32_t b = 0) const;
  /// Takes the request of this flow that this message answers, if it was seen.
  std::optional<Request> answer(std::uint64_t key) const;
  /// Microseconds from `request` to now; 0 where the clock went back.
  std::uint64_t latency_us(const Request& request) const {
    return time > request.time ? static_cast<std::uint64_t>(time - request.time) / 1000 : 0;
  }

  /// What this dissector knows of this flow, under a key of its own (56 bits of it count): all zero
  /// at first, and again when too many flows had to be remembered since. Small, trivially copyable,
  /// without pointers: it moves with a migrating guest. Good for the call, until the next `state`;
  /// null: nothing is lent.
  template <typename State>
  State* state(std::uint64_t key = 0) const {
    static_assert(std::is_trivially_copyable_v<State> && sizeof(State) <= kMaxState);
    static_assert(alignof(State) <= 8);
    return static_cast<State*>(state_of(key, sizeof(State)));
  }
  /// Whether there is such a state already.
  bool has_state(std::uint64_t key = 0) const;
  /// Ends a state that nothing more will be asked of.
  void forget_state(std::uint64_t key = 0) const;

  /// Puts together what comes in parts: what this sender's parts under `key` (55 bits) are when
  /// `part` is the last one. Nothing: more is to come, or the beginning was not seen. A part that
  /// is whole by itself is answered as it is, without a copy. Good as long as what is told.
  std::optional<Joined> join(Bytes part, Begins begins, bool last, std::uint64_t key = 0) const;

  /// Flows to this port of `server` (an address) will be `protocol`, for the time `lasts`: as a
  /// port of its own, which its probe, if it has one, confirms.
  void expect(const IpAddress& server, std::uint16_t port, const Dissector& protocol,
              Time lasts) const;

  /// Hands a part of this message to the protocol inside, whichever is found at `place`. What is
  /// found by a probe stays this flow's at this place. Of its Outcome what was malformed counts
  /// alone. False: none that is selected wants it.
  /// The one inside is told `tag`.
  bool hand_down(Place place, Bytes part, Facts& facts, std::uint32_t tag = 0) const;

 private:
  void* state_of(std::uint64_t key, std::size_t size) const;
};

/// What a probe says of a payload.
enum class Probe : std::uint8_t {
  no,
  maybe,   ///< Stream: right so far, but too short to be sure. (Elsewhere: the same as `no`.)
  yes,     ///< Surely this protocol: lengths agree to the last byte, values are all legal.
  client,  ///< The same, and only a client says this,
  server,  ///< or a server.
};
constexpr bool is_yes(Probe probe) {
  return probe >= Probe::yes;
}

/// What a message leads to, besides what it told.
struct Outcome {
  enum class Then : std::uint8_t {
    same,
    done,    ///< Nothing more of this flow is worth reading: it keeps the name, and its bytes cost
             ///< as much as those of a flow without a dissector.
    become,  ///< What follows, in both directions, is `next`: STARTTLS, an upgrade.
  };
  Malformed malformed = Malformed::none;
  Then then = Then::same;
  const Dissector* next = nullptr;

  Outcome(Malformed m) : malformed(m) {}  // NOLINT: `return Malformed::none;` is the rule.
  static Outcome done() {
    Outcome out(Malformed::none);
    out.then = Then::done;
    return out;
  }
  static Outcome become(const Dissector& next) {
    Outcome out(Malformed::none);
    out.then = Then::become;
    out.next = &next;
    return out;
  }
};

/// How the front of a stream is cut.
struct Framing {
  enum class Status : std::uint8_t {
    message,  ///< The first `size` bytes are one message, whether all of it is there yet or not.
    more,     ///< Too short to tell.
    lost,     ///< This can't be the protocol: skip the segment, try again at the next one.
  };
  static constexpr std::uint32_t kAll = 0xffffffff;
  Status status = Status::more;
  std::uint32_t size = 0;
  std::uint32_t wanted =
      kAll;  ///< `dissect` is given so many bytes of it; the rest is passed over.

  /// `wanted`: a body behind the first bytes that nobody reads need not be copied.
  static constexpr Framing message(std::uint32_t size, std::uint32_t wanted = kAll) {
    return {Status::message, size, wanted};
  }
  static constexpr Framing more() { return {Status::more, 0, kAll}; }
  static constexpr Framing lost() { return {Status::lost, 0, kAll}; }
};

/// A protocol on one carrier. One that has two (DNS) is two of these with the same name.
struct Dissector {
  const char* name;  ///< "modbus": in records, flows, options and counters. A literal.
  Carrier carrier;
  std::span<const Place> at;  ///< Two of one carrier may share a place when both have a probe.
  /// The places where it hands parts down. Who selects a protocol inside selects its carriers, too.
  std::span<const Place> hands_down = {};
  /// Looks at a datagram, at the first bytes of one direction of a stream, or at a part that was
  /// handed down. A port is a hint only: at its own port, too, a protocol is found by its probe
  /// (Context::at_own_port), and by it a stream finds the way back after a gap. Null: all that
  /// comes to its places is this protocol.
  Probe (*probe)(Bytes first, const Context& context) = nullptr;
  /// stream only: where the message ends that begins at `stream`'s front (never empty). Of one that
  /// is longer than kMaxMessage, `dissect` is given the front, as a cut copy.
  Framing (*frame)(Bytes stream, const Context& context) = nullptr;
  /// Reads one message and tells what it says. With an error, what was told before it stands.
  Outcome (*dissect)(Bytes message, const Context& context, Facts& facts);
  /// inside only: flows that carry it go by its name. False of credentials, which many protocols
  /// carry by the way.
  bool names_flow = true;
};

/// The longest message of a stream that is dissected whole, in bytes.
constexpr std::uint32_t kMaxMessage = 65535;

}  // namespace vmirror
