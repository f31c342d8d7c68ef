// Migrations between two hosts: what is seen, in its order, and what the record says of it in the
// end. Faults of the parts in between are in migration_faults_test.cpp.
#include "tests/unit/agent/control/affinity/two_hosts.hpp"

namespace vmirror {
namespace {

TEST_F(TwoHosts, ANormalMigration) {
  runs_on("hosta");
  migrate("hosta", "hostb");
  EXPECT_EQ(host("hosta").finished.size(), 0U);
  pass(3000);
  const MigrationRecord r = only("hosta");
  EXPECT_EQ(r, only("hostb"));
  EXPECT_EQ(r.state, MigrationState::done);
  EXPECT_EQ(r.vm_name, "dc1");
  EXPECT_EQ(r.vm_uuid, kUuid);
  EXPECT_EQ(r.id, std::string(kUuid) + "@2027-01-15T08:00:00.000000Z");
  EXPECT_EQ(r.source.host, "hosta");
  EXPECT_EQ(r.destination.host, "hostb");
  EXPECT_EQ(ms(r.destination.port_added), 0);
  EXPECT_EQ(ms(r.destination.mirror_active), 10);
  EXPECT_EQ(ms(r.source.suspended), 310);
  EXPECT_EQ(ms(r.source.last_frame), 310);
  EXPECT_EQ(ms(r.destination.resumed), 350);
  EXPECT_EQ(ms(r.destination.first_frame), 350);
  EXPECT_EQ(ms(r.source.mirror_removed), 450);
  EXPECT_EQ(ms(r.source.port_removed), 450);
  EXPECT_EQ(gap_frames(r), 0U);
  EXPECT_EQ(gap(r), 0);
  EXPECT_EQ(downtime(r), 40 * kMillisecond);
  EXPECT_EQ(r.source.port_frames, 50U);
  EXPECT_EQ(r.destination.port_frames, 20U);
  EXPECT_EQ(r.handover.state, HandoverResult::State::taken);
  EXPECT_EQ(host("hosta").handed_to, Notes{"hostb"});
  EXPECT_EQ(host("hosta").done, Notes{"let go"});
  EXPECT_EQ(host("hostb").done, Notes{});
  EXPECT_EQ(notes("hosta"), Notes{});
  EXPECT_FALSE(host("hosta").tracker->wake());
}

TEST_F(TwoHosts, WhatIsToldTwiceChangesNothing) {
  doubled_ = true;
  runs_on("hosta");
  migrate("hosta", "hostb");
  pass(3000);
  EXPECT_EQ(only("hosta"), only("hostb"));
  EXPECT_EQ(only("hosta").state, MigrationState::done);
  EXPECT_EQ(host("hosta").handed_to, Notes{"hostb"});
  EXPECT_EQ(notes("hosta"), Notes{});
}

TEST_F(TwoHosts, FramesThatNoMirrorCopiedAreTheGap) {
  runs_on("hosta");
  comes("hostb");
  traffic("hosta", 50, 43);
  suspends("hosta");
  pass(40);
  tell("hostb", Kind::resumed_arrived);
  traffic("hostb", 20, 9);
  pass(100);
  leaves("hosta");
  pass(3000);
  EXPECT_EQ(gap_frames(only("hosta")), 18U);
  EXPECT_EQ(only("hosta").source.copied_frames, 43U);
  EXPECT_EQ(only("hostb").destination.copied_frames, 9U);
}

TEST_F(TwoHosts, AHandoverIsExpectedOfAnOpenMigrationFromItsSourceOnly) {
  const std::string id = std::string(kUuid) + "@1";
  const auto expected = [&](const char* at, const char* from) {
    return host(at).tracker->expected_from(from, id).has_value();
  };
  runs_on("hosta");
  EXPECT_FALSE(expected("hostb", "hosta")) << "nothing migrates";
  comes("hostb");
  EXPECT_TRUE(expected("hostb", "hosta"));
  EXPECT_FALSE(expected("hostb", "hostc")) << "from elsewhere";
  EXPECT_FALSE(expected("hosta", "hostb")) << "the other way round";
  EXPECT_FALSE(host("hostb").tracker->expected_from("hosta", "another@1")) << "another guest";
  suspends("hosta");
  pass(20);
  tell("hostb", Kind::stopped, "crashed");
  ports("hostb", 0, 0);
  pass(60000);
  EXPECT_FALSE(expected("hostb", "hosta")) << "over";
}

TEST_F(TwoHosts, AMirrorThatComesLateIsTheGapInTime) {
  runs_on("hosta");
  tell("hostb", Kind::incoming);
  state("hostb", GuestState::incoming);
  ports("hostb", 1, 0);
  pass(20);
  suspends("hosta");
  pass(40);
  tell("hostb", Kind::resumed_arrived);
  host("hostb").counters.port->out_frames += 7;
  pass(70);
  host("hostb").view.state = GuestState::running;
  host("hostb").view.incoming = false;
  ports("hostb", 1, 1);
  traffic("hostb", 20, 20);
  leaves("hosta");
  pass(3000);
  const MigrationRecord r = only("hostb");
  EXPECT_EQ(gap(r), 70 * kMillisecond);
  EXPECT_EQ(gap_frames(r), 7U);
  EXPECT_EQ(notes("hostb"), Notes{});
}

TEST_F(TwoHosts, AbortedBeforeTheSwitchOver) {
  runs_on("hosta");
  comes("hostb");
  tell("hostb", Kind::stopped, "failed");
  ports("hostb", 0, 0);
  pass(3000);
  EXPECT_EQ(only("hosta"), only("hostb"));
  EXPECT_EQ(only("hosta").state, MigrationState::aborted);
  EXPECT_EQ(notes("hosta"), Notes{"the guest did not come to hostb: failed"});
  EXPECT_EQ(host("hosta").done, Notes{});
  EXPECT_EQ(host("hostb").done, Notes{"let go"});
}

TEST_F(TwoHosts, TheDestinationFailsAfterTheSuspension) {
  runs_on("hosta");
  comes("hostb");
  suspends("hosta");
  pass(20);
  tell("hostb", Kind::stopped, "crashed");
  ports("hostb", 0, 0);
  pass(20);
  tell("hosta", Kind::resumed_here);
  state("hosta", GuestState::running);
  pass(3000);
  EXPECT_EQ(only("hosta"), only("hostb"));
  EXPECT_EQ(only("hosta").state, MigrationState::aborted);
  EXPECT_EQ(ms(only("hosta").source.resumed), 350);
}

TEST_F(TwoHosts, PostCopy) {
  runs_on("hosta");
  comes("hostb");
  suspends("hosta");
  tell("hosta", Kind::suspended_postcopy);
  pass(20);
  resumes("hostb", Kind::resumed_postcopy);
  pass(5000);  // Its memory follows.
  tell("hostb", Kind::resumed_arrived);
  leaves("hosta");
  pass(3000);
  EXPECT_EQ(only("hosta"), only("hostb"));
  const MigrationRecord r = only("hosta");
  EXPECT_EQ(r.state, MigrationState::done);
  EXPECT_TRUE(r.source.postcopy && r.destination.postcopy);
  EXPECT_EQ(ms(r.destination.resumed), 330);
  EXPECT_EQ(gap_frames(r), 0U);
}

TEST_F(TwoHosts, ThereAndBackQuickly) {
  runs_on("hosta");
  migrate("hosta", "hostb");
  pass(50);
  migrate("hostb", "hosta");
  pass(4000);
  for (const char* name : {"hosta", "hostb"}) {
    const auto records = host(name).tracker->records();
    ASSERT_EQ(records.size(), 2U) << name;
    EXPECT_EQ(host(name).finished.size(), 2U);
    const bool in_order = records[0].source.host == "hosta";
    EXPECT_EQ(records[in_order ? 1 : 0].source.host, "hostb");
    for (const MigrationRecord& r : records) {
      EXPECT_EQ(r.state, MigrationState::done);
      EXPECT_TRUE(r.source.ended && r.destination.ended);
      EXPECT_TRUE(r.source.suspended && r.destination.resumed);
    }
  }
}

/// Its port is there again, with counters of its own, before libvirt tells of it, and while the
/// frames of its last stay are still read.
TEST_F(TwoHosts, APortThatIsBackAtOnceIsAnotherStay) {
  runs_on("hosta");
  migrate("hosta", "hostb");
  pass(50);
  ports("hosta", 1, 0);
  pass(100);
  const MigrationRecord r = host("hosta").tracker->records().at(0);
  EXPECT_EQ(r.source.notes, Notes{});
  EXPECT_EQ(r.source.port_frames, 50U);
  EXPECT_EQ(r.source.copied_frames, 50U);
  EXPECT_EQ(host("hosta").done, Notes{"let go"});  // Before its state is given anew.
  migrate("hostb", "hosta");
  pass(4000);
  EXPECT_EQ(host("hosta").finished.size(), 2U);
  EXPECT_EQ(host("hosta").done, Notes{"let go"});
}

/// It is back while the engine is still read to the end: the old half ends, and lets go, at once.
TEST_F(TwoHosts, AGuestThatIsBackWasLetGo) {
  for (const bool told : {true, false}) {
    SCOPED_TRACE(told ? "its leaving was told" : "its leaving was not told");
    now_ = kStart;
    use(true, true);
    runs_on("hosta");
    comes("hostb");
    suspends("hosta");
    pass(40);
    resumes("hostb");
    if (told) tell("hosta", Kind::left);
    EXPECT_EQ(host("hosta").done, Notes{});
    tell("hosta", Kind::incoming);
    EXPECT_EQ(host("hosta").done, Notes{"let go"});
  }
}

/// A half whose end nobody told, and the guest is asked for anew: it may not have left at all.
TEST_F(TwoHosts, AGuestThatIsAskedForAgainIsNotLetGo) {
  runs_on("hosta");
  comes("hostb");
  link(false);
  pass(1000);
  tell("hostb", Kind::stopped, "failed");
  ports("hostb", 0, 0);
  pass(30'000);
  ASSERT_FALSE(host("hosta").tracker->migrating().empty());
  comes("hostb");
  link(true);
  pass(1000);
  EXPECT_EQ(host("hosta").done, Notes{});
}

/// A host that crashed and came back still has the guest's port in its switch.
TEST_F(TwoHosts, APortThatWasLeftBehindIsNoSource) {
  const struct {
    const char* what;
    std::optional<GuestState> state;
    bool read, begins;
  } table[] = {{"libvirt does not know the guest", {}, true, false},
               {"libvirt says it is off", GuestState::off, true, false},
               {"libvirt says it runs", GuestState::running, true, true},
               {"libvirt was not read yet", {}, false, true}};
  for (const auto& row : table) {
    SCOPED_TRACE(row.what);
    now_ = kStart;
    libvirt_read_ = row.read;
    use(true, true);
    host("hosta").view.state = row.state;
    ports("hosta", 1, 1);
    tell("hostb", Kind::incoming);
    EXPECT_EQ(host("hosta").tracker->records().size(), row.begins ? 1U : 0U);
    EXPECT_EQ(host("hosta").tracker->counters().ignored, row.begins ? 0U : 1U);
  }
}

// ---- Bounds

TEST(Tracker, OpenAndKeptRecordsAreBounded) {
  TrackerOptions options;
  options.host = "hostb";
  options.hypervisor = true;
  options.open = 4;
  options.kept = 3;
  MigrationTracker tracker(options);
  tracker.ready(kStart);
  for (int i = 0; i < 10; ++i)
    tracker.event({kStart + i, Kind::incoming, "uuid-" + std::to_string(i), "vm", ""});
  EXPECT_EQ(tracker.counters().open, 4U);
  EXPECT_EQ(tracker.counters().refused, 6U);
  for (int i = 0; i < 4; ++i)
    tracker.event({kStart + kSecond, Kind::stopped, "uuid-" + std::to_string(i), "vm", ""});
  tracker.tick(kStart + 10 * kSecond);
  EXPECT_EQ(tracker.counters().open, 0U);
  EXPECT_EQ(tracker.counters().kept, 3U);
  EXPECT_EQ(tracker.counters().dropped, 1U);
  EXPECT_EQ(tracker.counters().finished[MigrationState::aborted], 4U);
}

TEST(Tracker, NotesAreBounded) {
  TrackerOptions options;
  options.host = "hostb";
  options.hypervisor = true;
  MigrationTracker tracker(options);
  tracker.ready(kStart);
  tracker.event({kStart, Kind::incoming, "uuid", "vm", ""});
  for (int i = 1; i <= 40; ++i) tracker.hypervisor(i % 2 == 0, kStart + i * kSecond);
  EXPECT_EQ(tracker.records().front().destination.notes.size(), options.notes);
  EXPECT_EQ(tracker.counters().notes_dropped, 4U);
}

TEST(Tracker, AMoveThatIsSeenAsAWholeIsAFinishedRecord) {
  TrackerOptions options;
  options.host = "elsewhere";
  options.kept = 2;
  MigrationTracker tracker(options);
  tracker.ready(kStart);
  std::size_t finished = 0;
  for (int i = 0; i < 3; ++i) {
    const SeenMove move{.vm_uuid = "u" + std::to_string(i),
                        .vm_name = "vm",
                        .from = "a",
                        .to = "b",
                        .mirrored = true,
                        .in_place = i == 2,
                        .notes = {"not measured"}};
    for (const TrackerAction& action : tracker.moved(move, kStart + i * kSecond))
      finished += std::holds_alternative<RecordFinished>(action) ? 1 : 0;
  }
  EXPECT_EQ(finished, 3U);
  ASSERT_EQ(tracker.records().size(), options.kept);
  EXPECT_TRUE(tracker.migrating().empty());
  const MigrationRecord r = tracker.records().back();
  EXPECT_EQ(r.id, "u2@" + format_time(kStart + 2 * kSecond));
  EXPECT_EQ(r.state, MigrationState::done);
  EXPECT_EQ(r.source.host + ">" + r.destination.host, "a>b");
  EXPECT_EQ(r.destination.mirror_active, kStart + 2 * kSecond);
  EXPECT_FALSE(tracker.records().front().destination.mirror_active);
  EXPECT_EQ(r.destination.notes, std::vector<std::string>{"not measured"});
  EXPECT_EQ(gap(r), std::nullopt);
  EXPECT_EQ(gap_frames(r), std::nullopt);
}

TEST(Tracker, TwoGuestsAtOnce) {
  TrackerOptions options;
  options.host = "hostb";
  options.hypervisor = true;
  MigrationTracker tracker(options);
  tracker.ready(kStart);
  for (const char* uuid : {"u1", "u2"}) tracker.event({kStart, Kind::incoming, uuid, uuid, ""});
  EXPECT_EQ(tracker.migrating(), (std::vector<std::string>{"u1", "u2"}));
  tracker.event({kStart + 5, Kind::resumed_arrived, "u2", "u2", ""});
  tracker.event({kStart + 6, Kind::stopped, "u1", "u1", "failed"});
  tracker.tick(kStart + 20 * kSecond);
  const auto records = tracker.records();
  ASSERT_EQ(records.size(), 2U);
  for (const MigrationRecord& r : records)
    EXPECT_EQ(r.state, r.vm_uuid == "u2" ? MigrationState::done : MigrationState::aborted);
}

}  // namespace
}  // namespace vmirror
