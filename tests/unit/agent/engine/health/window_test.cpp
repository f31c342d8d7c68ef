// Windows: what the counters at their two ends tell, each row one window.
#include "agent/engine/health/window.hpp"

#include <gtest/gtest.h>

namespace vmirror {
namespace {

using Verdict = Coverage::Verdict;

/// What grew in a window: by the port, and by the engine at least and at most.
struct Growth {
  std::uint64_t port_out = 0, port_in = 0, refused = 0;
  std::uint64_t out = 0, in = 0, groups = 0, flooded = 0;
  std::uint64_t uncertain = 0;  ///< Of `out`: as many more, or fewer.
};

CoverageSample sample(Time time, const Growth& g = {}) {
  CoverageSample s;
  s.port = {time, time, {.out_frames = 1000, .in_frames = 1000}, "p1"};
  s.port.counters.out_frames += g.port_out;
  s.port.counters.in_frames += g.port_in;
  s.port.counters.in_dropped += g.refused;
  s.low.at = {"br0", "vnet0"};
  s.low.out = 5000 + g.out - g.uncertain;
  s.low.in = 5000 + g.in + g.groups;
  s.low.in_group = g.groups;
  s.low.flooded = g.flooded;
  s.high = s.low;
  s.high.out += 2 * g.uncertain;
  return s;
}

TEST(Coverage, OfOneWindow) {
  struct Case {
    const char* name;
    Growth grown;
    Direction mirrored;
    Verdict verdict;
    std::optional<double> ratio;
  };
  const Direction both = Direction::both;
  const std::vector<Case> table = {
      {"all came",
       {.port_out = 100, .port_in = 50, .out = 100, .in = 50},
       both,
       Verdict::complete,
       1.0},
      {"a silent port", {}, both, Verdict::silent, {}},
      {"one of 250", {.port_out = 250, .out = 1}, both, Verdict::lossy, 0.004},
      {"half of one direction",
       {.port_out = 100, .port_in = 100, .out = 100, .in = 50},
       both,
       Verdict::lossy,
       0.75},
      {"only what is mirrored counts",
       {.port_out = 100, .port_in = 10, .in = 10},
       Direction::in,
       Verdict::complete,
       1.0},
      {"copied twice", {.port_out = 100, .out = 200}, both, Verdict::excess, 2.0},
      {"a burst that is on its way",
       {.port_out = 100, .out = 60, .uncertain = 50},
       both,
       Verdict::open,
       {}},
      {"one in twenty is on its way",
       {.port_out = 100, .out = 99, .uncertain = 5},
       both,
       Verdict::complete,
       1.0},
      {"fewer than may be on their way",
       {.port_out = 100, .out = 80, .uncertain = 5},
       both,
       Verdict::lossy,
       0.85},
      {"more than may be on their way",
       {.port_out = 100, .out = 120, .uncertain = 5},
       both,
       Verdict::excess,
       1.15},
      {"groups of its VLAN",
       {.port_out = 10, .port_in = 40, .out = 10, .groups = 40},
       both,
       Verdict::complete,
       1.0},
      {"groups that the switch kept from it",
       {.port_out = 100, .out = 100, .groups = 900},
       both,
       Verdict::complete,
       1.0},
      {"what was flooded",
       {.port_out = 5, .port_in = 500, .out = 5, .flooded = 500},
       both,
       Verdict::complete,
       1.0},
      {"what was not flooded though it might be",
       {.port_out = 100, .out = 100, .flooded = 500},
       both,
       Verdict::complete,
       1.0},
      {"a part that may be loss or flood",
       {.port_out = 100, .port_in = 200, .out = 100, .flooded = 500},
       both,
       Verdict::open,
       {}},
      {"lost, whatever was flooded",
       {.port_out = 5, .port_in = 500, .out = 5, .flooded = 100},
       both,
       Verdict::lossy,
       105.0 / 505},
      {"a stopped guest's tap", {.refused = 600, .in = 1500}, both, Verdict::silent, {}},
      {"nothing was counted, and frames came", {.out = 20}, both, Verdict::excess, 20.0},
  };
  for (const Case& row : table) {
    SCOPED_TRACE(row.name);
    ASSERT_TRUE(is_comparable(sample(0), sample(kSecond, row.grown)));
    const Coverage c = coverage(sample(0), sample(kSecond, row.grown), row.mirrored);
    EXPECT_STREQ(to_text(c.verdict), to_text(row.verdict));
    EXPECT_EQ(c.ratio, row.ratio);
  }
}

TEST(Coverage, WhatCannotBeCompared) {
  CoverageSample again = sample(1), back = sample(1), ours = sample(1);
  again.port.port_id = "p2";
  back.port.counters.in_frames = 5;
  ours.high.out = 1;
  for (const CoverageSample& now : {again, back, ours}) EXPECT_FALSE(is_comparable(sample(0), now));
}

/// The samples of a story: each second so many frames sent, so many copied.
std::vector<CoverageSample> story(const std::vector<std::pair<int, int>>& seconds,
                                  std::uint64_t uncertain = 0) {
  std::vector<CoverageSample> out;
  Growth g;
  g.out = g.uncertain = uncertain;
  out.push_back(sample(0, g));
  for (const auto& [sent, copied] : seconds) {
    g.port_out += static_cast<std::uint64_t>(sent);
    g.out += static_cast<std::uint64_t>(copied);
    out.push_back(sample(static_cast<Time>(out.size()) * kSecond, g));
  }
  return out;
}

TEST(Windows, TheShortestThatTellsAnything) {
  using Seconds = std::vector<std::pair<int, int>>;
  struct Case {
    const char* name;
    std::vector<CoverageSample> samples;
    Verdict verdict;
  };
  Seconds lossy(40, {100, 97});
  const std::vector<Case> table = {
      {"nothing yet", {}, Verdict::silent},
      {"silence", story({{0, 0}, {0, 0}}), Verdict::silent},
      {"mended", story({{100, 0}, {100, 0}, {100, 100}}), Verdict::complete},
      {"it broke just now", story({{100, 100}, {100, 100}, {100, 0}}), Verdict::lossy},
      {"silent since", story({{100, 100}, {0, 0}, {0, 0}}), Verdict::complete},
      {"too busy to tell in one second", story(Seconds(5, {100, 100}), 10), Verdict::complete},
      {"a small loss, in many seconds", story(lossy, 5), Verdict::lossy},
  };
  for (const Case& row : table) {
    SCOPED_TRACE(row.name);
    EXPECT_STREQ(to_text(judge_windows(row.samples, Direction::both).verdict),
                 to_text(row.verdict));
  }
}

TEST(Windows, WarnInWords) {
  struct Case {
    const char* name;
    Growth grown;
    Direction mirrored;
    std::vector<std::string> expected;
  };
  const std::vector<Case> table = {
      {"all is well",
       {.port_out = 100, .port_in = 100, .out = 100, .in = 100},
       Direction::both,
       {}},
      {"nobody spoke", {}, Direction::both, {}},
      {"no traffic",
       {.port_out = 412, .port_in = 400},
       Direction::both,
       {"br0/vnet0: no traffic: no frame came in 60 s, while its port moved 812"}},
      {"one direction",
       {.port_in = 50, .in = 50},
       Direction::both,
       {"br0/vnet0: one direction only: of 50 unicast frames none is from it"}},
      {"one direction, as asked", {.port_in = 50, .in = 50}, Direction::in, {}},
      {"too few to say", {.port_in = 5, .in = 5}, Direction::both, {}},
      {"broadcasts",
       {.port_out = 5, .port_in = 95, .out = 5, .in = 5, .groups = 90},
       Direction::both,
       {"br0/vnet0: 90% of its frames are broadcast or multicast: the mirror may miss its "
        "unicast"}},
      {"twice",
       {.port_out = 10, .out = 20},
       Direction::out,
       {"br0/vnet0: a fault of counting: at least 20 frames came in 60 s, while its port moved "
        "10"}},
      {"flooded in part",
       {.port_out = 5, .port_in = 20, .out = 5, .flooded = 90},
       Direction::both,
       {"br0/vnet0: not told: of 25 frames that its port moved in 60 s between 5 and 95 came, 90 "
        "of "
        "them for others, if the switch flooded them"}},
  };
  for (const Case& row : table) {
    SCOPED_TRACE(row.name);
    EXPECT_EQ(warnings(sample(0), sample(60 * kSecond, row.grown), row.mirrored), row.expected);
  }
}

}  // namespace
}  // namespace vmirror
