// MQTT 3.1, 3.1.1 and 5: who publishes and subscribes which topics.
#pragma once

#include "agent/engine/dissect/dissector.hpp"

namespace vmirror {

/// One control packet.
struct MqttPacket {
  std::uint8_t type = 0;   ///< 1: CONNECT, ..., 15: AUTH
  std::uint8_t flags = 0;  ///< Of PUBLISH: DUP, QoS, RETAIN.
  Bytes body;
};
/// `bytes`: one packet. truncated; bad_value: a type or flags that there are not; bad_length: bytes
/// behind its end, or a length of more than four bytes.
Parsed<MqttPacket> parse_mqtt(Bytes bytes);

/// Record `mqtt`: one object by the packet's name, with Suricata's names: connect {protocol_string,
/// protocol_version, flags {username, password, will, clean_session}, keep_alive, client_id,
/// will_topic, username}, connack {session_present, return_code}, publish {topic, message_id, qos,
/// retain, dup, size}, subscribe and unsubscribe {message_id, topics [{topic, qos}]} (at most 16),
/// suback {message_id, qos_granted}, others {message_id}. Passwords and messages are not told.
/// Facts: service "mqtt" of the broker, description of a client (mqtt.client_id).
/// Acts: write (publish), weak_authentication (a password in clear). TCP 1883 and others.
extern const Dissector kMqtt;

}  // namespace vmirror
