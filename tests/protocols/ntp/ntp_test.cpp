#include "agent/engine/dissect/it/ntp.hpp"

#include <gtest/gtest.h>

#include "agent/engine/dissect/times.hpp"
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
            "fact 10.0.0.2 service = \"ntp\" (ntp.mode, implied)\n"
            "clock 10.0.0.2 2022-02-24T06:22:43.500000Z (ntp.transmit_time)\n");
}

TEST(Ntp, OnlyAClockThatIsSetAndGivenToOthersIsTold) {
  const auto clock = [](std::uint8_t first, std::uint8_t stratum) {
    Buffer message = payload("ntp", "server");
    message[0] = first;
    message[1] = stratum;
    return told(kNtp, message, context_of(false)).find("clock 10.0.0.2 ") != std::string::npos;
  };
  EXPECT_TRUE(clock(0x24, 2));   // server
  EXPECT_TRUE(clock(0x25, 15));  // broadcast
  EXPECT_TRUE(clock(0x21, 1));   // symmetric
  EXPECT_FALSE(clock(0x23, 2));  // a client may write anything
  EXPECT_FALSE(clock(0xe4, 2));  // leap 3: not set
  EXPECT_FALSE(clock(0x24, 0));  // a kiss of death
  EXPECT_FALSE(clock(0x24, 16));
}

TEST(Ntp, TimesAreOfTheNearEra) {
  EXPECT_EQ(ntp_time(0), 0);
  EXPECT_EQ(format_time(ntp_time(0xe5c1a2b380000000)), "2022-02-24T06:22:43.500000Z");
  EXPECT_EQ(format_time(ntp_time(0xffffffff00000000)), "2036-02-07T06:28:15.000000Z");
  EXPECT_EQ(format_time(ntp_time(0x0000000100000000)), "2036-02-07T06:28:17.000000Z");
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
