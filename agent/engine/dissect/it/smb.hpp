// SMB 2 and 3 over TCP: shares, files and pipes; the pipes' DCE/RPC goes down.
#pragma once

#include "agent/engine/dissect/dissector.hpp"

namespace vmirror {

/// One message of SMB 2, of which a segment may chain several.
struct SmbMessage {
  std::uint16_t command = 0;
  std::uint32_t status = 0;  ///< Of a response.
  std::uint32_t flags = 0;
  std::uint32_t next = 0;  ///< Offset of the next one; 0: the last.
  std::uint64_t message_id = 0;
  std::uint32_t tree_id = 0;  ///< 0 in an asynchronous message.
  std::uint64_t session_id = 0;
  Bytes bytes;  ///< From its head on: offsets count from there.
  bool is_response() const { return (flags & 1) != 0; }
};
/// The message at the front. truncated; bad_value: no SMB 2.
Parsed<SmbMessage> parse_smb(Bytes bytes);

/// Where what is written to and read from a pipe goes down. Context::tag is the pipe, 16 bits.
constexpr Place kSmbPipe = inside("smb.pipe");

/// Record `smb`, one for each message: dialect "2" (or "1": command alone; "encrypted": nothing),
/// command, message_id, session_id, tree_id; of a response status where it is not 0, and
/// latency_us; share of a tree connect, filename of a create, dialect_revision and server_guid of a
/// negotiation.
/// Facts: service "smb" of who answers. Acts: weak_authentication to a server that speaks
/// SMB 1, refused_authentication.
/// SMB 1 is told apart and counted; what is in it is not read, nor are its pipes. The tokens of
/// session setups, also of SMB 1, and of negotiations go down as spnego.hpp says.
extern const Dissector kSmb;

}  // namespace vmirror
