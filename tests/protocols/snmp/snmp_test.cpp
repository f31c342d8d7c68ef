#include "agent/engine/dissect/it/snmp.hpp"

#include <gtest/gtest.h>

#include "tests/unit/agent/engine/dissect/told.hpp"

namespace vmirror {
namespace {

using namespace test;

TEST(Snmp, Tells) {
  const struct {
    const char* what;
    bool to_server;
    const char* told;
  } cases[] = {
      {"get", true,
       "snmp {version: 2, community: \"public\", pdu_type: \"get_request\", "
       "request_id: 7001, vars: [\"1.3.6.1.2.1.1.1.0\", \"1.3.6.1.2.1.1.5.0\", "
       "\"1.3.6.1.2.1.1.2.0\"]}\n"},
      {"response", false,
       "snmp {version: 2, community: \"public\", pdu_type: \"response\", request_id: "
       "7001, vars: [\"1.3.6.1.2.1.1.1.0\", \"1.3.6.1.2.1.1.5.0\", "
       "\"1.3.6.1.2.1.1.2.0\"], sys_descr: \"Example RTU 500, firmware 12.7\", "
       "sys_object_id: \"1.3.6.1.4.1.8072.3.2.10\", sys_name: \"rtu-7\"}\n"
       "fact 10.0.0.2 service = \"snmp\" (snmp.pdu_type, implied)\n"
       "fact 10.0.0.2 description = \"Example RTU 500, firmware 12.7\" "
       "(snmp.sys_descr)\n"
       "fact 10.0.0.2 host_name = \"rtu-7\" (snmp.sys_name)\n"},
      {"set", true,
       "snmp {version: 1, community: \"private\", pdu_type: \"set_request\", "
       "request_id: 7002, vars: [\"1.3.6.1.2.1.1.6.0\"]}\n"
       "act 10.0.0.1 write 10.0.0.2 (snmp.pdu_type)\n"},
      {"error", false,
       "snmp {version: 1, community: \"private\", pdu_type: \"response\", request_id: "
       "7002, error_status: \"no_such_name\", vars: [\"1.3.6.1.2.1.1.6.0\"]}\n"
       "fact 10.0.0.2 service = \"snmp\" (snmp.pdu_type, implied)\n"},
      {"trap, version 1", true,
       "snmp {version: 1, community: \"public\", pdu_type: \"trap_v1\", enterprise: "
       "\"1.3.6.1.4.1.8072.3.2.10\", generic_trap: 6, specific_trap: 17, vars: "
       "[\"1.3.6.1.2.1.2.2.1.1.2\"]}\n"},
      {"trap", true,
       "snmp {version: 2, community: \"public\", pdu_type: \"trap_v2\", request_id: "
       "7003, vars: [\"1.3.6.1.2.1.1.3.0\", \"1.3.6.1.6.3.1.1.4.1.0\"], trap_oid: "
       "\"1.3.6.1.6.3.1.1.5.3\"}\n"},
      {"discovery", true,
       "snmp {version: 3, authenticated: false, encrypted: false, pdu_type: "
       "\"get_request\", request_id: 7004, vars: []}\n"},
      {"report", false,
       "snmp {version: 3, engine_id: <80001f8880aabbccdd>, authenticated: false, "
       "encrypted: false, pdu_type: \"report\", request_id: 7004, vars: "
       "[\"1.3.6.1.6.3.15.1.1.4.0\"]}\n"
       "fact 10.0.0.2 service = \"snmp\" (snmp.pdu_type, implied)\n"},
      {"encrypted", true,
       "snmp {version: 3, usm: \"operator\", engine_id: <80001f8880aabbccdd>, "
       "authenticated: true, encrypted: true}\n"},
  };
  for (const auto& c : cases)
    EXPECT_EQ(told(kSnmp, payload("snmp", c.what), context_of(c.to_server)), c.told) << c.what;
}

TEST(Snmp, Malformed) {
  const struct {
    const char *bytes, *name;
  } cases[] = {
      {"30", "truncated"},
      {"30 05 02 01 01", "truncated"},
      {"31 03 02 01 01", "bad_value"},
      {"30 03 02 01 02", "bad_value"},
      {"30 03 02 01 01 00", "bad_length"},
      {"30 0a 02 01 01 04 01 61 a0 02 02 00", "bad_value"},
  };
  for (const auto& c : cases) {
    const std::string out = told(kSnmp, hex(c.bytes), context_of());
    EXPECT_NE(out.find(std::string("malformed ") + c.name), std::string::npos)
        << c.bytes << ": " << out;
  }
}

TEST(Snmp, AResponseIsMatchedWithItsRequest) {
  Dissection dissection(all_dissectors());
  Context ask = context_of(true, kSecond), answer = context_of(false, kSecond + 400'000);
  ask.engine = answer.engine = &dissection;
  told(kSnmp, payload("snmp", "get"), ask);
  EXPECT_NE(told(kSnmp, payload("snmp", "response"), answer).find("latency_us: 400"),
            std::string::npos);
}

TEST(Snmp, ALongIdentifierIsNotTold) {
  // 60 numbers of 10 digits each would be longer than any text.
  Writer numbers;
  numbers.u8(0x2b);
  for (int i = 0; i < 60; ++i) numbers.bytes(hex("8f ff ff ff 7f"));
  const Buffer oid = numbers.take();
  const auto with_size = [](std::uint8_t tag, const Buffer& value) {
    return concat({Writer().u8(tag).u8(0x82).u16(value.size()).take(), value});
  };
  const Buffer variable = with_size(0x30, concat({with_size(6, oid), hex("0500")}));
  const Buffer pdu =
      with_size(0xa0, concat({hex("020101 020100 020100"), with_size(0x30, variable)}));
  const Buffer message = with_size(0x30, concat({hex("020101 0401 61"), pdu}));
  EXPECT_NE(told(kSnmp, message, context_of()).find(R"(vars: [""])"), std::string::npos);
}

TEST(Snmp, CutAtEveryByte) {
  for (const Payload& each : payloads_of("snmp"))
    EXPECT_EQ(accepted_cuts(kSnmp, each.bytes, context_of(each.to_server),
                            [](std::size_t) { return false; }),
              "")
        << each.what;
}

}  // namespace
}  // namespace vmirror
