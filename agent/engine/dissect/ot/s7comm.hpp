// S7comm: what engineering stations and HMIs read, write and order of Siemens S7-300 and S7-400
// (and of an S7-1200 or 1500 that allows it), and what the controller is.
#pragma once

#include "agent/engine/dissect/dissector.hpp"

namespace vmirror {

struct S7Message {
  enum Kind : std::uint8_t { kJob = 1, kAck = 2, kAckData = 3, kUserData = 7 };
  std::uint8_t kind = kJob;                      ///< ROSCTR
  std::uint16_t reference = 0;                   ///< An answer has its question's.
  std::uint8_t error_class = 0, error_code = 0;  ///< Of kAck and kAckData.
  Bytes parameter;
  Bytes data;
};

/// `bytes`: what COTP carried. truncated; bad_value: no S7comm, or a kind that there is not;
/// bad_length: bytes behind its end.
Parsed<S7Message> parse_s7comm(Bytes bytes);

/// Record `s7comm`: rosctr, pdu_ref, function; error_class and error_code where they are not 0; by
/// function: of a setup pdu_length, max_amq_caller, max_amq_callee; of reads and writes item_count
/// and up to 20 items (area, db, address, bit, transport, length); of a PI service its name; of an
/// upload or download the block; of user data type, group, subfunction, and of a system status list
/// szl_id and szl_index; an answer also latency_us.
/// Facts: service "s7comm" and role "plc" of who answers; of the list 0x0011 order_number,
/// hardware, firmware; of 0x001c station_name, model, serial_number, description, vendor.
/// Acts: read, write, set_time, start, stop, download, by who asks on who answers.
extern const Dissector kS7comm;

}  // namespace vmirror
