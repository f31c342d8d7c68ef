// S7comm: what each kind of PDU tells, and the flow that carries it.
#include "agent/engine/dissect/ot/s7comm.hpp"

#include <gtest/gtest.h>

#include "tests/unit/agent/engine/dissect/told.hpp"

namespace vmirror {
namespace {

using namespace test;

TEST(S7comm, JobsAndTheirAnswers) {
  Dissection dissection(all_dissectors());
  Context ask = context_of(true), answer = context_of(false, kSecond + 400'000);
  ask.engine = answer.engine = &dissection;
  EXPECT_EQ(
      told(kS7comm, payload("s7comm", "read"), ask),
      "s7comm {rosctr: \"job\", pdu_ref: 2, function: \"read_variable\", item_count: 1, "
      "items: [{area: \"data_block\", db: 1, address: 10, transport: \"byte\", length: 16}]}\n"
      "act 10.0.0.1 read 10.0.0.2 (s7comm.function)\n");
  EXPECT_EQ(told(kS7comm, payload("s7comm", "read answer"), answer),
            "s7comm {rosctr: \"ack_data\", pdu_ref: 2, function: \"read_variable\", latency_us: "
            "400}\n"
            "fact 10.0.0.2 service = \"s7comm\" (s7comm.rosctr, implied)\n"
            "fact 10.0.0.2 role = \"plc\" (s7comm.rosctr, implied)\n");
}

TEST(S7comm, Acts) {
  const std::pair<const char*, const char*> cases[] = {{"write", "write"},
                                                       {"stop", "stop"},
                                                       {"start", "start"},
                                                       {"request download", "download"},
                                                       {"set the clock", "set_time"}};
  for (const auto& [what, act] : cases)
    EXPECT_NE(told(kS7comm, payload("s7comm", what), context_of())
                  .find(std::string("act 10.0.0.1 ") + act + " 10.0.0.2"),
              std::string::npos)
        << what;
}

TEST(S7comm, AControllerSaysWhatItIs) {
  const std::string module =
      told(kS7comm, payload("s7comm", "module identification"), context_of(false));
  EXPECT_NE(module.find("order_number = \"6ES7 315-2EH14-0AB0\" (s7comm.szl_0011)"),
            std::string::npos)
      << module;
  EXPECT_NE(module.find("firmware = \"V3.2.6\""), std::string::npos) << module;
  EXPECT_NE(module.find("hardware = \"4\""), std::string::npos) << module;
}

TEST(S7comm, AStatusListMayComeInParts) {
  Dissection dissection(all_dissectors());
  Context context = context_of(false);
  context.engine = &dissection;
  context.self = dissection.dissectors().find(kS7comm);
  EXPECT_EQ(told(kS7comm, payload("s7comm", "component identification, first part"), context)
                .find("station_name"),
            std::string::npos);
  const std::string last =
      told(kS7comm, payload("s7comm", "component identification, last part"), context);
  EXPECT_NE(last.find("station_name = \"Press line 3\" (s7comm.szl_001c)"), std::string::npos)
      << last;
  EXPECT_NE(last.find("model = \"CPU 315-2 PN/DP\""), std::string::npos) << last;
}

TEST(S7comm, Malformed) {
  EXPECT_EQ(told(kS7comm, hex("33 01"), context_of()), "malformed bad_value\n");
  EXPECT_EQ(told(kS7comm, hex("32 05 0000 0001 0000 0000"), context_of()), "malformed bad_value\n");
  EXPECT_EQ(told(kS7comm, hex("32 01 0000 0001 0001 0000 29 00"), context_of()),
            "malformed bad_length\n");
}

TEST(S7comm, CutAtEveryByte) {
  for (const Payload& each : payloads_of("s7comm"))
    EXPECT_EQ(accepted_cuts(kS7comm, each.bytes, context_of(each.to_server),
                            [](std::size_t) { return false; }),
              "")
        << each.what;
}

}  // namespace
}  // namespace vmirror
