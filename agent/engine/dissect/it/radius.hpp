// RADIUS (RFC 2865, 2866, 5176): who is let into a network by which device.
#pragma once

#include "agent/engine/dissect/dissector.hpp"

namespace vmirror {

struct RadiusMessage {
  std::uint8_t code = 0, id = 0;
  Bytes attributes;
};
/// `bytes`: the UDP payload. truncated; bad_length: attributes that do not fill the message;
/// bad_value: an unknown code.
Parsed<RadiusMessage> parse_radius(Bytes bytes);

/// Record `radius`: code, identifier, and as they are there (front) username, method (pap | chap |
/// mschap | mschapv2 | eap: what proves who it is), nas_ip, nas_identifier, nas_port_id,
/// called_station_id, calling_station_id, framed_ip, reply_message, filter_id, acct_status,
/// acct_session_id; of an answer latency_us. Secrets are not told.
/// Facts: service "radius" of who answers. Acts: weak_authentication by PAP, CHAP and MS-CHAP 1.
extern const Dissector kRadius;

}  // namespace vmirror
