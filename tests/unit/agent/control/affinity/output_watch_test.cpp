#include "agent/control/affinity/output_watch.hpp"

#include <gtest/gtest.h>

namespace vmirror {
namespace {

struct Reading {
  Time at;
  bool up;
  std::uint32_t losses;
};

TEST(OutputWatch, TellsFromWhenToWhenTheOutputWasDown) {
  const struct {
    const char* what;
    std::vector<Reading> readings;
    Time from, to;
  } table[] = {
      {"nothing is read", {}, 0, 0},
      {"up all the time", {{10, true, 2}, {20, true, 2}}, 0, 0},
      {"down from the first reading on", {{10, false, 2}}, 10, 0},
      {"down, and up again", {{10, true, 2}, {20, false, 3}, {30, true, 3}}, 10, 30},
      {"down between two readings", {{10, true, 2}, {20, true, 3}, {30, true, 3}}, 10, 20},
      {"down twice", {{10, true, 2}, {20, true, 3}, {30, true, 3}, {40, true, 4}}, 10, 40},
      {"up, and down still", {{10, true, 2}, {20, true, 3}, {30, false, 4}}, 10, 0},
  };
  for (const auto& row : table) {
    OutputWatch watch;
    for (const Reading& r : row.readings) {
      GuestCounters::Output output;
      output.up = r.up;
      output.losses = r.losses;
      watch = watched(watch, output, r.at);
    }
    EXPECT_EQ(watch.down_from, row.from) << row.what;
    EXPECT_EQ(watch.down_to, row.to) << row.what;
  }
}

}  // namespace
}  // namespace vmirror
