// Migrations between hosts whose clocks differ.
#include "tests/unit/agent/affinity/two_hosts.hpp"

namespace vmirror {
namespace {

/// Each began its half alone, and the link is up before it knows by how much the clocks differ.
TEST_F(TwoHosts, HalvesThatBeganApartAreJoinedOnceTheClocksAreKnown) {
  for (const Time ahead : {-5 * kSecond, 5 * kSecond}) {
    SCOPED_TRACE(ahead < 0 ? "the destination's clock is late"
                           : "the destination's clock is early");
    now_ = kStart;
    clocks_known_ = false;
    use(true, true);
    link(false);
    Host& b = host("hostb");
    b.clock = ahead;
    make(b);
    act(b, b.tracker->ready(at("hostb")));
    runs_on("hosta");
    tell("hosta", Kind::iteration, "iteration 1");
    migrate("hosta", "hostb");
    pass(12'000);
    link(true);
    pass(900);
    compare_clocks();
    pass(20'000);
    const MigrationRecord r = only("hosta");
    EXPECT_EQ(text(r), text(only("hostb")));
    EXPECT_EQ(host("hosta").tracker->records().size(), 1U);
    EXPECT_EQ(host("hostb").tracker->records().size(), 1U);
    EXPECT_EQ(r.clock_offset, -ahead);
    EXPECT_TRUE(r.source.ended && r.destination.ended);
    EXPECT_EQ(gap_frames(r), 0U) << text(r);
    EXPECT_EQ(downtime(r), 40 * kMillisecond);
  }
}

/// The record ends in its time, and the next migration is none of the past.
TEST_F(TwoHosts, AClockThatIsSetBack) {
  runs_on("hosta");
  migrate("hosta", "hostb");
  for (const char* name : {"hosta", "hostb"}) host(name).clock -= 3600 * kSecond;
  link(false);  // Told by the new clock before any tick is.
  link(true);
  for (const char* name : {"hosta", "hostb"})  // The timer was set before.
    act(host(name), host(name).tracker->tick(at(name)));
  pass(20'000);
  EXPECT_EQ(only("hosta").state, MigrationState::done);
  EXPECT_EQ(text(only("hosta")), text(only("hostb")));
  EXPECT_FALSE(host("hosta").tracker->wake());
  migrate("hostb", "hosta");
  pass(20'000);
  EXPECT_EQ(host("hosta").finished.size(), 2U);
  EXPECT_EQ(gap_frames(host("hosta").finished.back()), 0U);
}

TEST(Tracker, WakesByTheClockAsItIsNow) {
  TrackerOptions options;
  options.host = "hostb";
  options.hypervisor = true;
  MigrationTracker tracker(options);
  tracker.ready(kStart);
  tracker.event({kStart, Kind::incoming, "uuid", "vm", ""});
  const Time back = kStart - 3600 * kSecond;
  tracker.switches(true, back);
  ASSERT_TRUE(tracker.wake());
  EXPECT_LE(*tracker.wake(), back + kSecond);
}

}  // namespace
}  // namespace vmirror
