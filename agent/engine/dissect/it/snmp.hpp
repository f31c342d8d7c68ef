// SNMP 1, 2c and 3 (RFC 1157, RFC 3416, RFC 3412, RFC 3414): what a device says of itself, and who
// asks and sets.
#pragma once

#include "agent/engine/dissect/dissector.hpp"

namespace vmirror {

/// A message. `pdu` is what is inside, tag 0xa0 (get) to 0xa8 (report).
struct SnmpMessage {
  std::uint8_t version = 0;    ///< 1, 2 (2c) or 3
  std::string_view community;  ///< Versions 1 and 2c.
  std::string_view user;       ///< Version 3, the user-based security model.
  Bytes engine_id;             ///< Version 3: of the authoritative side; empty in a discovery.
  bool authenticated = false, encrypted = false;
  std::uint8_t pdu_type = 0;  ///< 0: encrypted
  Bytes pdu;
};

/// `bytes`: the UDP payload. truncated; bad_value: not of its ASN.1, or of an unknown version;
/// bad_length: something follows.
Parsed<SnmpMessage> parse_snmp(Bytes bytes);

/// Record `snmp`, with Suricata's names: version, community or usm (the user), pdu_type, vars [the
/// OIDs] (64 at most); request_id, error_status of a response, trap_oid or enterprise of a trap,
/// engine_id, encrypted, sys_descr, sys_name, sys_location, sys_object_id (where a response or a
/// trap has them), latency_us.
/// Facts of the sender of a response: service "snmp" (snmp.pdu_type), description (snmp.sys_descr),
/// host_name (snmp.sys_name).
/// Act: write, of a set.
/// Found on odd ports.
extern const Dissector kSnmp;

}  // namespace vmirror
