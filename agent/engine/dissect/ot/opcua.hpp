// OPC UA's binary protocol: who connects to which server how safely, what is read, written and
// called, and what the server is.
#pragma once

#include "agent/engine/dissect/dissector.hpp"

namespace vmirror {

/// One chunk.
struct OpcuaMessage {
  enum class Type : std::uint8_t { hello, acknowledge, error, reverse_hello, open, close, message };
  Type type = Type::message;
  std::uint8_t chunk = 'F';   ///< 'C': more follow, 'F': the last, 'A': the message is abandoned.
  std::uint32_t channel = 0;  ///< open, close, message
  std::uint32_t token = 0;    ///< close, message
  std::string_view security_policy;  ///< open
  bool secured = false;              ///< open: by another policy than None: what follows is sealed.
  std::uint32_t sequence = 0, request_id = 0;  ///< Not of a sealed one.
  Bytes body;  ///< Of the others what is behind size or sequence header.
};
/// `bytes`: one chunk. truncated; bad_value: no OPC UA; bad_length: another size than its own, or a
/// header past the end.
Parsed<OpcuaMessage> parse_opcua(Bytes bytes);

/// Record `opcua`: type (HEL | ACK | ERR | RHE | OPN | CLO | MSG), chunk; version, endpoint_url,
/// server_uri, max_message_size; error, reason; secure_channel_id, security_policy (behind its
/// "#"), request_id; security_mode: none | sign | sign_and_encrypt (of MSG and CLO on a channel
/// that is sealed: by whether a service can be read); requested_mode (of OpenSecureChannel);
/// service, direction (request | response) and result of a message, with its
/// last chunk; latency_us of an answer; applications [{application_uri, product_uri, name, type}]
/// (FindServers, CreateSession), endpoints [{endpoint_url, security_mode, security_policy,
/// application_uri, product_uri}], at most 16; user, user_token_type (ActivateSession); build
/// {product_uri, manufacturer, product_name, software_version, build_number}.
/// Facts of the server: service "opcua", station_name (opcua.application_uri), description
/// (opcua.product_uri), vendor, model, firmware (opcua.build). Acts: read, write (also calls and
/// changes of nodes), weak_authentication (a password that nothing seals).
/// TCP 4840 and others.
extern const Dissector kOpcua;

}  // namespace vmirror
