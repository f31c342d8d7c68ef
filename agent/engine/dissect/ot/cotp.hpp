// COTP over TPKT: what carries S7comm, S7comm-plus, MMS and RDP on TCP.
#pragma once

#include "agent/engine/dissect/dissector.hpp"

namespace vmirror {

/// One TPDU of class 0 in its TPKT.
struct CotpMessage {
  enum class Type : std::uint8_t {
    expedited_data = 0x1,
    reject = 0x5,
    error = 0x7,
    disconnect_request = 0x8,
    disconnect_confirm = 0xc,
    connect_confirm = 0xd,
    connect_request = 0xe,
    data = 0xf,
  };
  Type type = Type::data;
  bool end = true;  ///< data: no part of it follows.
  std::uint16_t source_reference = 0, destination_reference = 0;
  std::uint8_t reason = 0;          ///< disconnect_request, error
  std::uint32_t tpdu_size = 0;      ///< bytes; 0: not said
  Bytes calling_tsap, called_tsap;  ///< Empty: not said.
  Bytes parameters;  ///< Connecting: the variable part; RDP has a form of its own there.
  Bytes data;        ///< Behind the header.
};

/// `bytes`: a TPKT. truncated; bad_length: a header longer than its TPKT; bad_value: no TPKT, or a
/// type that class 0 does not have.
Parsed<CotpMessage> parse_cotp(Bytes bytes);

/// Where the data of a connection goes down, put together.
constexpr Place kCotpData = inside("cotp.data");

/// Record `cotp`, for connecting and disconnecting: type, source_reference, destination_reference,
/// tpdu_size, calling_tsap, called_tsap, reason. Data has no record: it is what is inside.
/// RDP, which begins with the same TPDUs, is a protocol of its own: it/rdp.hpp.
extern const Dissector kCotp;

}  // namespace vmirror
