// One worker's dissecting: the selection's dissectors applied to messages, to flows whose protocol
// is still to be found, and to the in-order bytes of TCP flows, which it cuts into messages. Owns
// what dissectors are lent and all counters. Bounded; no allocation after construction.
//
//   frame on a link      message(dissectors.for_link(packet), packet.network_of(frame), ...)
//   IP, not TCP or UDP   message(dissectors.for_network(protocol), transport_of(packet, frame),
//                                ...)
//   UDP                  new flow: flow.dissector = dissectors.for_datagram(client, server)
//                        each:     datagram(flow.dissector, payload, ...)
//   TCP                  new flow: id = dissectors.for_stream(client, server); where it is not
//                                  kNoDissector the flow gets a stream: conversation.dissector = id
//                        each piece of the reassembler: feed, gap or restart
//                        not is_read(conversation.dissector): the flow needs its stream no more
//                        the flow's end: finish(conversation), close(conversation)
//   each flow's end      forget(flow)
//
// What is told into Facts borrows from the bytes given and from this object. It is good until the
// next call of `settle`, which the engine makes when it clears the Facts.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "agent/engine/dissect/buffers.hpp"
#include "agent/engine/dissect/dissectors.hpp"
#include "agent/engine/dissect/requests.hpp"
#include "agent/engine/wire/lent.hpp"

namespace vmirror {

/// What became of one protocol's messages, on one carrier.
struct DissectorCounters {
  std::uint64_t messages = 0;  ///< Given to `dissect`, malformed ones and cut ones included.
  std::array<std::uint64_t, static_cast<std::size_t>(Malformed::count_)> malformed{};
  std::uint64_t cut = 0;       ///< Ended early by the mirror's truncation, a gap, or kMaxMessage.
  std::uint64_t flows = 0;     ///< UDP and TCP flows found by a probe.
  std::uint64_t given_up = 0;  ///< TCP flows at its port that turned out to be something else.
  std::uint64_t lost = 0;      ///< Times that a stream's messages were not where they should be.
  std::uint64_t skipped_bytes = 0;    ///< Of streams, in no message: lost, gaps inside a message.
  std::uint64_t buffer_overflow = 0;  ///< Messages dropped for want of a buffer.
  std::uint64_t unread_parts = 0;     ///< Handed down, and none that is selected wanted it.
  std::uint64_t lost_parts = 0;  ///< Of what comes in parts: the beginning or the end is missing.
};

/// One TCP flow's dissecting, kept by the engine next to the flow's reassembly. Plain data; it must
/// be given to `Dissection::close` before it is forgotten.
struct Conversation {
  struct Side {
    std::uint32_t buffer = 0;  ///< Handle of the bytes that wait for more; 0: none.
    std::uint32_t held = 0;    ///< Bytes in it.
    std::uint32_t need = 0;    ///< Size of the message that begins there; 0: not known yet.
    std::uint32_t want = 0;    ///< How much of it is read.
    std::uint32_t skip = 0;    ///< Bytes to come of a message that is done with.
    bool searching = false;    ///< After a gap: only what the probe allows begins a message.
  };
  DissectorId dissector = kNoDissector;
  DissectorId innermost = kNoDissector;  ///< That took a part of it last.
  std::uint8_t failures = 0;             ///< Segments lost since the last message.
  /// Client and server are the other way round: told by who found it, until the engine has turned
  /// the flow.
  bool turned = false;
  std::array<Side, 2> side;  ///< 0: the client's bytes

