// Times as text.
#include "plugin/base/clock.hpp"

#include <gtest/gtest.h>

namespace vmirror {
namespace {

TEST(FormatTime, IsRfc3339InUtcWithMicroseconds) {
  EXPECT_EQ(format_time(0), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(format_time(1'700'000'000 * kSecond + 123'456'789), "2023-11-14T22:13:20.123456Z");
  EXPECT_EQ(format_time(-1), "1969-12-31T23:59:59.999999Z");
}

}  // namespace
}  // namespace vmirror
