// MQTT Version 5.0 and 3.1.1 (OASIS), sections 2.1 (fixed header) and 3 (control packets).
//
//   field[n]: n bytes; text: size[2] and bytes; varint: 7 bits a byte, the top bit: more follow
//
//   all         | type:4 flags:4 | varint: length of the rest | ... |
//   CONNECT     | protocol text | version[1] | flags[1] | alive[2] | properties of 5 | client |
//               | will: properties of 5, topic, message | user | password |
//   CONNACK     | 0:7 session:1 | code[1] | ...
//   PUBLISH     | topic | packet ID[2] of QoS 1 and 2 | properties of 5 | message |
//   SUBSCRIBE   | packet ID[2] | properties of 5 | (topic | options[1])... |
//   SUBACK      | packet ID[2] | properties of 5 | codes |
#include "agent/engine/dissect/ot/mqtt.hpp"

#include "agent/engine/dissect/text.hpp"

namespace vmirror {
namespace mqtt {
namespace {

constexpr int kMaxTopics = 16;
constexpr std::uint8_t kVersion5 = 5;
enum Type : std::uint8_t {
  kConnect = 1,
  kConnack = 2,
  kPublish = 3,
  kPubrel = 6,
  kSubscribe = 8,
  kSuback = 9,
  kUnsubscribe = 10,
  kUnsuback = 11,
  kPingRequest = 12,
  kPingResponse = 13,
};
constexpr Named kPacketNames[] = {{kConnect, "connect"},
                                  {kConnack, "connack"},
                                  {kPublish, "publish"},
                                  {4, "puback"},
                                  {5, "pubrec"},
                                  {kPubrel, "pubrel"},
                                  {7, "pubcomp"},
                                  {kSubscribe, "subscribe"},
                                  {kSuback, "suback"},
                                  {kUnsubscribe, "unsubscribe"},
                                  {kUnsuback, "unsuback"},
                                  {kPingRequest, "pingreq"},
                                  {kPingResponse, "pingresp"},
                                  {14, "disconnect"},
                                  {15, "auth"}};

/// What the two sides agreed on.
struct MqttSession {
  std::uint8_t version = 0;
};

bool flags_fit(std::uint8_t type, std::uint8_t flags) {
  if (type == kPublish) return (flags & 6) != 6;
  return flags == (type == kPubrel || type == kSubscribe || type == kUnsubscribe ? 2 : 0);
}

/// Nothing: more than four bytes, or (the cursor is not ok()) too few are there.
std::optional<std::uint32_t> read_varint(Cursor& cursor) {
  std::uint32_t out = 0;
  for (int shift = 0; shift < 28; shift += 7) {
    const std::uint8_t byte = cursor.u8();
    out |= static_cast<std::uint32_t>(byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) return out;
  }
  return std::nullopt;
}
void skip_properties(Cursor& cursor, std::uint8_t version) {
  if (version != kVersion5) return;
  if (const auto size = read_varint(cursor)) cursor.skip(*size);
}
Bytes read_text(Cursor& cursor) {
  return cursor.take(cursor.u16());
}

bool tell_connect(Cursor cursor, const Context& context, Facts& facts) {
  const std::string_view protocol = text_of(read_text(cursor));
  const std::uint8_t version = cursor.u8(), flags = cursor.u8();
  const std::uint16_t keep_alive = cursor.u16();
  skip_properties(cursor, version);
  const std::string_view client = text_of(read_text(cursor));
  if (!cursor.ok()) return false;
  if (MqttSession* session = context.state<MqttSession>()) session->version = version;
  facts.add("protocol_string", protocol);
  facts.add("protocol_version", version);
  facts.open_object("flags");
  facts.add("username", (flags & 0x80) != 0);
  facts.add("password", (flags & 0x40) != 0);
  facts.add("will", (flags & 4) != 0);
  facts.add("clean_session", (flags & 2) != 0);
  facts.close();
  facts.add("keep_alive", keep_alive);
  facts.add("client_id", client);
  if ((flags & 4) != 0) {
    skip_properties(cursor, version);
    facts.add("will_topic", text_of(read_text(cursor)));
    read_text(cursor);
  }
  if ((flags & 0x80) != 0) facts.add("username", text_of(read_text(cursor)));
  if ((flags & 0x40) != 0) {
    read_text(cursor);
    facts.act(Act::Kind::weak_authentication, context.receiver(), context.sender(),
              "mqtt.connect.password");
  }
  if (!client.empty())
    facts.learn(context.sender(), Attribute::description, client, "mqtt.client_id");
  return cursor.ok();
}

bool tell_publish(const MqttPacket& mqtt, const Context& context, Facts& facts) {
  Cursor cursor(mqtt.body);
  const int qos = mqtt.flags >> 1 & 3;
  facts.add("topic", text_of(read_text(cursor)));
  if (qos > 0) facts.add("message_id", cursor.u16());
  if (!cursor.ok()) return false;
  facts.add("qos", static_cast<unsigned>(qos));
  facts.add("retain", (mqtt.flags & 1) != 0);
  facts.add("dup", (mqtt.flags & 8) != 0);
  facts.add("size", cursor.left());
  if (context.to_server)
    facts.act(Act::Kind::write, context.receiver(), context.sender(), "mqtt.publish");
  return true;
}

bool tell_topics(Cursor cursor, bool with_options, std::uint8_t version, Facts& facts) {
  facts.add("message_id", cursor.u16());
  skip_properties(cursor, version);
  facts.open_array("topics");
  for (int i = 0; !cursor.empty() && cursor.ok(); ++i) {
    const std::string_view topic = text_of(read_text(cursor));
    const std::uint8_t options = with_options ? cursor.u8() : 0;
    if (!cursor.ok() || i >= kMaxTopics) continue;
    facts.open_object("");
    facts.add("topic", topic);
    if (with_options) facts.add("qos", options & 3);
    facts.close();
  }
  facts.close();
  return cursor.ok();
}

bool tell_suback(Cursor cursor, std::uint8_t version, Facts& facts) {
  facts.add("message_id", cursor.u16());
  skip_properties(cursor, version);
  facts.open_array("qos_granted");
  for (int i = 0; !cursor.empty() && i < kMaxTopics; ++i) facts.add("", cursor.u8());
  facts.close();
  return cursor.ok();
}

/// The fields of a packet's object; false: it ends too early.
bool tell_packet(const MqttPacket& mqtt, const Context& context, Facts& facts) {
  const MqttSession* session = context.state<MqttSession>();
  const std::uint8_t version = session ? session->version : std::uint8_t{0};
  Cursor cursor(mqtt.body);
  switch (mqtt.type) {
    case kConnect:
      return tell_connect(cursor, context, facts);
    case kConnack: {
      const std::uint8_t present = cursor.u8(), code = cursor.u8();
      facts.add("session_present", (present & 1) != 0);
      facts.add("return_code", code);
      return cursor.ok();
    }
    case kPublish:
      return tell_publish(mqtt, context, facts);
    case kSubscribe:
    case kUnsubscribe:
      return tell_topics(cursor, mqtt.type == kSubscribe, version, facts);
    case kSuback:
      return tell_suback(cursor, version, facts);
    default:
      if (mqtt.type >= kPingRequest) return true;
      facts.add("message_id", cursor.u16());
      return cursor.ok();
  }
}

bool from_server(std::uint8_t type) {
  return type == kConnack || type == kSuback || type == kUnsuback || type == kPingResponse;
}

Outcome dissect(Bytes bytes, const Context& context, Facts& facts) {
  const auto mqtt = parse_mqtt(bytes);
  if (!mqtt) return mqtt.error();
  facts.record("mqtt");
  facts.open_object(name_of(kPacketNames, mqtt->type));
  const bool whole = tell_packet(*mqtt, context, facts);
  facts.close();
  if (from_server(mqtt->type))
    facts.learn(context.sender(), Attribute::service, "mqtt", "mqtt.type", Confidence::implied);
  return whole ? Malformed::none : Malformed::bad_length;
}

Framing frame(Bytes stream, const Context&) {
  const auto type = static_cast<std::uint8_t>(stream[0] >> 4);
  if (type == 0 || !flags_fit(type, stream[0] & 15)) return Framing::lost();
  Cursor cursor(stream.subspan(1));
  const auto length = read_varint(cursor);
  if (!cursor.ok()) return Framing::more();
  if (!length) return Framing::lost();
  return Framing::message(static_cast<std::uint32_t>(1 + cursor.offset() + *length));
}

/// CONNECT names its protocol. Others are too little elsewhere than at the port.
Probe probe(Bytes stream, const Context& context) {
  if (stream.empty()) return Probe::maybe;
  const Framing framing = frame(stream, context);
  if (framing.status == Framing::Status::lost) return Probe::no;
  if (framing.status == Framing::Status::more) return Probe::maybe;
  const auto type = static_cast<std::uint8_t>(stream[0] >> 4);
  if (type == kConnect) {
    Cursor cursor(stream.subspan(1));
    read_varint(cursor);
    if (cursor.left() < 8) return framing.size < 10 ? Probe::no : Probe::maybe;
    const std::string_view protocol = as_text(read_text(cursor));
    return protocol == "MQTT" || protocol == "MQIsdp" ? Probe::client : Probe::no;
  }
  if (!context.at_own_port) return Probe::no;
  const bool small = type != kPublish && type != kSubscribe && type != kUnsubscribe;
  if (small && framing.size > 512) return Probe::no;
  return from_server(type) ? Probe::server : Probe::yes;
}

constexpr Place kAt[] = {1883};

}  // namespace
}  // namespace mqtt

Parsed<MqttPacket> parse_mqtt(Bytes bytes) {
  Cursor cursor(bytes);
  const std::uint8_t first = cursor.u8();
  MqttPacket out;
  out.type = first >> 4;
  out.flags = first & 15;
  if (bytes.empty()) return bad(Malformed::truncated);
  if (out.type == 0 || !mqtt::flags_fit(out.type, out.flags)) return bad(Malformed::bad_value);
  const auto length = mqtt::read_varint(cursor);
  if (!cursor.ok()) return bad(Malformed::truncated);
  if (!length) return bad(Malformed::bad_length);
  out.body = cursor.take(*length);
  if (!cursor.ok()) return bad(Malformed::truncated);
  if (!cursor.empty()) return bad(Malformed::bad_length);
  return out;
}

const Dissector kMqtt{.name = "mqtt",
                      .carrier = Carrier::stream,
                      .at = mqtt::kAt,
                      .probe = mqtt::probe,
                      .frame = mqtt::frame,
                      .dissect = mqtt::dissect};

}  // namespace vmirror
