#include "agent/engine/dissect/ot/profinet_cm.hpp"

#include <gtest/gtest.h>

#include "agent/engine/dissect/it/dcerpc.hpp"
#include "tests/unit/agent/engine/dissect/tables.hpp"

namespace vmirror {
namespace {

using namespace test;

/// The tag, which DCE/RPC gives, is 0 here: all go by "connect", and NDR is big-endian.
TEST(ProfinetCm, Tells) {
  expect_tells(
      kProfinetCm, "profinet_cm",
      {
          {"connect",
           "profinet_cm {operation: \"connect\", type: \"request\", station_name: "
           "\"line7-controller\"}\n"
           "fact 10.0.0.1 station_name = \"line7-controller\" (profinet_cm.station_name)\n"},
          {"read of i&m0",
           "profinet_cm {operation: \"connect\", type: \"request\", api: 0, slot: 0, subslot: 1, "
           "index: 45040, record_size: 4096}\n"},
          {"write",
           "profinet_cm {operation: \"connect\", type: \"request\", api: 0, slot: 0, subslot: 1, "
           "index: 4096, record_size: 4}\n"},
      });
}

TEST(ProfinetCm, ADeviceAnswersWithItsName) {
  Context context = context_of(false);
  context.tag = kProfinetResponse;
  EXPECT_EQ(told(kProfinetCm,
                 hex("00000000 00000013 00001000 00000000 00000013"
                     "8106 000f 0100 0008 7061 6e65 6c2d 3031 00 0000"),
                 context),
            "profinet_cm {operation: \"connect\", type: \"response\", station_name: \"panel-01\"}\n"
            "fact 10.0.0.2 station_name = \"panel-01\" (profinet_cm.station_name)\n"
            "fact 10.0.0.2 service = \"profinet_cm\" (profinet_cm.operation, implied)\n");
}

TEST(ProfinetCm, Malformed) {
  expect_malformed(kProfinetCm,
                   {
                       {"00001000 00000004 00001000 00000000", "truncated"},
                       {"00001000 00000004 00001000 00000000 00000004 0101", "truncated"},
                   });
}

TEST(ProfinetCm, InsideDceRpc) {
  const std::pair<const char*, const char*> cases[] = {
      {"connect",
       "profinet_cm {operation: \"connect\", type: \"request\", station_name: "
       "\"line7-controller\"}"},
      {"connected", "profinet_cm {operation: \"connect\", type: \"response\"}"},
      {"i&m0",
       "vendor_id: 42, order_id: \"6ES7 155-6AU01-0BN0\", serial_number: \"S C-X7V12345\", "
       "hardware_revision: 3, software_revision: \"V4.2.1\"}"},
      {"i&m0", "fact 10.0.0.2 firmware = \"V4.2.1\" (profinet_cm.im0)"},
      {"write", "act 10.0.0.1 write 10.0.0.2 (profinet_cm.operation)"},
      {"refused write", "status: 3749753344"}};
  Dissection dissection(all_dissectors());
  for (const Payload& each : payloads_of("dcerpc")) {
    Context context = context_of(each.to_server);
    context.engine = &dissection;
    Facts facts;
    dissection.message(all_dissectors().find("dcerpc", Carrier::datagram), each.bytes, context,
                       facts);
    const std::string out = facts_text(facts);
    for (const auto& [what, said] : cases)
      EXPECT_TRUE(what != each.what || out.find(said) != std::string::npos) << what << ": " << out;
  }
}

TEST(ProfinetCm, CutAtEveryByte) {
  expect_no_cut_passes(kProfinetCm, "profinet_cm");
}

}  // namespace
}  // namespace vmirror
