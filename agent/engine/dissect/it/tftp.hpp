// TFTP (RFC 1350, RFC 2347): firmware and configurations of small devices.
#pragma once

#include "agent/engine/dissect/dissector.hpp"

namespace vmirror {

struct TftpMessage {
  enum class Type : std::uint8_t { read = 1, write = 2, data = 3, ack = 4, error = 5, options = 6 };
  Type type = Type::read;
  std::string_view file, mode;  ///< read, write
  std::uint16_t block = 0;      ///< data, ack; of an error its code
  std::string_view message;     ///< error
  Bytes options;                ///< name NUL value NUL ...
};
/// `bytes`: the UDP payload. truncated; bad_value: an unknown type, or a mode that is none.
Parsed<TftpMessage> parse_tftp(Bytes bytes);

/// Record `tftp`, with Suricata's names: packet (read, write, error, oack), file, mode, blksize,
/// tsize, error_code, message. Data and its acknowledgements have no record.
/// The server answers from another port: a flow to the client's port is expected for a minute.
/// Acts: read and write, by who asks for the file.
extern const Dissector kTftp;

}  // namespace vmirror
