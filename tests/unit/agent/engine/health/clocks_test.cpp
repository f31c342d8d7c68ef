#include "agent/engine/health/clocks.hpp"

#include <gtest/gtest.h>

#include "tests/support/frames.hpp"

namespace vmirror {
namespace {

using test::ip;

Subject host(const char* address) {
  return {{}, ip(address), {}};
}

TEST(Clocks, TheLatestReadingOfEachHostAndFieldStands) {
  Clocks clocks{KeyedHash()};
  clocks.fold({host("10.0.0.2"), 110 * kSecond, {}, "ntp"}, 100 * kSecond, 0);
  clocks.fold({host("10.0.0.2"), 202 * kSecond, {}, "ntp"}, 200 * kSecond, 0);
  clocks.fold({host("10.0.0.2"), 150 * kSecond, {}, "krb5"}, 200 * kSecond, 0);
  clocks.fold({host("10.0.0.2"), 200 * kSecond, {}, "ntp"}, 200 * kSecond, 7);
  clocks.fold({host("10.0.0.7"), 0, host("10.0.0.2"), "krb5"}, 300 * kSecond, 0);
  clocks.fold({{}, 5 * kSecond, {}, "ntp"}, 300 * kSecond, 0);
  const std::vector<ClockRow> rows = clocks.rows();
  ASSERT_EQ(rows.size(), 4U);
  EXPECT_STREQ(rows[0].source, "krb5");
  EXPECT_EQ(rows[0].offset, -50 * kSecond);
  EXPECT_STREQ(rows[1].source, "ntp");
  EXPECT_EQ(rows[1].offset, 2 * kSecond);
  EXPECT_EQ(rows[1].readings, 2U);
  EXPECT_EQ(rows[1].first, 100 * kSecond);
  EXPECT_EQ(rows[1].last, 200 * kSecond);
  EXPECT_EQ(rows[2].scope, 7U);
  EXPECT_EQ(rows[3].ip, ip("10.0.0.7"));
  EXPECT_EQ(rows[3].offset, std::nullopt);
  EXPECT_EQ(rows[3].refused, 1U);
  EXPECT_EQ(rows[3].refused_by, ip("10.0.0.2"));
}

TEST(Clocks, AFloodOfSendersIsBounded) {
  Clocks clocks{KeyedHash()};
  for (int i = 0; i < 1000; ++i) {
    const std::string address = "10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250);
    clocks.fold({host(address.c_str()), kSecond, {}, "ntp"}, kSecond, 0);
  }
  EXPECT_EQ(clocks.rows().size(), Clocks::kRows);
  EXPECT_EQ(clocks.use().gave_way, 1000 - Clocks::kRows);
}

TEST(Clocks, OfTwoWorkersTheLatestReadingStands) {
  const auto row = [](const char* address, Time last, Time offset) {
    ClockRow out;
    out.ip = ip(address);
    out.source = "ntp";
    out.first = out.last = last;
    out.readings = 1;
    out.offset = offset;
    return out;
  };
  std::vector<ClockRow> all{row("10.0.0.2", 5, 50), row("10.0.0.4", 5, 50)};
  merge_into(all, {row("10.0.0.2", 4, 40), row("10.0.0.3", 4, 40), row("10.0.0.4", 6, 60)});
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].offset, 50);
  EXPECT_EQ(all[0].readings, 2U);
  EXPECT_EQ(all[0].first, 4);
  EXPECT_EQ(all[0].last, 5);
  EXPECT_EQ(all[1].ip, ip("10.0.0.3"));
  EXPECT_EQ(all[2].offset, 60);
}

}  // namespace
}  // namespace vmirror
