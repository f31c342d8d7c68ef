// CIP, the Common Industrial Protocol: who reads, writes, resets and programs which object of a
// controller, and what the controller is.
#pragma once

#include "agent/engine/dissect/dissector.hpp"

namespace vmirror {

/// What a path names (CIP Vol 1, appendix C). Nothing: it does not say.
struct CipPath {
  std::optional<std::uint32_t> class_id, instance, attribute, connection_point;
  std::optional<std::uint8_t> slot;  ///< The last port segment to a backplane.
  std::string_view symbol;           ///< The first name of a tag; empty: none.
};
/// truncated: a segment is longer than the path; bad_value: a segment that there is not.
Parsed<CipPath> parse_cip_path(Bytes path);

/// One message of the message router.
struct CipMessage {
  std::uint8_t service = 0;  ///< Without the bit of responses.
  bool response = false;
  CipPath path;                                  ///< request
  std::uint8_t status = 0;                       ///< response: the general status
  std::optional<std::uint16_t> extended_status;  ///< response: the first of its words
  Bytes data;
};
/// `bytes`: service first. truncated; bad_value: a path that can't be read.
Parsed<CipMessage> parse_cip(Bytes bytes);

/// Record `cip`: type (request | response), service, class, class_id, instance, attribute,
/// connection_point, symbol, slot; of a response status and extended_status; services: how many a
/// Multiple Service Packet has, each with a record of its own, as the message that an Unconnected
/// Send routes has. A response whose request was seen has the request's class, instance, attribute
/// and slot, and latency_us. Of Forward Open and its answer connection_serial, o_t_connection_id,
/// t_o_connection_id, o_t_rpi_us, t_o_rpi_us, and transport_class; of the identity object identity.
/// Facts of who answers, or of the slot behind it: vendor, model, role, firmware, serial_number
/// (cip.identity). Acts: read, write, set_time, start, stop (a reset, too, stops), download.
/// A Forward Open of class 0 or 1 announces the I/O flow.
extern const Dissector kCip;

}  // namespace vmirror
