// When the engine's and the switch's counts are paired, and what coverage comes of it: the story of
// one NIC.
#include "agent/app/coverage_log.hpp"

#include <gtest/gtest.h>

namespace vmirror {
namespace {

const Mac kMac = *Mac::parse("52:54:00:00:00:01");

struct Story {
  Story() {
    auto index = std::make_shared<MirrorIndex>();
    WatchedNic nic;
    nic.mac = kMac;
    nic.port = "br0/vnet0";
    nic.session = "vnet0@local";
    index->nics = {{kMac, nic}};
    control.index = index;
    SessionStatus s;
    s.name = "vnet0@local";
    s.target = "local";
    s.mac = kMac;
    s.in_place = true;
    control.sessions = {{s.name, s}};
    LocationStatus at;
    at.at.mac = kMac;
    control.locations = {{PortKey{"br0", "vnet0"}, at}};
    port.name = "vnet0";
    port.id = "1";
    port.counters = PortCounters{};
    received.mac = kMac;
  }
  /// The switch writes its counters: so many frames sent by the guest since the last time.
  void writes(std::uint64_t frames) { port.counters->out_frames += frames; }
  /// The engine receives so many, the last one now.
  void receives(std::uint64_t frames) {
    received.out += frames;
    received.last = now;
  }
  void show() {
    auto world = std::make_shared<Observed>();
    world->switches["br0"].ports["vnet0"] = port;
    control.observed = world;
    engine.time = now;
    engine.nics = {received};
  }
  bool due() {
    show();
    return log.due(control);
  }
  void take() {
    show();
    log.take(control, engine);
  }
  /// "received/counted"; "" without a row.
  std::string told() {
    show();
    const auto rows = log.rows(control, engine);
    if (rows.empty()) return "";
    const Coverage& c = rows[0].coverage;
    return std::to_string(c.received_out) + "/" + std::to_string(c.counted_out);
  }

  Time now = 1000 * kSecond;
  Port port;
  NicFrames received;
  ControlSnapshot control;
  EngineSnapshot engine;
  CoverageLog log;
};

TEST(CoverageLog, BeginsAtTheFirstWritingWithTheMirrorInPlace) {
  Story s;
  EXPECT_TRUE(s.due());
  s.take();
  EXPECT_FALSE(s.due());
  EXPECT_EQ(s.told(), "0/0");
  s.receives(3);  // The switch counted ten, seven of them before there was a mirror.
  s.now += kSecond;
  s.writes(10);
  EXPECT_TRUE(s.due());
  s.take();
  EXPECT_EQ(s.told(), "0/0");
  s.receives(20);
  EXPECT_EQ(s.told(), "0/0") << "the switch has not written what it counted";
  s.now += kSecond;
  s.writes(20);
  s.take();
  EXPECT_EQ(s.told(), "20/20");
}

TEST(CoverageLog, ARoughBeginningIsReplacedByAQuietOne) {
  Story s;
  s.take();
  s.writes(10);
  s.receives(8);  // Two were on their way when the pair was taken.
  s.take();
  s.receives(2);
  s.now += kSecond;
  s.writes(0);
  s.receives(5);
  s.now += kSecond;
  s.writes(3);
  s.take();  // Written in the middle of the five, and read a second later: as rough as before.
  EXPECT_EQ(s.told(), "7/3");
  s.now += 2 * kSecond;
  s.writes(2);
  s.take();  // Nothing came since before the writing: exact, so coverage begins anew here.
  EXPECT_EQ(s.told(), "0/0");
  s.receives(30);
  s.now += kSecond;
  s.writes(30);
  s.take();
  EXPECT_EQ(s.told(), "30/30");
}

TEST(CoverageLog, FramesOnTheirWayAreCountedOnceThePortIsSilent) {
  Story s;
  s.take();
  s.now += kSecond;
  s.writes(1);
  s.receives(1);
  s.now += kSecond;
  s.take();
  s.writes(10);
  s.receives(9);
  s.take();
  EXPECT_EQ(s.told(), "9/10");
  s.receives(1);
  EXPECT_EQ(s.told(), "9/10");
  s.now += 7 * kSecond;
  EXPECT_EQ(s.told(), "10/10");
}

TEST(CoverageLog, APortThatWasAddedAgainBeginsAnew) {
  Story s;
  s.take();
  for (int i = 0; i < 2; ++i) {
    s.receives(10);
    s.now += kSecond;
    s.writes(10);
    s.take();
  }
  EXPECT_EQ(s.told(), "10/10");
  s.port.id = "2";
  s.port.counters = PortCounters{};
  s.take();
  EXPECT_EQ(s.told(), "0/0");
}

TEST(CoverageLog, WithoutItsMirrorThereIsNoRow) {
  Story s;
  s.take();
  SessionStatus lost = s.control.sessions.at("vnet0@local");
  lost.in_place = false;
  s.control.sessions.set(lost.name, lost);
  s.take();
  EXPECT_EQ(s.told(), "");
  EXPECT_FALSE(s.due());
}

}  // namespace
}  // namespace vmirror
