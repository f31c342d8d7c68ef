// GENISYS: what a control office asks of railway interlockings, and orders them.
#pragma once

#include "agent/engine/dissect/dissector.hpp"

namespace vmirror {

/// The longest message with its escapes, in bytes.
constexpr std::size_t kMostGenisys = 560;

struct GenisysMessage {
  std::uint8_t kind = 0;     ///< The control character.
  std::uint8_t station = 0;  ///< Of the field; 0: all.
  std::size_t words = 0;     ///< Pairs of a word's number and its bits.
  bool has_check = false, checked = false;
};
/// `bytes`: one message, control character to terminator. truncated; bad_value: no control
/// character; bad_length: half a word, or bytes behind the terminator.
Parsed<GenisysMessage> parse_genisys(Bytes bytes);

/// Record `genisys`: header (acknowledge_client, indication_data, control_data_checkback,
/// common_control_data, acknowledge_and_poll, poll, control_data, recall, execute_controls),
/// direction (request: of the office | response), server (the station), words; checksum ("wrong").
/// Facts of who answers: service "genisys". Acts: write (control data and their execution).
/// TCP 10001 and others.
extern const Dissector kGenisys;

}  // namespace vmirror
