#include "agent/engine/dissect/ot/iec104.hpp"

#include <gtest/gtest.h>

#include "tests/unit/agent/engine/dissect/told.hpp"

namespace vmirror {
namespace {

using namespace test;

TEST(Iec104, Tells) {
  const struct {
    const char* what;
    bool to_server;
    const char* told;
  } cases[] = {
      {"startdt", true, "iec104 {format: \"u\", function: \"startdt_act\"}\n"},
      {"startdt confirmed", false,
       "iec104 {format: \"u\", function: \"startdt_con\"}\n"
       "fact 10.0.0.2 service = \"iec104\" (iec104.format, implied)\n"},
      {"interrogation", true,
       "iec104 {format: \"i\", send_number: 0, receive_number: 0, type: "
       "\"C_IC_NA_1\", cause: \"activation\", originator: 0, common_address: 3, "
       "objects: 1, ioa: 0}\n"},
      {"measured values", false,
       "iec104 {format: \"i\", send_number: 0, receive_number: 1, type: "
       "\"M_ME_NC_1\", cause: \"spontaneous\", originator: 0, common_address: 3, "
       "objects: 2, ioa: 1300}\n"
       "fact 10.0.0.2 role = \"rtu\" (iec104.type, implied)\n"
       "fact 10.0.0.2 service = \"iec104\" (iec104.format, implied)\n"},
      {"acknowledged", true, "iec104 {format: \"s\", receive_number: 1}\n"},
      {"select a switch", true,
       "iec104 {format: \"i\", send_number: 1, receive_number: 1, type: "
       "\"C_SC_NA_1\", cause: \"activation\", originator: 0, common_address: 3, "
       "objects: 1, ioa: 4501, value: 1, select: true}\n"},
      {"execute it", true,
       "iec104 {format: \"i\", send_number: 2, receive_number: 2, type: "
       "\"C_SC_NA_1\", cause: \"activation\", originator: 0, common_address: 3, "
       "objects: 1, ioa: 4501, value: 1, select: false}\n"
       "act 10.0.0.1 write 10.0.0.2 (iec104.type)\n"},
      {"refused", false,
       "iec104 {format: \"i\", send_number: 1, receive_number: 3, type: "
       "\"C_SC_NA_1\", cause: \"activation_confirmed\", negative: true, originator: "
       "0, common_address: 3, objects: 1, ioa: 4501, value: 1, select: false}\n"
       "fact 10.0.0.2 service = \"iec104\" (iec104.format, implied)\n"},
      {"set the clock", true,
       "iec104 {format: \"i\", send_number: 3, receive_number: 2, type: "
       "\"C_CS_NA_1\", cause: \"activation\", originator: 0, common_address: 3, "
       "objects: 1, ioa: 0}\n"
       "act 10.0.0.1 set_time 10.0.0.2 (iec104.type)\n"},
      {"test", false,
       "iec104 {format: \"u\", function: \"testfr_act\"}\n"
       "fact 10.0.0.2 service = \"iec104\" (iec104.format, implied)\n"},
  };
  for (const auto& c : cases)
    EXPECT_EQ(told(kIec104, payload("iec104", c.what), context_of(c.to_server)), c.told) << c.what;
}

TEST(Iec104, Malformed) {
  const struct {
    const char *bytes, *name;
  } cases[] = {
      {"68", "truncated"},
      {"69 04 07000000", "bad_value"},
      {"68 04 070000", "truncated"},
      {"68 04 07000000 00", "bad_length"},
      {"68 04 17000000", "bad_value"},
      {"68 04 07000100", "bad_value"},
      {"68 04 00000100", "bad_value"},
      {"68 08 00000000 01 01 03 00", "bad_length"},
  };
  for (const auto& c : cases) {
    const std::string out = told(kIec104, hex(c.bytes), context_of());
    EXPECT_NE(out.find(std::string("malformed ") + c.name), std::string::npos)
        << c.bytes << ": " << out;
  }
}

TEST(Iec104, CutAtEveryByte) {
  for (const Payload& each : payloads_of("iec104"))
    EXPECT_EQ(accepted_cuts(kIec104, each.bytes, context_of(each.to_server),
                            [](std::size_t) { return false; }),
              "")
        << each.what;
}

}  // namespace
}  // namespace vmirror
