// FTP (RFC 959, RFC 2428, RFC 4217): who fetches and stores which files.
#pragma once

#include <optional>

#include "agent/engine/dissect/dissector.hpp"

namespace vmirror {

/// A command, or a reply with all its lines.
struct FtpMessage {
  bool is_reply = false;
  std::string_view command, argument;  ///< Of a command, as it was written.
  std::uint16_t code = 0;              ///< Of a reply.
  std::string_view text;               ///< Of a reply: the first line's.
};
/// truncated: no end of the line, or of the reply; bad_value: neither.
Parsed<FtpMessage> parse_ftp(Bytes bytes);

/// Record `ftp`, with Suricata's names: command and command_data (of PASS and ACCT: nothing), or
/// completion_code and reply (its first line); dynamic_port and mode (active, passive) where a
/// connection for data is announced; latency_us.
/// Connections for data are expected for a minute and go by the name ftp_data. After an accepted
/// AUTH the flow becomes TLS.
/// Facts: service "ftp" of who replies. Acts: weak_authentication of a password in clear; read of
/// RETR; write of STOR, STOU, APPE, DELE, RNTO, RMD and MKD.
extern const Dissector kFtp;
/// A connection for data, where it was announced or comes from port 20. No record is claimed.
extern const Dissector kFtpData;

}  // namespace vmirror
