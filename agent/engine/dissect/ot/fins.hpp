// FINS: who reads, writes, runs and stops Omron's controllers.
#pragma once

#include "agent/engine/dissect/dissector.hpp"

namespace vmirror {

/// One FINS frame. Nodes: network, node, unit.
struct FinsFrame {
  bool response = false, wants_response = true;
  std::uint8_t destination[3] = {}, source[3] = {};
  std::uint8_t service_id = 0;
  std::uint16_t command = 0;   ///< Main and sub code: 0x0501.
  std::uint16_t end_code = 0;  ///< response
  Bytes data;
};
/// `bytes`: the frame without TCP's header. It has no length of its own. truncated; bad_value: bits
/// that are reserved.
Parsed<FinsFrame> parse_fins(Bytes bytes);

/// Record `fins`: over TCP tcp_command, tcp_error, client_node, server_node; of a frame type
/// (request | response), command, command_code, source, destination ("0.251.0": network, node,
/// unit), service_id; area, address, bit, count (of memory areas); end_code where it is not 0;
/// model, version (controller data); status, mode (controller status); latency_us.
/// Facts of who answers: service "fins", role "plc", vendor "Omron", model, firmware.
/// Acts: read, write, set_time, start, stop, download. UDP and TCP 9600.
extern const Dissector kFins, kFinsUdp;

}  // namespace vmirror
