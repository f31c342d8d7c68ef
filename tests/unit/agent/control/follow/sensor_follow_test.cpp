// When the sensor VM goes after its sources, and above all when it doesn't.
#include "agent/control/follow/sensor_follow.hpp"

#include <gtest/gtest.h>

namespace vmirror {
namespace {

constexpr Time kNow = 100000 * kSecond;

SensorSource at(std::string vm, std::string host, Time seconds_ago, bool moving = false) {
  return {std::move(vm), std::move(host), kNow - seconds_ago * kSecond, moving};
}

SensorView view(std::vector<SensorSource> sources) {
  return {.running_here = true, .moving = false, .here = "a", .sources = std::move(sources)};
}

std::string text(const SensorDecision& decision) {
  if (const auto* go = std::get_if<MigrateSensor>(&decision))
    return "to " + go->to + ": " + go->why;
  const auto& hold = std::get<HoldSensor>(decision);
  return "hold" + (hold.until == 0 ? "" : " " + std::to_string((hold.until - kNow) / kSecond)) +
         ": " + hold.why;
}

TEST(SensorFollow, GoesOnlyWhereMoreOfItsSourcesStay) {
  struct Case {
    const char* what;
    SensorView view;
    const char* expected;
  };
  SensorView elsewhere = view({at("dc1", "b", 100)});
  elsewhere.running_here = false;
  SensorView moving = view({at("dc1", "b", 100)});
  moving.moving = true;
  for (const Case& c : {
           Case{"its source left", view({at("dc1", "b", 40)}),
                "to b: 1 of 1 sources are on b since 40 s"},
           Case{"its source left just now", view({at("dc1", "b", 10)}),
                "hold 20: b has had its sources for 10 s only"},
           Case{"the latest arrival counts", view({at("dc1", "b", 100), at("dc2", "b", 5)}),
                "hold 25: b has had its sources for 5 s only"},
           Case{"its source is here", view({at("dc1", "a", 100)}),
                "hold: 1 of 1 sources are here, nowhere more"},
           Case{"as many there as here", view({at("dc1", "a", 100), at("dc2", "b", 100)}),
                "hold: 1 of 2 sources are here, nowhere more"},
           Case{"more there", view({at("dc1", "a", 100), at("dc2", "b", 100), at("dc3", "b", 60)}),
                "to b: 2 of 3 sources are on b since 60 s"},
           Case{"two others have as many", view({at("dc1", "c", 100), at("dc2", "b", 50)}),
                "to b: 1 of 2 sources are on b since 50 s"},
           Case{"a source on its way", view({at("dc1", "b", 100), at("dc2", "b", 100, true)}),
                "hold: dc2 is being migrated"},
           Case{"the sensor on its way", moving, "hold: the sensor is being migrated"},
           Case{"not ours to move", elsewhere, "hold: the sensor does not run on this host"},
           Case{"nobody to follow", view({}), "hold: no policy has a guest for it to follow"},
       })
    EXPECT_EQ(text(follow(c.view, {}, kNow)), c.expected) << c.what;
}

TEST(SensorFollow, MovesSeldom) {
  const SensorView there = view({at("dc1", "b", 100)});
  struct Case {
    const char* what;
    std::vector<Time> moves;  ///< Seconds ago.
    unsigned failures;
    const char* expected;
  };
  for (const Case& c : {
           Case{"long ago", {4000}, 0, "to b: 1 of 1 sources are on b since 100 s"},
           Case{"moved before", {120}, 0, "hold 180: the sensor moved 120 s ago"},
           Case{"too often",
                {3000, 2000, 1000, 400},
                0,
                "hold 600: the sensor moved 4 times within an hour"},
           Case{"failed once", {310}, 1, "to b: 1 of 1 sources are on b since 100 s"},
           Case{"failed just now", {30}, 1, "hold 270: the sensor moved 30 s ago"},
           Case{"failed four times", {400}, 4, "hold 80: its last 4 migrations failed"},
           Case{"failed all the time", {400}, 99, "hold 3200: its last 99 migrations failed"},
       }) {
    SensorHistory history;
    for (const Time ago : c.moves) history.moves.push_back(kNow - ago * kSecond);
    history.failures = c.failures;
    EXPECT_EQ(text(follow(there, history, kNow)), c.expected) << c.what;
  }
}

/// A source that goes back and forth each minute for a day: the sensor follows at most 4 times an
/// hour, and never between two of the source's moves that are closer than `settle`.
TEST(SensorFollow, DoesNotPlayPingPong) {
  SensorHistory history;
  std::string sensor = "a", source = "a";
  Time since = 0;
  std::size_t moves = 0, quick_moves = 0;
  const auto run = [&](Time period, Time length) {
    std::size_t count = 0;
    for (Time now = 0; now < length; now += kSecond) {
      if (now % period == 0) {
        source = source == "a" ? "b" : "a";
        since = now;
      }
      const SensorView seen{true, false, sensor, {{"dc1", source, since, false}}};
      if (const auto go = follow(seen, history, now); std::holds_alternative<MigrateSensor>(go)) {
        sensor = std::get<MigrateSensor>(go).to;
        history = moved(history, true, now);
        ++count;
      }
    }
    return count;
  };
  quick_moves = run(20 * kSecond, 3600 * kSecond);
  EXPECT_EQ(quick_moves, 0U);
  history = {};
  moves = run(60 * kSecond, 24 * 3600 * kSecond);
  EXPECT_GT(moves, 0U);
  EXPECT_LE(moves, 24 * 4U);
  EXPECT_LE(history.moves.size(), 4U);  // What an hour can hold.
}

TEST(SensorFollow, StaysWhereItCame) {
  SensorView there = view({at("dc1", "b", 1000)});
  there.since = kNow - 120 * kSecond;
  EXPECT_EQ(text(follow(there, {}, kNow)), "hold 180: the sensor has been here for 120 s only");
  there.since = kNow - 300 * kSecond;
  EXPECT_EQ(text(follow(there, {}, kNow)), "to b: 1 of 1 sources are on b since 1000 s");
}

TEST(SensorFollow, HearsOfEachMigrationOnce) {
  SensorHistory history = moved({}, true, kNow);
  history = heard(std::move(history), kNow + kMillisecond, kNow + kSecond);    // The same one.
  history = heard(std::move(history), kNow - 600 * kSecond, kNow + kSecond);   // Before it.
  history = heard(std::move(history), kNow - 3600 * kSecond, kNow + kSecond);  // Long ago.
  EXPECT_EQ(history.moves, (std::vector<Time>{kNow - 600 * kSecond, kNow}));
}

TEST(SensorFollow, ASuccessForgetsFailures) {
  SensorHistory history = moved(moved({}, false, kNow), false, kNow + kSecond);
  EXPECT_EQ(history.failures, 2U);
  EXPECT_EQ(moved(history, true, kNow + 2 * kSecond).failures, 0U);
}

}  // namespace
}  // namespace vmirror
