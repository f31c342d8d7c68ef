// HART-IP: who asks which field instrument for what, and what the instrument is.
#pragma once

#include "agent/engine/dissect/dissector.hpp"

namespace vmirror {

/// One HART-IP message.
struct HartIpMessage {
  std::uint8_t version = 0, type = 0, id = 0, status = 0;
  std::uint16_t transaction_id = 0;
  Bytes body;
};
/// `bytes`: one message. truncated; bad_value: a version, type or ID that there is not; bad_length:
/// another length than its own.
Parsed<HartIpMessage> parse_hart_ip(Bytes bytes);

/// A HART frame in it (token-passing PDU).
struct HartFrame {
  enum Kind : std::uint8_t { kBurst = 1, kRequest = 2, kResponse = 6 };
  std::uint8_t kind = kRequest;
  Bytes address;  ///< One byte: a polling address; five: a unique one.
  std::uint8_t command = 0;
  std::uint8_t response_code = 0, device_status = 0;  ///< burst, response
  Bytes data;
};
/// bad_length: shorter than it says, or bytes behind its check; bad_value: no kind of frame, or a
/// wrong check.
Parsed<HartFrame> parse_hart(Bytes bytes);

/// Record `hart_ip`: version, message_type, message_id, status, transaction_id; host_type and
/// inactivity_ms (of a session); frame, address, command, command_name, response_code,
/// device_status; device {manufacturer_id, device_type, device_id, hart_revision, device_revision,
/// software_revision, hardware_revision}, tag, latency_us.
/// Facts of who answers: service "hart_ip", serial_number (its device ID), firmware, hardware,
/// station_name (long tag). Acts: read, write, stop (a reset). TCP and UDP 5094.
extern const Dissector kHartIp, kHartIpUdp;

}  // namespace vmirror
