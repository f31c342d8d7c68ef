#include "agent/engine/dissect/it/ntp.hpp"

#include <gtest/gtest.h>

#include "tests/unit/agent/engine/dissect/told.hpp"

namespace vmirror {
namespace {

using namespace test;

TEST(Ntp, AnAnswerIsMatchedWithItsQuestion) {
  Dissection dissection(all_dissectors());
  Context ask = context_of(true, kSecond), answer = context_of(false, kSecond + 400'000);
  ask.engine = answer.engine = &dissection;
  EXPECT_EQ(told(kNtp, payload("ntp", "client"), ask),
            "ntp {version: 4, mode: \"client\", stratum: 0}\n");
  EXPECT_EQ(told(kNtp, payload("ntp", "server"), answer),
            "ntp {version: 4, mode: \"server\", stratum: 2, reference_id: 192.0.2.1, "
            "latency_us: 400}\n"
            "fact 10.0.0.2 service = \"ntp\" (ntp.mode, implied)\n");
}

TEST(Ntp, Malformed) {
  EXPECT_EQ(told(kNtp, hex("20 00"), context_of()), "malformed bad_value\n");  // mode 0
  EXPECT_EQ(told(kNtp, hex("03 00"), context_of()), "malformed bad_value\n");  // version 0
  EXPECT_EQ(told(kNtp, hex("23 00 06"), context_of()), "malformed truncated\n");
}

TEST(Ntp, CutAtEveryByte) {
  EXPECT_EQ(accepted_cuts(kNtp, payload("ntp", "server"), context_of(false),
                          [](std::size_t) { return false; }),
            "");
}

}  // namespace
}  // namespace vmirror
