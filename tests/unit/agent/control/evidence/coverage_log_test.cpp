// When the engine's and the port's counts are paired, and what coverage comes of it: the story of
// one NIC, told in tenths of a second.
#include "agent/control/evidence/coverage_log.hpp"

#include <gtest/gtest.h>

namespace vmirror {
namespace {

const PortKey kAt{"br0", "vnet0"};

struct Story {
  explicit Story(bool on_this_host)
      : log(on_this_host ? CoverageLog::ReadDevice([this](const Port& p) {
          return std::optional(PortReading{now, now, counters, p.id});
        })
                         : CoverageLog::ReadDevice()) {
    auto index = std::make_shared<MirrorIndex>();
    index->nics.set(kAt, {.at = kAt, .session = "vnet0@local"});
    control.index = index;
    status.name = "vnet0@local";
    status.target = "local";
    status.in_place = true;
    status.in_place_since = now;
    port.name = "vnet0";
    port.id = "1";
    port.counters = PortCounters{};
  }
  /// A tenth of a second passes, in which the guest sends so many; their copies take as long.
  void tenth(std::uint64_t frames = 0) {
    now += 100 * kMillisecond;
    counters.out_frames += frames;
    engine += std::exchange(on_their_way, lost ? 0 : frames);
    if (++tenths % 50 == 0) {  // The switch writes its counters, where any differs.
      if (*port.counters != counters) world.counted_at = now;
      port.counters = counters;
    }
    world.switches["br0"].ports.set("vnet0", port);
    control.observed = std::make_shared<const Observed>(world);
    control.sessions.set(status.name, status);
    NicReadings readings;
    readings.time = readings.complete = now;
    readings.nics.emplace_back().at = kAt;
    readings.nics[0].out = engine;
    log.sample(readings, control);
    if (tenths % 10 == 0) log.read(control, now);
    for (const CoverageRow& row : log.rows(control))
      if (row.coverage.ratio) highest = std::max(highest, *row.coverage.ratio);
  }
  void seconds(int n, std::uint64_t frames = 0) {
    for (int i = 0; i < 10 * n; ++i) tenth(frames);
  }
  /// "complete 20/20"; "" without a row. What is judged, and the row's counts.
  std::string told() {
    const auto rows = log.rows(control);
    const auto evidence = log.evidence(control, false);
    if (rows.empty()) return "";
    const auto& window = evidence.nics.at(kAt).window;
    const Coverage& c = rows[0].coverage;
    return std::string(window ? to_text(window->verdict) : "-") + " " +
           std::to_string(c.received().low) + "/" + std::to_string(c.counted());
  }

  Time now = 100000 * kSecond;
  int tenths = 0;
  bool lost = false;
  std::uint64_t engine = 100, on_their_way = 0;
  double highest = 0;
  PortCounters counters;
  Port port;
  Observed world;
  SessionStatus status;
  ControlSnapshot control;
  CoverageLog log;
};

class OfBothSources : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(CoverageLog, OfBothSources, testing::Values(true, false));

TEST_P(OfBothSources, NoBurstMakesItMoreThanWhole) {
  Story s(GetParam());
  s.seconds(3, 1);
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < 37; ++i) s.tenth(50);
    s.seconds(7);
    for (int i = 0; i < 3; ++i) s.tenth(200);
  }
  s.seconds(12);
  EXPECT_LE(s.highest, 1.0);
  EXPECT_EQ(s.log.evidence(s.control, false).nics.at(kAt).window->verdict,
            Coverage::Verdict::complete);
  EXPECT_TRUE(s.log.take_news().empty());
}

TEST_P(OfBothSources, WhatIsLostIsSeen) {
  Story s(GetParam());
  s.seconds(20, 2);
  s.lost = true;
  s.seconds(12, 2);
  EXPECT_TRUE(s.told().starts_with("lossy")) << s.told();
  s.lost = false;
  s.seconds(GetParam() ? 12 : 40, 2);
  EXPECT_TRUE(s.told().starts_with("complete")) << s.told();
}