  /// By whose name the flow goes.
  DissectorId application() const {
    return innermost != kNoDissector && !is_undecided(dissector) ? innermost : dissector;
  }
};

/// One side of a Conversation as a value of its own.
struct SavedMessages {
  std::vector<std::uint8_t> held;  ///< The message, or the payload to probe, that waits for more.
  std::uint32_t need = 0, want = 0, skip = 0;
  bool searching = false;
  bool operator==(const SavedMessages&) const = default;
};

/// What dissectors know of a flow, as a value of its own.
struct SavedMemory {
  /// Of one dissector, by its name and carrier. Without a name: `bytes` is the name of the protocol
  /// that was found at a place inside.
  struct State {
    std::string protocol;
    Carrier carrier = Carrier::stream;
    std::uint64_t key = 0;
    std::vector<std::uint8_t> bytes;
    bool operator==(const State&) const = default;
  };
  /// The same of what came in parts.
  struct Join {
    State of;
    bool to_server = true, cut = false;
    bool operator==(const Join&) const = default;
  };
  std::vector<State> states;
  std::vector<Join> joins;
  bool operator==(const SavedMemory&) const = default;
};

/// A port that was announced, as a value of its own.
struct SavedExpectation {
  IpAddress server;
  std::uint16_t port = 0;
  std::string protocol;
  Carrier carrier = Carrier::stream;
  Time until = 0;
  bool operator==(const SavedExpectation&) const = default;
};

/// How many of each a worker lends.
struct LenderLimits {
  std::size_t requests = Requests::kCapacity;
  std::uint32_t states = 16384;       ///< Of kMaxState bytes each.
  std::uint32_t joins = 1024;         ///< What comes in parts, at once.
  std::uint32_t expectations = 1024;  ///< Ports that were announced.
  KeyedHash hash = KeyedHash();
};

/// Protocols inside another at once: bounds and what they cost.
struct InsideUse {
  std::uint8_t most = 0;
  std::uint64_t refused = 0;  ///< Parts that were too deep.
};

class Dissection {
 public:
  /// Segments without a message after which a flow is given up.
  static constexpr int kMaxFailures = 16;
  /// Protocols one inside the other, besides the outermost.
  static constexpr int kMaxInside = 4;

  /// `dissectors` must outlive this.
  explicit Dissection(const Dissectors& dissectors, BufferLimits buffers = {},
                      LenderLimits lender = {});

  /// Dissects one whole message. `id` may be kNoDissector.
  void message(DissectorId id, Bytes message, Context& context, Facts& facts) {
    if (is_decided(id)) dissect(id, message, context, facts);
  }
  /// A payload of a UDP flow. Probes while the flow is undecided; changes `id` to what became of
  /// it. True: its client and server are the other way round, `context` was turned, and the flow
  /// must be.
  bool datagram(DissectorId& id, Bytes payload, Context& context, Facts& facts) {
    return is_read(id) && datagram_of(id, payload, context, facts);
  }
  /// Who took a part of the last message, innermost; kNoDissector: it handed nothing down.
  DissectorId innermost() const { return innermost_; }

  /// The next bytes of one side of a TCP flow. `context` is of the segment that brought them or
  /// completed what was missing; Context::to_server says the side.
  void feed(Conversation& conversation, Bytes bytes, const Context& context, Facts& facts);
  /// `size` bytes of that side that will never be seen.
  void gap(Conversation& conversation, std::uint32_t size, const Context& context, Facts& facts);
  /// That side begins anew: another connection.
  void restart(Conversation& conversation, const Context& context);
  /// No more bytes come: what waits is read as the last that there is. `context` is of the client.
  void finish(Conversation& conversation, const Context& context, Facts& facts);
  /// Gives back what the conversation holds. A message that is not complete is dropped.
  void close(Conversation& conversation);
  /// A flow ended: forgets what dissectors knew of it.
  void forget(std::uint64_t flow) {
    if (!states_.empty() || !joins_.empty()) forget_flow(flow);
  }

