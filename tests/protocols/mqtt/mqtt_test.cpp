#include "agent/engine/dissect/ot/mqtt.hpp"

#include <gtest/gtest.h>

#include "tests/unit/agent/engine/dissect/tables.hpp"

namespace vmirror {
namespace {

using namespace test;

TEST(Mqtt, Tells) {
  expect_tells(
      kMqtt, "mqtt",
      {
          {"connect",
           "mqtt {connect: {protocol_string: \"MQTT\", protocol_version: 4, flags: "
           "{username: true, password: true, will: true, clean_session: true}, "
           "keep_alive: 60, client_id: \"pump-7\", will_topic: \"plant/pump7/state\", "
           "username: \"operator\"}}\n"
           "fact 10.0.0.1 description = \"pump-7\" (mqtt.client_id)\n"
           "act 10.0.0.1 weak_authentication 10.0.0.2 (mqtt.connect.password)\n"},
          {"connack",
           "mqtt {connack: {session_present: false, return_code: 0}}\n"
           "fact 10.0.0.2 service = \"mqtt\" (mqtt.type, implied)\n"},
          {"connect, version 5",
           "mqtt {connect: {protocol_string: \"MQTT\", protocol_version: 5, flags: "
           "{username: false, password: false, will: false, clean_session: true}, "
           "keep_alive: 30, client_id: \"\"}}\n"},
          {"connect, version 3.1",
           "mqtt {connect: {protocol_string: \"MQIsdp\", protocol_version: 3, flags: "
           "{username: false, password: false, will: false, clean_session: true}, "
           "keep_alive: 30, client_id: \"old\"}}\n"
           "fact 10.0.0.1 description = \"old\" (mqtt.client_id)\n"},
          {"subscribe",
           "mqtt {subscribe: {message_id: 1, topics: [{topic: \"plant/+/state\", qos: 1}, "
           "{topic: \"alarms/#\", qos: 0}]}}\n"},
          {"suback",
           "mqtt {suback: {message_id: 1, qos_granted: [1, 0]}}\n"
           "fact 10.0.0.2 service = \"mqtt\" (mqtt.type, implied)\n"},
          {"publish",
           "mqtt {publish: {topic: \"plant/pump7/rpm\", qos: 0, retain: false, dup: "
           "false, size: 4}}\n"
           "act 10.0.0.1 write 10.0.0.2 (mqtt.publish)\n"},
          {"publish, once",
           "mqtt {publish: {topic: \"plant/pump7/set\", message_id: 9, qos: 2, retain: "
           "true, dup: false, size: 2}}\n"},
          {"pubrec", "mqtt {pubrec: {message_id: 9}}\n"},
          {"pubrel", "mqtt {pubrel: {message_id: 9}}\n"},
          {"pubcomp", "mqtt {pubcomp: {message_id: 9}}\n"},
          {"unsubscribe", "mqtt {unsubscribe: {message_id: 2, topics: [{topic: \"alarms/#\"}]}}\n"},
          {"unsuback",
           "mqtt {unsuback: {message_id: 2}}\n"
           "fact 10.0.0.2 service = \"mqtt\" (mqtt.type, implied)\n"},
          {"ping", "mqtt {pingreq: {}}\n"},
          {"pong",
           "mqtt {pingresp: {}}\n"
           "fact 10.0.0.2 service = \"mqtt\" (mqtt.type, implied)\n"},
          {"disconnect", "mqtt {disconnect: {}}\n"},
      });
}

TEST(Mqtt, Malformed) {
  expect_malformed(kMqtt, {
                              {"10", "truncated"},
                              {"00 00", "bad_value"},
                              {"c1 00", "bad_value"},
                              {"36 02 0000", "bad_value"},
                              {"c0 ffffffff", "bad_length"},
                              {"c0 00 00", "bad_length"},
                              {"10 03 0004", "truncated"},
                              {"10 02 0004", "bad_length"},
                              {"20 01 00", "bad_length"},
                              {"30 02 0009", "bad_length"},
                              {"82 03 0001 00", "bad_length"},
                              {"40 01 00", "bad_length"},
                          });
}

TEST(Mqtt, CutAtEveryByte) {
  expect_no_cut_passes(kMqtt, "mqtt");
}

}  // namespace
}  // namespace vmirror