TEST(CoverageLog, WhereTheSwitchCountsNoPortItIsToldWhatTheEngineReceived) {
  Story s(false);
  auto& proofs = s.world.switches["br0"].capabilities.proofs;
  const auto received = [&] { return s.log.evidence(s.control, false).nics.at(kAt).received; };
  proofs = {ProofSource::engine};
  s.seconds(1, 2);
  EXPECT_EQ(received(), 0u) << "the window proves it";
  proofs = {ProofSource::collector};
  s.seconds(1, 2);
  EXPECT_EQ(received(), s.engine);
}

TEST(CoverageLog, FramesFromBeforeTheMirrorAreNone) {
  Story s(false);
  s.counters.out_frames = 60;  // The switch has not written them yet.
  s.seconds(6);
  EXPECT_EQ(s.told(), "- 0/0");
  s.seconds(4);
  s.tenth(3);
  s.seconds(10);
  EXPECT_EQ(s.told(), "complete 3/3");
}

TEST(CoverageLog, BeginsAnewWithEachMirror) {
  Story s(true);
  s.seconds(5, 5);
  s.seconds(2);
  EXPECT_TRUE(s.told().starts_with("complete")) << s.told();
  s.status.in_place_since = s.now;
  s.tenth();
  EXPECT_EQ(s.told(), "");
  s.seconds(4);
  EXPECT_EQ(s.told(), "silent 0/0");
  EXPECT_EQ(s.log.evidence(s.control, false).nics.at(kAt).since, s.status.in_place_since);
  s.port.id = "2";
  s.seconds(1);
  s.tenth();
  s.tenth();
  EXPECT_EQ(s.told(), "- 0/0") << "another port";
  s.status.in_place = false;
  s.seconds(1);
  EXPECT_EQ(s.told(), "");
}

/// What came and went until then is of other frames, or of a time in which nobody forwarded any.
TEST(CoverageLog, BeginsAnewWhereWhatIsCountedIsAnother) {
  struct Case {
    const char* name;
    std::function<void(Story&)> begin, end;
  };
  const auto watch = [](Story& s, const WatchedNic& nic) {
    auto index = std::make_shared<MirrorIndex>();
    index->nics.set(kAt, nic);
    s.control.index = index;
  };
  const std::vector<Case> table = {
      {"another VLAN", [](Story&) {},
       [&](Story& s) { watch(s, {.at = kAt, .vlan = 10, .session = "vnet0@local"}); }},
      {"another direction", [](Story&) {},
       [&](Story& s) {
         watch(s, {.at = kAt, .direction = Direction::out, .session = "vnet0@local"});
       }},
      {"the switch hung",
       [](Story& s) {
         s.control.stall = Error{Error::Kind::unreachable, "it hangs", "", ""};
       },
       [](Story& s) { s.control.stall.reset(); }},
  };
  for (const Case& row : table) {
    SCOPED_TRACE(row.name);
    Story s(true);
    s.seconds(5, 5);
    s.lost = true;
    row.begin(s);
    s.seconds(5, 5);
    s.lost = false;
    row.end(s);
    s.seconds(12, 5);
    EXPECT_TRUE(s.told().starts_with("complete")) << s.told();
    EXPECT_EQ(s.log.rows(s.control)[0].coverage.verdict, Coverage::Verdict::complete)
        << "nor in the longest window";
  }
}

TEST(CoverageLog, OnlyAMinuteCounts) {
  Story s(true);
  s.seconds(10, 50);
  s.seconds(100, 1);
  EXPECT_LT(s.log.rows(s.control).at(0).coverage.counted(), 700U);
}

TEST(CoverageLog, MoreThanWholeIsAFaultThatIsSaidOnce) {
  Story s(true);
  s.seconds(4);
  s.engine += 40;
  s.seconds(3);
  EXPECT_EQ(s.log.take_news(),
            std::vector<std::string>{"br0/vnet0: a fault of counting: at least 40 frames came, and "
                                     "its port moved 0"});
  EXPECT_GT(s.log.rows(s.control).at(0).faults, 0U);
  s.seconds(3);
  EXPECT_TRUE(s.log.take_news().empty());
}

TEST(CoverageLog, AClockThatIsSetBackBeginsAnew) {
  Story s(true);
  s.seconds(5, 5);
  s.now -= 7200 * kSecond;
  s.tenth();
  EXPECT_EQ(s.told(), "");
  s.status.in_place_since = s.now;
  s.seconds(8, 5);
  EXPECT_TRUE(s.told().starts_with("complete")) << s.told();
}

}  // namespace
}  // namespace vmirror
