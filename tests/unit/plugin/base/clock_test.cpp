// Times as text, and times that a clock stamped which was set back since.
#include "plugin/base/clock.hpp"

#include <gtest/gtest.h>

namespace vmirror {
namespace {

TEST(FormatTime, IsRfc3339InUtcWithMicroseconds) {
  EXPECT_EQ(format_time(0), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(format_time(1'700'000'000 * kSecond + 123'456'789), "2023-11-14T22:13:20.123456Z");
  EXPECT_EQ(format_time(-1), "1969-12-31T23:59:59.999999Z");
}

TEST(Clock, WhatIsOverAMinuteAheadCountsAsOfNow) {
  constexpr Time kNow = 1'700'000'000 * kSecond, kHour = 3600 * kSecond;
  struct {
    const char* name;
    Time stamp, counts_as;
  } const table[] = {
      {"long ago", kNow - 5 * kHour, kNow - 5 * kHour},
      {"now", kNow, kNow},
      {"frames out of order", kNow + kClockSlack, kNow + kClockSlack},
      {"a clock set back by a bit more", kNow + kClockSlack + 1, kNow},
      {"a clock set back by two hours", kNow + 2 * kHour, kNow},
  };
  for (const auto& row : table) {
    EXPECT_EQ(as_of(row.stamp, kNow), row.counts_as) << row.name;
    EXPECT_EQ(is_ahead(row.stamp, kNow), row.stamp != row.counts_as) << row.name;
  }
}

TEST(Clock, WhatWasSeenBeforeTheClockWasSetBackWasSeenEarlier) {
  constexpr Time kNow = 1'700'000'000 * kSecond, kHour = 3600 * kSecond;
  const Time in_order[] = {kNow + kHour, kNow + 2 * kHour, kNow - kHour, kNow, kNow + kSecond};
  for (const Time& a : in_order)
    for (const Time& b : in_order)
      EXPECT_EQ(seen_earlier(a, b, kNow), &a < &b)
          << (a - kNow) / kSecond << " s, " << (b - kNow) / kSecond << " s from now";
}

}  // namespace
}  // namespace vmirror