  /// What waits on one side (0: the client's).
  SavedMessages save(const Conversation& conversation, int side);
  /// That side goes on where `saved` was, in place of what it holds. Its dissector must be set. Of
  /// a message that contradicts its own size, or finds no buffer, the rest is passed over.
  void restore(Conversation& conversation, int side, const SavedMessages& saved);
  /// What dissectors know of a flow.
  SavedMemory save_memory(std::uint64_t flow);
  /// They know this of it, too; what they learned of it here already stands.
  void restore_memory(std::uint64_t flow, const SavedMemory& saved);
  /// The ports that were announced of these addresses.
  std::vector<SavedExpectation> save_expectations(std::span<const IpAddress> servers);
  void restore(const SavedExpectation& saved);
  /// Ends the life of what Facts borrowed: with every Facts::clear.
  void settle() { buffers_.settle(); }

  const Dissectors& dissectors() const { return dissectors_; }
  Requests& requests() { return requests_; }
  const Buffers& buffers() const { return buffers_; }
  /// `id` must be decided.
  const DissectorCounters& counters(DissectorId id) const { return counters_[id]; }
  LentUse states() const { return states_.use(); }
  LentUse joins() const { return joins_.use(); }
  LentUse expectations() const { return expectations_.use(); }
  InsideUse inside() const { return inside_; }

 private:
  friend struct Context;
  using Side = Conversation::Side;
  /// What one dissector knows of one flow.
  struct State {
    DissectorId owner = kNoDissector;
    std::uint8_t size = 0;
    alignas(8) std::array<std::uint8_t, kMaxState> bytes{};
  };
  /// What comes in parts.
  struct Join {
    std::uint32_t buffer = 0, held = 0;
    DissectorId owner = kNoDissector;
    bool cut = false;      ///< Longer than kMaxMessage.
    bool dropped = false;  ///< No buffer: the parts to come are passed over.
  };
  /// A port that was announced.
  struct Expected {
    IpAddress server;
    DissectorId id = kNoDissector;
    Time until = 0;
  };
  /// A conversation in the middle of one call.
  struct Call {
    Conversation& conversation;
    Side& side;
    Context& context;
    Facts& facts;
  };
  Outcome dissect(DissectorId id, Bytes message, Context& context, Facts& facts);
  bool datagram_of(DissectorId& id, Bytes payload, Context& context, Facts& facts);
  bool decide(Call& call, Bytes& stream);
  void settle_sides(Call& call, const Found& found);
  void cut_messages(Call& call, Bytes bytes);
  void finish_side(Call& call);
  void read_message(Call& call, Bytes message, std::uint32_t size);
  void follow(Call& call, const Outcome& outcome);
  int tries(Carrier carrier, DissectorId expected, const Context& context) const;
  // -- what Context offers (context.cpp) --
  State* state_of(const Context& context, std::uint64_t key, std::size_t size);
  std::optional<Joined> join(const Context& context, Bytes part, Begins begins, bool last,
                             std::uint64_t key);
  void expect(const Context& context, const IpAddress& server, std::uint16_t port,
              const Dissector& protocol, Time lasts);
  DissectorId expected(Carrier carrier, const Context& context);
  bool hand_down(const Context& context, Place place, Bytes part, Facts& facts, std::uint32_t tag);
  DissectorId choose(Place place, Bytes part, Context& context);
  void forget_flow(std::uint64_t flow);
  bool is_way_back(const Dissector& dissector, const Framing& framing, Bytes stream,
                   const Context& context) const;
  std::size_t begin_message(Call& call, Bytes stream);
  std::size_t continue_message(Call& call, Bytes bytes);
  bool hold(std::uint32_t& buffer, std::uint32_t& held, Bytes bytes, std::uint32_t capacity);
  void unhold(Side& side);
  void overflow(Call& call, std::size_t seen);
  void lose(Call& call, std::size_t skipped);

  const Dissectors& dissectors_;
  Requests requests_;
  Buffers buffers_;
  Lent<State> states_;
  Lent<Join> joins_;
  KeyedHash hash_;
  Lent<Expected> expectations_;  ///< By the keyed hash of the server, in place of a flow.
  DissectorId innermost_ = kNoDissector;
  InsideUse inside_;
  std::vector<DissectorCounters> counters_;  ///< By id.
};

}  // namespace vmirror
