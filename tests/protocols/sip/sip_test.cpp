#include "agent/engine/dissect/it/sip.hpp"

#include <gtest/gtest.h>

#include "tests/unit/agent/engine/dissect/connection.hpp"
#include "tests/unit/agent/engine/dissect/tables.hpp"

namespace vmirror {
namespace {

using namespace test;

TEST(Sip, Tells) {
  expect_tells(
      kSip, "sip",
      {
          {"register",
           "sip {method: \"REGISTER\", uri: \"sip:pbx.example.lan\", version: \"SIP/2.0\", "
           "request_from: \"\\\"Ann\\\" <sip:ann@example.lan>;tag=1\", request_to: "
           "\"<sip:ann@example.lan>\", call_id: \"7@10.0.0.1\", cseq: \"1 REGISTER\", user_agent: "
           "\"phone/4.2\", auth_scheme: \"Digest\"}\n"},
          {"ok",
           "sip {version: \"SIP/2.0\", code: 200, reason: \"OK\", request_from: "
           "\"<sip:ann@example.lan>;tag=1\", request_to: \"<sip:ann@example.lan>;tag=2\", call_id: "
           "\"7@10.0.0.1\", cseq: \"1 REGISTER\", server: \"pbx/18\"}\n"
           "fact 10.0.0.2 service = \"sip\" (sip.code, implied)\n"},
          {"invite",
           "sip {method: \"INVITE\", uri: \"sip:bob@example.lan\", version: \"SIP/2.0\", "
           "request_from: \"<sip:ann@example.lan>;tag=3\", request_to: \"<sip:bob@example.lan>\", "
           "call_id: \"8@10.0.0.1\", cseq: \"2 INVITE\", content_type: \"application/sdp\"}\n"},
          {"basic",
           "sip {method: \"OPTIONS\", uri: \"sip:pbx\", version: \"SIP/2.0\", call_id: \"9\", "
           "auth_scheme: \"Basic\"}\n"
           "act 10.0.0.1 weak_authentication 10.0.0.2 (sip.authorization)\n"},
          {"busy",
           "sip {version: \"SIP/2.0\", code: 486, reason: \"Busy Here\", call_id: \"8@10.0.0.1\"}\n"
           "fact 10.0.0.2 service = \"sip\" (sip.code, implied)\n"},
      });
}

TEST(Sip, Malformed) {
  expect_malformed(kSip, {
                             {"5245474953544552207369703a61", "truncated"},
                             {"474554202f20485454502f312e310d0a0d0a", "bad_value"},
                             {"5349502f322e3020393920610d0a0d0a", "bad_value"},
                             {"5349502f322e3020323030204f4b0d0a6c3a20780d0a0d0a", "bad_value"},
                         });
}

TEST(Sip, OverTcpBodiesArePassedOver) {
  Connection wire(5060, facts_text);
  wire.feed(true, hex("0d0a0d0a"));
  wire.feed(true, payload("sip", "register"));
  wire.feed(true, payload("sip", "invite"));
  wire.out.clear();
  wire.feed(true, payload("sip", "basic"));
  EXPECT_TRUE(wire.out.starts_with("sip {method: \"OPTIONS\"")) << wire.out;
}

TEST(Sip, CutAtEveryByte) {
  expect_no_cut_passes(kSip, "sip", [](const Payload& each, std::size_t size) {
    return each.what == "invite" && size >= each.bytes.size() - 4;  // The body is not read.
  });
}

}  // namespace
}  // namespace vmirror
