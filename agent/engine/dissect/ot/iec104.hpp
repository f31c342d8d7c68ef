// IEC 60870-5-104: what a control centre and its stations tell each other, and who commands.
#pragma once

#include "agent/engine/dissect/dissector.hpp"

namespace vmirror {

/// One APDU: the control information, and of an I format the ASDU of IEC 60870-5-101 behind it.
struct Iec104Message {
  enum class Format : std::uint8_t { information, supervisory, unnumbered } format = {};
  std::uint8_t function = 0;  ///< unnumbered: the bit that is set, 0x04 (STARTDT act) to 0x80.
  std::uint16_t send_number = 0, receive_number = 0;
  std::uint8_t type_id = 0;
  bool sequence = false;  ///< One address, and elements of the addresses from there on.
  std::uint8_t objects = 0;
  std::uint8_t cause = 0;  ///< 1..63
  bool negative = false, test = false;
  std::uint8_t originator = 0;
  std::uint16_t common_address = 0;
  Bytes data;  ///< Information objects: address[3], little-endian, and elements.
};

/// `bytes`: one APDU. truncated; bad_value: no start byte, or control information that is none;
/// bad_length: a length that is not that of `bytes`, or of an I format too short for an ASDU.
Parsed<Iec104Message> parse_iec104(Bytes bytes);

/// Record `iec104`: format (i | s | u), function of u ("startdt_act"), send_number, receive_number;
/// of i type ("M_ME_NC_1"), cause, negative, test, originator, common_address, objects, ioa (of the
/// first object); of single, double and step commands value and select.
/// Facts: service "iec104" of the server (iec104.format); role "rtu" of who reports values
/// (iec104.type).
/// Act: write, of a command that is executed, of a clock and of a reset.
/// Found on odd ports.
extern const Dissector kIec104;

}  // namespace vmirror
