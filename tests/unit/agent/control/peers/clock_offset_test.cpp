// Which of the pings is believed about the other host's clock.
#include "agent/control/peers/clock_offset.hpp"

#include <gtest/gtest.h>

namespace vmirror {
namespace {

TEST(ClockOffset, OfOnePing) {
  struct Case {
    const char* what;
    PeerTimes times;
    ClockSample sample;
  };
  for (const Case& c : {
           Case{"one clock", {100, 110, 115, 125}, {0, 20}},
           Case{"the peer is 1000 ahead", {100, 1110, 1115, 125}, {1000, 20}},
           Case{"the peer is 90 behind", {100, 20, 25, 125}, {-90, 20}},
           Case{"only the way back took long", {100, 110, 115, 165}, {-20, 60}},
       }) {
    ClockOffset clock;
    EXPECT_FALSE(clock.best());
    clock.add(c.times);
    EXPECT_EQ(clock.best(), c.sample) << c.what;
  }
}

TEST(ClockOffset, TheQuickestOfTheLastEight) {
  ClockOffset clock;
  clock.add({100, 110, 110, 120});  // delay 20, offset 0
  clock.add({200, 260, 260, 270});  // delay 70, offset 25
  EXPECT_EQ(clock.best(), (ClockSample{0, 20}));
  for (int i = 0; i < 7; ++i) clock.add({200, 260, 260, 270});
  EXPECT_EQ(clock.best(), (ClockSample{25, 70})) << "the first is forgotten";
}

TEST(ClockOffset, TimesThatCantBe) {
  constexpr Time kMost = std::numeric_limits<Time>::max();
  ClockOffset clock;
  for (const PeerTimes& t :
       {PeerTimes{100, 110, 110, 90},   // an answer before the question
        PeerTimes{100, 110, 105, 120},  // the peer answered before it was asked
        PeerTimes{100, 110, 150, 120},  // the peer thought for longer than it all took
        PeerTimes{-1, 110, 110, 120}, PeerTimes{100, kMost, kMost, 120}}) {
    clock.add(t);
    EXPECT_FALSE(clock.best());
  }
}

}  // namespace
}  // namespace vmirror
