// One worker's dissecting: the selection's dissectors applied to messages, to flows whose protocol
// is still to be found, and to the in-order bytes of TCP flows, which it cuts into messages. Owns
// what dissectors remember and all counters. Bounded; no allocation after construction.
//
//   frame on a link      message(dissectors.for_link(packet), packet.network_of(frame), ...)
//   IP, not TCP or UDP   message(dissectors.for_network(protocol), transport_of(packet, frame),
//   ...) UDP                  new flow: flow.dissector = dissectors.for_datagram(client, server)
//                        each:     datagram(flow.dissector, payload, ...)
//   TCP                  new flow: id = dissectors.for_stream(client, server); where it is not
//                                  kNoDissector the flow gets a stream: conversation.dissector = id
//                        each piece of the reassembler: feed, gap or restart
//                        conversation.dissector is kNoDissector: the flow needs its stream no more
//                        the flow's end: close(conversation)
//
// What is told into Facts borrows from the bytes given and from this object. It is good until the
// next call of `settle`, which the engine makes when it clears the Facts.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "agent/engine/dissect/buffers.hpp"
#include "agent/engine/dissect/dissectors.hpp"
#include "agent/engine/dissect/requests.hpp"

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
};

/// One TCP flow's dissecting, kept by the engine next to the flow's reassembly. Plain data; it must
/// be given to `Dissection::close` before it is forgotten.
struct Conversation {
  struct Side {
    std::uint32_t buffer = 0;  ///< Handle of the bytes that wait for more; 0: none.
    std::uint32_t held = 0;    ///< Bytes in it.
    std::uint32_t need = 0;    ///< Size of the message that begins there; 0: not known yet.
    std::uint32_t skip = 0;    ///< Bytes to come of a message that is done with.
    bool searching = false;    ///< After a gap: only what the probe allows begins a message.
  };
  DissectorId dissector = kNoDissector;
  std::uint8_t failures = 0;  ///< Segments lost since the last message.
  std::array<Side, 2> side;   ///< 0: the client's bytes
};

/// One side of a Conversation as a value of its own.
struct SavedMessages {
  std::vector<std::uint8_t> held;  ///< The message, or the payload to probe, that waits for more.
  std::uint32_t need = 0, skip = 0;
  bool searching = false;
  bool operator==(const SavedMessages&) const = default;
};

class Dissection {
 public:
  /// Segments without a message after which a flow is given up.
  static constexpr int kMaxFailures = 16;

  /// `dissectors` must outlive this.
  explicit Dissection(const Dissectors& dissectors, BufferLimits buffers = {},
                      std::size_t pending_requests = Requests::kCapacity);

  /// Dissects one whole message. `id` may be kNoDissector.
  void message(DissectorId id, Bytes message, const Context& context, Facts& facts) {
    if (is_decided(id)) dissect(id, message, context, facts);
  }
  /// A payload of a UDP flow. Probes while the flow is undecided; changes `id` to what it found.
  void datagram(DissectorId& id, Bytes payload, const Context& context, Facts& facts) {
    if (id != kNoDissector) datagram_of(id, payload, context, facts);
  }

  /// The next bytes of one side of a TCP flow. `context` is of the segment that brought them or
  /// completed what was missing; Context::to_server says the side.
  void feed(Conversation& conversation, Bytes bytes, const Context& context, Facts& facts);
  /// `size` bytes of that side that will never be seen.
  void gap(Conversation& conversation, std::uint32_t size, const Context& context, Facts& facts);
  /// That side begins anew: another connection.
  void restart(Conversation& conversation, const Context& context);
  /// Gives back what the conversation holds. A message that is not complete is dropped.
  void close(Conversation& conversation);

  /// What waits on one side (0: the client's).
  SavedMessages save(const Conversation& conversation, int side);
  /// That side goes on where `saved` was, in place of what it holds. Its dissector must be set. Of
  /// a message that contradicts its own size, or finds no buffer, the rest is passed over.
  void restore(Conversation& conversation, int side, const SavedMessages& saved);
  /// Ends the life of what Facts borrowed: with every Facts::clear.
  void settle() { buffers_.settle(); }

  const Dissectors& dissectors() const { return dissectors_; }
  Requests& requests() { return requests_; }
  const Buffers& buffers() const { return buffers_; }
  /// `id` must be decided.
  const DissectorCounters& counters(DissectorId id) const { return counters_[id]; }

 private:
  using Side = Conversation::Side;
  /// A conversation in the middle of one call.
  struct Call {
    Conversation& conversation;
    Side& side;
    const Context& context;
    Facts& facts;
  };
  void dissect(DissectorId id, Bytes message, const Context& context, Facts& facts);
  void datagram_of(DissectorId& id, Bytes payload, const Context& context, Facts& facts);
  Context oriented(DissectorId id, const Context& context) const;
  bool decide(Call& call, Bytes& stream);
  bool is_way_back(const Dissector& dissector, const Framing& framing, Bytes stream,
                   const Context& context) const;
  std::size_t begin_message(Call& call, Bytes stream);
  std::size_t continue_message(Call& call, Bytes bytes);
  bool hold(Side& side, Bytes bytes, std::uint32_t capacity);
  void unhold(Side& side);
  void overflow(Call& call, std::size_t seen);
  void lose(Call& call, std::size_t skipped);

  const Dissectors& dissectors_;
  Requests requests_;
  Buffers buffers_;
  std::vector<DissectorCounters> counters_;  ///< By id.
};

}  // namespace vmirror
