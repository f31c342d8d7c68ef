// EtherNet/IP: what finds devices of the CIP family, and carries CIP to them.
#pragma once

#include "agent/engine/dissect/dissector.hpp"

namespace vmirror {

/// One message of the encapsulation protocol.
struct EnipMessage {
  std::uint16_t command = 0;
  std::uint32_t session = 0;
  std::uint32_t status = 0;
  std::uint64_t context = 0;  ///< The sender's, which an answer repeats. Many clients send 0.
  Bytes data;
};

/// `bytes`: one message, header first. truncated; bad_value: a command that there is not, or
/// options other than 0; bad_length: bytes behind its end.
Parsed<EnipMessage> parse_enip(Bytes bytes);

/// The identity of a device (CIP Vol 1, 5A-2), as List Identity and the identity object give it.
struct CipIdentity {
  std::uint16_t vendor_id = 0, device_type = 0, product_code = 0, status = 0;
  std::uint8_t major = 0, minor = 0;  ///< Revision.
  std::uint32_t serial = 0;
  std::string_view product_name;
};
/// Vendor ID to product name; leaves the cursor behind them. Not ok(): truncated.
CipIdentity read_identity(Cursor& cursor);
/// Object `identity` with vendor_id, device_type, product_code, revision, status, serial,
/// product_name: the attributes 1 to 7 of the identity object, or this one alone.
void tell_identity(const CipIdentity& identity, Facts& facts,
                   std::optional<std::uint32_t> attribute = {});
/// Facts of `subject`: vendor, model, role, firmware, serial_number, read from `source`.
void learn_identity(const CipIdentity& identity, const Subject& subject, const char* source,
                    Facts& facts);

/// Where CIP's messages go down. The tag is the message's number in its session: 0x80000000 and the
/// sequence of a connection, or 31 bits of the sender's context.
constexpr Place kEnipCip = inside("enip.cip");

/// Record `enip`: type (request | response), command, session, status where it is not 0; of a
/// session protocol_version; of List Identity identity {vendor_id, ...} and state; of List Services
/// services [{name, version, flags}]; of data connection_id and sequence.
/// Facts of who answers: service "enip", and of List Identity vendor, model, role, firmware,
/// serial_number. TCP and UDP 44818.
extern const Dissector kEnip, kEnipUdp;

/// Record `cip_io`, implicit I/O on UDP: connection_id, sequence, size. Found on UDP 2222 and where
/// a Forward Open announced it.
extern const Dissector kCipIo;

}  // namespace vmirror
