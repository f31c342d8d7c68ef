// What a migration's record tells when its halves are put together.
#include "agent/model/migration.hpp"

#include <gtest/gtest.h>

namespace vmirror {
namespace {

MigrationRecord known() {
  MigrationRecord r;
  r.source.suspended = 100;
  r.source.mirror_removed = 300;
  r.source.port_frames = 50;
  r.source.copied_frames = 50;
  r.destination.mirror_active = 20;
  r.destination.resumed = 140;
  r.destination.port_frames = 30;
  r.destination.copied_frames = 30;
  r.clock_offset = 0;
  return r;
}

TEST(Migration, GapInFrames) {
  MigrationRecord r = known();
  EXPECT_EQ(gap_frames(r), 0U);
  r.source.copied_frames = 48;
  r.destination.copied_frames = 25;
  EXPECT_EQ(gap_frames(r), 7U);
  r.source.copied_frames = 60;  // More copies there are no gap here.
  EXPECT_EQ(gap_frames(r), 5U);
  for (const auto part : {&MigrationHalf::port_frames, &MigrationHalf::copied_frames}) {
    MigrationRecord half = known();
    (half.source.*part).reset();
    EXPECT_FALSE(gap_frames(half));
    half = known();
    (half.destination.*part).reset();
    EXPECT_FALSE(gap_frames(half));
  }
}

TEST(Migration, GapInTime) {
  EXPECT_EQ(gap(known()), 0);
  MigrationRecord r = known();
  r.destination.mirror_active = 170;
  EXPECT_EQ(gap(r), 30);
  r.source.mirror_removed = 60;  // Before the guest was suspended.
  EXPECT_EQ(gap(r), 70);
  r.source.mirror_removed.reset();  // It is still there.
  EXPECT_EQ(gap(r), 30);
  r.destination.mirror_active.reset();
  EXPECT_FALSE(gap(r));
}

TEST(Migration, DowntimeBringsTheClocksTogether) {
  MigrationRecord r = known();
  EXPECT_EQ(downtime(r), 40);
  r.clock_offset = 15;  // The source's clock is ahead: there it was 85.
  EXPECT_EQ(downtime(r), 55);
  r.clock_offset.reset();
  EXPECT_FALSE(downtime(r));
}

}  // namespace
}  // namespace vmirror
