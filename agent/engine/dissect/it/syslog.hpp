// Syslog over UDP (RFC 3164, RFC 5424, RFC 5426): what devices report of themselves.
#pragma once

#include "agent/engine/dissect/dissector.hpp"

namespace vmirror {

/// One message. What is not there is empty; all borrow from the packet.
struct SyslogMessage {
  std::uint8_t priority = 0;  ///< facility * 8 + severity
  std::uint8_t version = 0;   ///< 1: RFC 5424's form; 0: RFC 3164's
  std::string_view timestamp, hostname, app_name, process_id, message_id, message;
};
/// `bytes`: the UDP payload. truncated: no end of the priority; bad_value: no priority from 0 to
/// 191.
Parsed<SyslogMessage> parse_syslog(Bytes bytes);

/// Record `syslog`, with Zeek's names where it has them: facility, severity, timestamp, hostname,
/// app_name, process_id, message_id, message (front). A relay sends what others said: no fact comes
/// of the host's name.
extern const Dissector kSyslog;

}  // namespace vmirror
