// S7comm-plus: what TIA Portal speaks with an S7-1200 or 1500. Its layout is not published; what is
// told is what its header says in every version.
#pragma once

#include "agent/engine/dissect/dissector.hpp"

namespace vmirror {

struct S7PlusMessage {
  std::uint8_t version = 0;  ///< 1, 2, 3; 0xfe: system events
  std::uint8_t opcode = 0;   ///< 0: a part of a longer one, or none
  std::uint16_t function = 0, sequence = 0;
};

/// `bytes`: what COTP carried. truncated; bad_value: no S7comm-plus; bad_length: longer than it is.
Parsed<S7PlusMessage> parse_s7comm_plus(Bytes bytes);

/// Record `s7comm_plus`: version, and opcode, function, sequence where the message begins there; an
/// answer also latency_us. Facts: service "s7comm_plus" of who answers.
extern const Dissector kS7commPlus;

}  // namespace vmirror
