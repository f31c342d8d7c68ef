#include "agent/engine/dissect/ot/opcua.hpp"

#include <gtest/gtest.h>

#include "tests/unit/agent/engine/dissect/tables.hpp"

namespace vmirror {
namespace {

using namespace test;

TEST(Opcua, Tells) {
  expect_tells(
      kOpcua, "opcua",
      {
          {"hello",
           "opcua {type: \"HEL\", chunk: \"F\", version: 0, max_message_size: 0, "
           "endpoint_url: \"opc.tcp://plc-7:4840\"}\n"},
          {"acknowledge",
           "opcua {type: \"ACK\", chunk: \"F\", version: 0, max_message_size: 16777216}\n"
           "fact 10.0.0.2 service = \"opcua\" (opcua.type, implied)\n"},
          {"error",
           "opcua {type: \"ERR\", chunk: \"F\", error: 2156003328, reason: \"too busy\"}\n"},
          {"reverse hello",
           "opcua {type: \"RHE\", chunk: \"F\", server_uri: \"urn:plc-7:Example\", "
           "endpoint_url: \"opc.tcp://plc-7:4840\"}\n"},
          {"open",
           "opcua {type: \"OPN\", chunk: \"F\", secure_channel_id: 0, security_policy: "
           "\"None\", security_mode: \"none\", request_id: 1, service: "
           "\"OpenSecureChannel\", direction: \"request\", requested_mode: \"none\"}\n"},
          {"opened",
           "opcua {type: \"OPN\", chunk: \"F\", secure_channel_id: 5, security_policy: "
           "\"None\", security_mode: \"none\", request_id: 1, service: "
           "\"OpenSecureChannel\", direction: \"response\", result: 0}\n"
           "fact 10.0.0.2 service = \"opcua\" (opcua.type, implied)\n"},
          {"open sealed",
           "opcua {type: \"OPN\", chunk: \"F\", secure_channel_id: 0, security_policy: "
           "\"Basic256Sha256\"}\n"},
          {"get endpoints",
           "opcua {type: \"MSG\", chunk: \"F\", secure_channel_id: 5, request_id: 2, "
           "service: \"GetEndpoints\", direction: \"request\"}\n"},
          {"endpoints",
           "opcua {type: \"MSG\", chunk: \"F\", secure_channel_id: 5, request_id: 2, "
           "service: \"GetEndpoints\", direction: \"response\", result: 0, endpoints: "
           "[{endpoint_url: \"opc.tcp://plc-7:4840\", security_mode: "
           "\"sign_and_encrypt\", security_policy: \"Basic256Sha256\", application_uri: "
           "\"urn:plc-7:Example\", product_uri: \"urn:example.com:plc\"}]}\n"
           "fact 10.0.0.2 service = \"opcua\" (opcua.type, implied)\n"
           "fact 10.0.0.2 station_name = \"urn:plc-7:Example\" (opcua.application_uri)\n"
           "fact 10.0.0.2 description = \"urn:example.com:plc\" (opcua.product_uri)\n"},
          {"find servers",
           "opcua {type: \"MSG\", chunk: \"F\", secure_channel_id: 5, request_id: 3, "
           "service: \"FindServers\", direction: \"request\"}\n"},
          {"servers",
           "opcua {type: \"MSG\", chunk: \"F\", secure_channel_id: 5, request_id: 3, "
           "service: \"FindServers\", direction: \"response\", result: 0, applications: "
           "[{application_uri: \"urn:plc-7:Example\", product_uri: "
           "\"urn:example.com:plc\", name: \"Example PLC\", type: \"server\"}]}\n"
           "fact 10.0.0.2 service = \"opcua\" (opcua.type, implied)\n"},
          {"create session",
           "opcua {type: \"MSG\", chunk: \"F\", secure_channel_id: 5, request_id: 4, "
           "service: \"CreateSession\", direction: \"request\", applications: "
           "[{application_uri: \"urn:hmi-3\", product_uri: \"urn:example.com:hmi\", name: "
           "\"HMI\", type: \"client\"}]}\n"},
          {"activate with a password",
           "opcua {type: \"MSG\", chunk: \"F\", secure_channel_id: 5, request_id: 5, "
           "service: \"ActivateSession\", direction: \"request\", user_token_type: "
           "\"user_name\", user: \"operator\"}\n"
           "act 10.0.0.1 weak_authentication 10.0.0.2 (opcua.user_token_type)\n"},
          {"read build info",
           "opcua {type: \"MSG\", chunk: \"F\", secure_channel_id: 5, request_id: 6, "
           "service: \"Read\", direction: \"request\"}\n"
           "act 10.0.0.1 read 10.0.0.2 (opcua.service)\n"},
          {"build info",
           "opcua {type: \"MSG\", chunk: \"F\", secure_channel_id: 5, request_id: 6, "
           "service: \"Read\", direction: \"response\", result: 0, build: {product_uri: "
           "\"urn:example.com:plc\", manufacturer: \"Example\", product_name: \"PLC 7\", "
           "software_version: \"4.2.1\", build_number: \"1701\"}}\n"
           "fact 10.0.0.2 service = \"opcua\" (opcua.type, implied)\n"
           "fact 10.0.0.2 description = \"urn:example.com:plc\" (opcua.build)\n"
           "fact 10.0.0.2 vendor = \"Example\" (opcua.build)\n"
           "fact 10.0.0.2 model = \"PLC 7\" (opcua.build)\n"
           "fact 10.0.0.2 firmware = \"4.2.1\" (opcua.build)\n"},
          {"write",
           "opcua {type: \"MSG\", chunk: \"F\", secure_channel_id: 5, request_id: 7, "
           "service: \"Write\", direction: \"request\"}\n"
           "act 10.0.0.1 write 10.0.0.2 (opcua.service)\n"},
          {"fault",
           "opcua {type: \"MSG\", chunk: \"F\", secure_channel_id: 5, request_id: 7, "
           "service: \"ServiceFault\", direction: \"response\", result: 2150891520}\n"
           "fact 10.0.0.2 service = \"opcua\" (opcua.type, implied)\n"},
          {"first chunk",
           "opcua {type: \"MSG\", chunk: \"C\", secure_channel_id: 5, request_id: 8}\n"
           "fact 10.0.0.2 service = \"opcua\" (opcua.type, implied)\n"},
          {"last chunk",
           "opcua {type: \"MSG\", chunk: \"F\", secure_channel_id: 5}\n"
           "fact 10.0.0.2 service = \"opcua\" (opcua.type, implied)\n"},
          {"abandoned",
           "opcua {type: \"MSG\", chunk: \"A\", secure_channel_id: 5}\n"
           "fact 10.0.0.2 service = \"opcua\" (opcua.type, implied)\n"},
          {"close",
           "opcua {type: \"CLO\", chunk: \"F\", secure_channel_id: 5, request_id: 10, "
           "service: \"CloseSecureChannel\", direction: \"request\"}\n"},
          {"sealed", "opcua {type: \"MSG\", chunk: \"F\", secure_channel_id: 6}\n"},
      });
}

TEST(Opcua, Malformed) {
  expect_malformed(
      kOpcua,
      {
          {"4d5347", "truncated"},
          {"4d534746 08000000", "bad_length"},
          {"41434b46 1d000000 00000000", "truncated"},
          {"4d534846 08000000", "bad_value"},
          {"4d534758 08000000", "bad_value"},
          {"48454c46 08000000 00", "bad_length"},
          {"48454c46 0c000000 00000000", "bad_length"},
          {"48454c4620000000000000000100000001000000000000000000000084030000", "bad_length"},
          {"4d5347461d000000050000000100000002000000020000000100ac0100", "bad_length"},
          {"4d53474638000000050000000100000002000000020000000100af0100005af64cf5d401010000000000000"
           "000ffffffff000000e7030000",
           "bad_length", false},
          {"4f504e4650000000050000002f000000687474703a2f2f6f7063666f756e646174696f6e2e6f72672f55412"
           "f5365637572697479506f6c696379234e6f6e65ffffffffffffffff01000000010000003f",
           "bad_length"},
      });
}

TEST(Opcua, CutAtEveryByte) {
  expect_no_cut_passes(kOpcua, "opcua");
}

}  // namespace
}  // namespace vmirror
