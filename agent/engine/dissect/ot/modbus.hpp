// Modbus/TCP: who reads and writes which registers of a controller, and what the controller is.
#pragma once

#include "agent/engine/dissect/dissector.hpp"

namespace vmirror {

/// One Modbus message: the MBAP header, and the protocol data unit behind the function code.
struct ModbusMessage {
  std::uint16_t transaction_id = 0;
  std::uint8_t unit = 0;
  std::uint8_t function = 0;  ///< Without the exception bit.
  bool exception = false;
  Bytes data;
};

/// `bytes`: one message, MBAP header first. truncated; bad_value: another protocol ID; bad_length:
/// a length that is out of bounds or not that of `bytes`.
Parsed<ModbusMessage> parse_modbus(Bytes bytes);

/// Record `modbus`: type (request | response), transaction_id, unit, function (named as Zeek names
/// them), function_code; address, quantity, value (of a single write), write_address and
/// write_quantity (of READ_WRITE_MULTIPLE_REGISTERS), subfunction (of DIAGNOSTICS), values (how
/// many a message carries), values_missing (that a success lacks of those asked for), mei_type,
/// category and object (of ENCAP_INTERFACE_TRANSPORT), device {vendor_name, ...}, exception. A
/// response whose request was seen has the request's address and quantity, and latency_us.
/// Facts of the server's IP: service (modbus.function_code), and from a device identification
/// vendor, model and firmware (modbus.vendor_name, product_code, model_name, revision).
/// Found on odd ports.
extern const Dissector kModbus;

}  // namespace vmirror
