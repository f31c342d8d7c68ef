// The form of a protocol. A protocol is one source pair, one line in dissectors.cpp, one test, one
// golden capture and one fuzz target; docs/adding-a-protocol.md walks through one.
//
//   carrier    what carries it           how it is found                     what `dissect` is
//   given link       Ethernet, LLC             EtherType, SNAP PID or LLC SAP      the frame's
//   payload network    IP                        protocol number                     the datagram's
//   payload, from
//                                                                            the ICMP, IGMP...
//                                                                            header on
//   datagram   UDP                       port, or probe                      the UDP payload
//   stream     TCP                       port, or probe                      one whole message, as
//   `frame`
//                                                                            cut it from in-order
//                                                                            bytes
//
// All functions are pure: no allocation, no logging, no state but what Context lends; all reading
// goes through a Cursor. What they find goes into Facts.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "agent/model/facts.hpp"
#include "agent/model/frame.hpp"

namespace vmirror {

enum class Carrier : std::uint8_t { link, network, datagram, stream };

/// What was wrong with a message. Counted by protocol and by name.
enum class Malformed : std::uint8_t {
  none,
  truncated,   ///< Ends before its own length says. A copy that the mirror cut is not counted here.
  bad_length,  ///< A length contradicts another.
  bad_value,   ///< A field holds what the protocol forbids.
  bad_checksum,
  too_deep,  ///< Nesting or pointers past the bound.
  count_,
};
const char* to_text(Malformed malformed);

/// A request that waits for its answer.
struct Request {
  Time time = 0;
  std::uint32_t a = 0, b = 0;  ///< The dissector's own: what it needs when the answer comes.
};

/// Requests of all flows of a worker, bounded; the oldest gives way and is counted as unanswered.
class Requests;

/// What a dissector is lent for one call.
struct Context {
  Time time = 0;
  Subject source, destination;  ///< MACs are zero where the link has none.
  std::uint16_t source_port = 0, destination_port = 0;
  std::uint16_t vlan = 0;
  bool to_server = true;  ///< The message goes from the flow's client to its server.
  bool cut = false;       ///< The copy was truncated: the message may end early by no fault.
  std::uint64_t flow = 0;
  Requests* requests = nullptr;  ///< Never null when the engine calls.

  /// Remembers a request of this flow under `key`.
  void ask(std::uint64_t key, std::uint32_t a = 0, std::uint32_t b = 0) const;
  /// Takes the request that this answers, if it was seen.
  std::optional<Request> answer(std::uint64_t key) const;
};

/// How the bytes at the front of a stream are cut.
struct Framing {
  enum class Status : std::uint8_t {
    message,    ///< The first `size` bytes are one message.
    need_more,  ///< Not enough to tell, or the message is longer than what is there (`size` of it).
    lost,       ///< This can't be the protocol: skip the segment, try again at the next one.
  };
  Status status = Status::need_more;
  std::uint32_t size = 0;
};

struct Dissector {
  const char* name;  ///< "modbus": in records, flows, options and counters. Literal.
  Carrier carrier;
  /// EtherTypes (or 0x0000..0x05ff: LLC DSAP), IP protocol numbers, or ports.
  std::span<const std::uint16_t> at;
  /// True only when `first` (a whole payload, or a stream's first bytes) is surely this protocol:
  /// the way to be found on an odd port. Null: only at its own.
  bool (*probe)(Bytes first, const Context& context) = nullptr;
  /// stream only: where the first message of `stream` ends. A message is at most 65,535 bytes.
  Framing (*frame)(Bytes stream) = nullptr;
  /// Reads one message and tells what it says.
  Malformed (*dissect)(Bytes message, const Context& context, Facts& facts);
};

}  // namespace vmirror
