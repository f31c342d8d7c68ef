// GOOSE: the events that protection relays and controllers of a substation publish on their link.
#pragma once

#include "agent/engine/dissect/dissector.hpp"

namespace vmirror {

struct GooseMessage {
  std::uint16_t app_id = 0;
  bool simulated = false;  ///< The reserved field's bit S, or the field `simulation`.
  std::string_view control_block, data_set, id;
  std::uint32_t time_allowed_ms = 0;
  Time event_time = 0;  ///< Of the last change of state; nanoseconds since 1970.
  std::uint8_t quality =
      0;  ///< Of that time: 0x80 leap seconds known, 0x40 failure, 0x20 not synchronised.
  std::uint32_t state = 0, sequence = 0, revision = 0, entries = 0;
  bool needs_commissioning = false;
};

/// `bytes`: the frame behind the EtherType. truncated; bad_length: longer than its length says;
/// bad_value: no GOOSE PDU, or a number that is none.
Parsed<GooseMessage> parse_goose(Bytes bytes);

/// Record `goose`: appid, gocb_ref, dat_set, go_id, time_allowed_ms, t_us, st_num, sq_num,
/// conf_rev, entries; simulation, nds_com where they are set; lost: messages of this control block
/// between the one before and this; restarted: true where its numbers began anew.
/// Facts: service "goose" of the sender's MAC. A control block is one of the `states`.
extern const Dissector kGoose;

}  // namespace vmirror
