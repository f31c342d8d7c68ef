// DCE/RPC over TCP, and inside an SMB pipe: which interfaces are bound, which operations called;
// the endpoint mapper, which announces the ports of others.
#pragma once

#include "agent/engine/dissect/dissector.hpp"

namespace vmirror {

/// One PDU of the connection-oriented protocol.
struct DcerpcPdu {
  std::uint8_t type = 0;  ///< 0 request, 2 response, 11 bind, ...
  bool first = false, last = false, object = false;
  bool little_endian = true;
  std::uint16_t size = 0, authentication_size = 0;
  std::uint32_t call_id = 0;
  std::uint8_t authentication_type = 0, authentication_level = 0;  ///< 0: none; 6: sealed
  Bytes authentication;                                            ///< The trailer's value.
  Bytes body;  ///< Behind the 16 bytes of head, without the authentication and its padding.
};
/// truncated; bad_value: no DCE/RPC; bad_length: a trailer longer than the PDU.
Parsed<DcerpcPdu> parse_dcerpc(Bytes bytes);

/// An interface's name by its UUID as it is sent ("netlogon"); null: it is none of those known.
const char* dcerpc_interface_name(Bytes uuid, bool little_endian);

/// Where a call's data goes down, whole and in clear: by the first field of its interface's UUID.
/// Context::tag is the operation's number.
constexpr Place dcerpc_interface(std::uint32_t uuid_first) {
  return inside("dcerpc.interface", uuid_first);
}

/// Record `dcerpc`, one for each PDU: type, call_id; of a bind or an alter context its interfaces
/// (uuid, name, version, context_id); of their answers result of each; of a call context_id,
/// interface, opnum, stub_size, frag_cnt where it is a part; auth_type and auth_level where there
/// are; of a fault its status; a response also latency_us. Tokens of NTLM and GSS in binds and
/// their answers go down as spnego.hpp says.
/// Facts: service "dcerpc" of who answers.
extern const Dissector kDcerpc;      // stream
extern const Dissector kDcerpcPipe;  // inside smb.pipe, whose tag is the pipe

/// One PDU of the connectionless protocol: a call in datagrams, PROFINET's among them.
struct DcerpcDatagram {
  std::uint8_t type = 0;  ///< 0 request, 2 response, 3 fault, ...
  bool little_endian = true;
  bool fragment = false, last = true;
  std::uint16_t fragment_number = 0, opnum = 0;
  std::uint32_t sequence = 0;
  Bytes object, interface;  ///< UUIDs as they are sent, 16 bytes each.
  Bytes body;
};
/// `bytes`: the UDP payload. truncated; bad_value: no such PDU.
Parsed<DcerpcDatagram> parse_dcerpc_datagram(Bytes bytes);

/// Record `dcerpc`, one for each PDU: type, call_id (the number in the sequence), opnum, interface,
/// stub_size; of a part `part`; of a fault or a reject status.
/// Facts: service "dcerpc" of who answers.
extern const Dissector kDcerpcUdp;

/// Record `epm`, of the endpoint mapper's map: the interface asked for (uuid, name), and of the
/// answer its endpoints (uuid, name, protocol, port, ip). A TCP port in there is expected to be
/// DCE/RPC for an hour.
extern const Dissector kEpm;

}  // namespace vmirror
