// Migrations between hosts whose clocks differ.
#include "tests/unit/agent/control/affinity/two_hosts.hpp"

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
    tell("hosta", Kind::leaving);
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

/// The same while the guest is on its way: the link's first messages come before its estimate, and
/// by their times alone the halves would be of two migrations.
TEST_F(TwoHosts, HalvesThatAreOpenWaitForTheClocksToBeKnown) {
  for (const Time ahead : {-300 * kSecond, 300 * kSecond})
    for (const bool resumed : {true, false})
      for (const char* first : {"hosta", "hostb"}) {
        SCOPED_TRACE(std::string("the destination's clock is ") + (ahead < 0 ? "late" : "early") +
                     ", the link is up " + (resumed ? "after" : "before") +
                     " the guest resumed, and the clocks are known first to " + first);
        now_ = kStart;
        clocks_known_ = false;
        use(true, true);
        link(false);
        host("hostb").clock = ahead;
        for (const char* name : {"hosta", "hostb"}) {
          make(host(name));
          act(host(name), host(name).tracker->ready(at(name)));
        }
        const auto link_up = [&] {
          link(true);
          pass(100);
          const std::string other = first == std::string("hosta") ? "hostb" : "hosta";
          act(host(first), host(first).tracker->clock_offset(
                               other, host(other).clock - host(first).clock, at(first)));
          pass(50);
          compare_clocks();
        };
        runs_on("hosta");
        tell("hosta", Kind::leaving);
        pass(100);
        comes("hostb");
        traffic("hosta", 50, 50);
        if (!resumed) link_up();
        suspends("hosta");
        pass(40);
        resumes("hostb");
        if (resumed) link_up();
        pass(100);
        leaves("hosta");
        pass(20'000);
        const MigrationRecord r = only("hosta");
        EXPECT_EQ(text(r), text(only("hostb")));
        EXPECT_EQ(host("hosta").tracker->records().size(), 1U);
        EXPECT_EQ(host("hostb").tracker->records().size(), 1U);
        EXPECT_EQ(r.state, MigrationState::done);
        EXPECT_EQ(gap_frames(r), 0U) << text(r);
        EXPECT_EQ(downtime(r), 40 * kMillisecond);
        EXPECT_EQ(host("hosta").handed_to, Notes{"hostb"});
      }
}

/// The record ends in its time, and the next migration is none of the past.
TEST_F(TwoHosts, AClockThatIsSetBack) {
  runs_on("hosta");
  migrate("hosta", "hostb");
  set_back(3600 * kSecond);
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

/// The next migration is none of the past, whether it begins before the agents look at the clock
/// again or after.
TEST_F(TwoHosts, AClockThatIsSetBackWhileNothingMigrates) {
  for (const Time back : {kSecond, 10 * kSecond, 600 * kSecond, 7200 * kSecond})
    for (const bool hypervisor : {true, false}) {
      SCOPED_TRACE(std::to_string(back / kSecond) + (hypervisor ? " s" : " s, without libvirt"));
      now_ = kStart;
      use(hypervisor, true);
      runs_on("hosta");
      migrate("hosta", "hostb");
      pass(20'000);
      ASSERT_EQ(host("hosta").finished.size(), 1U);
      set_back(back);
      pass(1'000);
      migrate("hostb", "hosta");
      pass(20'000);
      for (const char* name : {"hosta", "hostb"}) {
        ASSERT_EQ(host(name).finished.size(), 2U) << name;
        const MigrationRecord& r = host(name).finished.back();
        EXPECT_EQ(r.state, MigrationState::done) << text(r);
        EXPECT_EQ(r.source.host, "hostb");
        EXPECT_TRUE(r.source.ended && r.destination.ended) << text(r);
        EXPECT_EQ(gap_frames(r), 0U) << text(r);
        EXPECT_EQ(r.source.notes, Notes{});
      }
      EXPECT_EQ(host("hostb").handed_to, Notes{"hosta"});
    }
}

TEST_F(TwoHosts, AMigrationThatBeginsBeforeTheClockIsLookedAtIsNotMadeOlder) {
  for (const Time back : {10 * kSecond, 7200 * kSecond}) {
    now_ = kStart;
    use(true, true);
    runs_on("hosta");
    pass(1'000);  // The agents know the time of before.
    set_back(back);
    migrate("hosta", "hostb");
    pass(20'000);
    EXPECT_EQ(only("hosta").state, MigrationState::done) << text(only("hosta"));
    EXPECT_EQ(host("hosta").handed_to, Notes{"hostb"});
    EXPECT_EQ(gap_frames(only("hosta")), 0U);
  }
}

/// Frames to the guest that were lost just before it was suspended.
TEST_F(TwoHosts, AClockThatIsSetBackBetweenTheSuspensionAndTheEndHidesNoLoss) {
  for (const Time back : {Time{0}, 2 * kSecond, 10 * kSecond, 3600 * kSecond}) {
    SCOPED_TRACE(std::to_string(back / kSecond) + " s");
    now_ = kStart;
    use(true, true);
    runs_on("hosta");
    comes("hostb");
    host("hosta").counters.port->in_frames += 100;
    host("hosta").counters.copied->in += 90;
    suspends("hosta");
    pass(20);
    set_back(back);
    for (const char* name : {"hosta", "hostb"})  // The timer was set before.
      act(host(name), host(name).tracker->tick(at(name)));
    pass(20);
    resumes("hostb");
    pass(1'000);
    leaves("hosta");
    pass(20'000);
    EXPECT_EQ(gap_frames(only("hosta")), 10U) << text(only("hosta"));
  }
}

TEST(Tracker, WakesByTheClockAsItIsNow) {
  for (const Time back : {kSecond, 3600 * kSecond}) {
    TrackerOptions options;
    options.host = "hostb";
    options.hypervisor = true;
    MigrationTracker tracker(options);
    tracker.ready(kStart);
    tracker.event({kStart, Kind::incoming, "uuid", "vm", ""});
    const Time now = kStart - back;
    tracker.switches(true, now);
    ASSERT_TRUE(tracker.wake());
    EXPECT_LE(*tracker.wake(), now + kSecond / 2);
    tracker.tick(now);
    EXPECT_LE(*tracker.wake(), now + kSecond / 2);
  }
}

/// The journal is of a time that is yet to come.
TEST(Tracker, AHalfThatIsRestoredUnderAClockThatWasSetBackEnds) {
  for (const bool source : {true, false}) {
    MigrationRecord record;
    record.id = "uuid@ahead";
    record.vm_uuid = "uuid";
    MigrationHalf& half = source ? record.source : record.destination;
    half.host = "hosta";
    half.began = kStart + 3600 * kSecond;
    (source ? half.suspended : half.resumed) = kStart + 3601 * kSecond;
    TrackerOptions options;
    options.host = "hosta";
    options.hypervisor = true;
    MigrationTracker tracker(options);
    tracker.restore({record}, kStart + 3602 * kSecond, kStart);
    GuestView view;
    view.uuid = "uuid";
    view.ports = source ? 0 : 1;
    tracker.view(view, kStart);
    tracker.ready(kStart);
    for (Time at = kStart; at < kStart + 2 * options.linger; at += kSecond) tracker.tick(at);
    EXPECT_EQ(tracker.counters().open, 0U);
    EXPECT_EQ(tracker.records().at(0).state, MigrationState::done);
  }
}

}  // namespace
}  // namespace vmirror
