// Migrations while something is missing: the other agent, libvirt, this agent itself, a policy, or
// events.
#include <random>
#include <set>

#include "tests/unit/agent/control/affinity/two_hosts.hpp"

namespace vmirror {
namespace {

TEST_F(TwoHosts, WithoutOtherAgentsEachKeepsItsHalf) {
  use(true, false);
  runs_on("hosta");
  tell("hosta", Kind::leaving);
  migrate("hosta", "hostb");
  pass(3000);
  const MigrationRecord a = only("hosta"), b = only("hostb");
  EXPECT_EQ(a.state, MigrationState::done);
  EXPECT_EQ(b.state, MigrationState::done);
  EXPECT_EQ(a.source.port_frames, 50U);
  EXPECT_EQ(a.destination.host, "");
  EXPECT_EQ(b.source.host, "");
  EXPECT_FALSE(gap_frames(a));
  EXPECT_EQ(notes("hostb"), Notes{"no other agent is configured: its half is not known"});
  EXPECT_EQ(a.handover.reason, "no agent of the destination was known in time");
}

TEST_F(TwoHosts, AnAgentThatCanNotBeReached) {
  link(false);
  runs_on("hosta");
  tell("hosta", Kind::leaving);
  migrate("hosta", "hostb");
  pass(5000);
  EXPECT_TRUE(host("hosta").finished.empty());  // It waits for the other half.
  pass(10000);
  EXPECT_EQ(notes("hosta"), Notes{"no other agent told of the guest: its half is not known"});
  EXPECT_EQ(host("hostb").finished.size(), 1U);

  link(true);  // What each knows is told late.
  EXPECT_EQ(only("hosta"), only("hostb"));
  EXPECT_EQ(gap_frames(only("hosta")), 0U);
  EXPECT_EQ(notes("hosta"), Notes{});
  EXPECT_EQ(host("hosta").finished.size(), 1U);
}

TEST_F(TwoHosts, AnAbortThatNobodyTellsIsSeenByAsking) {
  link(false);
  runs_on("hosta");
  tell("hosta", Kind::leaving);
  pass(5000);
  EXPECT_EQ(host("hosta").tracker->migrating(), std::vector<std::string>{kUuid});
  leaving_.clear();
  pass(1100 + 600);  // Asked once a second; then the last counters are read.
  EXPECT_TRUE(host("hosta").tracker->migrating().empty());
  pass(10000);
  EXPECT_EQ(only("hosta").state, MigrationState::aborted);
  EXPECT_EQ(host("hosta").done, Notes{});
}

TEST_F(TwoHosts, AnOldHalfIsToldWhileTheGuestGoesTheSameWayAgain) {
  runs_on("hosta");
  comes("hostb");
  suspends("hosta");
  pass(40);
  resumes("hostb");
  link(false);
  leaves("hosta");
  pass(15000);
  const std::string first = only("hosta").id;
  migrate("hostb", "hosta");
  pass(15000);
  comes("hostb");
  suspends("hosta");
  link(true);
  pass(40);
  resumes("hostb");
  leaves("hosta");
  pass(3000);
  for (const char* name : {"hosta", "hostb"}) {
    std::set<std::string> ids;
    for (const MigrationRecord& r : host(name).tracker->records()) ids.insert(r.id);
    EXPECT_EQ(ids.size(), 3U) << name;
    EXPECT_TRUE(ids.contains(first)) << name;
  }
}

TEST_F(TwoHosts, TheLinkIsCutInTheMiddle) {
  runs_on("hosta");
  comes("hostb");
  link(false);
  suspends("hosta");
  pass(40);
  resumes("hostb");
  leaves("hosta");
  pass(1000);
  link(true);
  pass(3000);
  EXPECT_EQ(only("hosta"), only("hostb"));
  EXPECT_EQ(only("hosta").state, MigrationState::done);
  EXPECT_EQ(notes("hosta"), Notes{});
}

TEST_F(TwoHosts, LibvirtIsGoneInTheMiddle) {
  for (const char* who : {"hosta", "hostb"}) {
    SCOPED_TRACE(who);
    now_ = kStart;
    use(true, true);
    const std::string lost = who;
    Host& blind = host(lost);
    runs_on("hosta");
    comes("hostb");
    act(blind, blind.tracker->hypervisor(false, now_));
    if (lost == "hostb") suspends("hosta");
    pass(40);
    if (lost == "hosta") resumes("hostb");
    traffic("hostb", 20, 20);
    pass(100);
    ports("hosta", 0, 0);
    if (lost == "hostb") tell("hosta", Kind::left);
    pass(400);
    act(blind, blind.tracker->hypervisor(true, now_));
    state("hostb", GuestState::running);
    pass(5000);
    EXPECT_EQ(only("hosta"), only("hostb"));
    EXPECT_EQ(only("hosta").state, MigrationState::done);
    ASSERT_FALSE(notes("hosta").empty());
    EXPECT_EQ(notes("hosta").front(),
              "libvirt on " + lost +
                  (lost == "hosta" ? " was not reachable from 08:00:00.3 to 08:00:00.8"
                                   : " was not reachable from 08:00:00.3 to 08:00:00.8") +
                  ": what happened in between was seen late, or not at all");
  }
}

TEST_F(TwoHosts, AnAgentBeginsAnewInTheMiddle) {
  const struct {
    std::string who;
    int step;  // Killed before: 1 the suspension, 2 the resumption, 3 the source's letting go.
  } table[] = {{"hosta", 1}, {"hosta", 2}, {"hosta", 3}, {"hostb", 1}, {"hostb", 2}, {"hostb", 3}};
  for (const auto& row : table) {
    SCOPED_TRACE(row.who + " before step " + std::to_string(row.step));
    now_ = kStart;
    use(true, true);
    Host& killed = host(row.who);
    const auto kill = [&] {
      link(false);
      killed.up = false;
    };
    runs_on("hosta");
    comes("hostb");
    if (row.step == 1) kill();
    const auto told = [&](const std::string& at, Kind kind) {
      if (host(at).up) tell(at, kind);
    };
    told("hosta", Kind::suspended_leaving);
    host("hosta").view.state = GuestState::leaving;
    show("hosta");
    if (row.step == 2) kill();
    pass(40);
    told("hostb", Kind::resumed_arrived);
    host("hostb").view.state = GuestState::running;
    host("hostb").view.incoming = false;
    show("hostb");
    if (row.step == 3) kill();
    pass(100);
    host("hosta").view.state = GuestState::off;
    ports("hosta", 0, 0);
    told("hosta", Kind::left);
    const Time down = kStart + 310 * kMillisecond;
    pass(1000);

    killed.up = true;
    make(killed);
    const auto journal = killed.journal;
    act(killed, killed.tracker->restore(journal, down, now_));
    if (killed.view.ports > 0) show(row.who);
    act(killed, killed.tracker->ready(now_));
    link(true);
    pass(16000);
    EXPECT_EQ(only("hosta"), only("hostb"));
    EXPECT_EQ(only("hosta").state, MigrationState::done);
    const auto said = notes("hosta");
    EXPECT_TRUE(std::ranges::any_of(said, [&](const std::string& n) {
      return n.starts_with("the agent on " + row.who + " was down from 08:00:00.3 to ") &&
             n.ends_with(": frames in between were not analysed");
    })) << testing::PrintToString(said);
    EXPECT_FALSE(gap_frames(only("hosta")));
  }
}

TEST_F(TwoHosts, APortAloneIsNoArrivalWhileLibvirtIsYetToBeRead) {
  runs_on("hosta");
  comes("hostb");
  Host& b = host("hostb");
  make(b);
  act(b, b.tracker->restore(b.journal, now_ - 100 * kMillisecond, now_));
  act(b, b.tracker->hypervisor(false, now_));
  GuestView view = b.view;
  view.state.reset();
  view.incoming = false;
  act(b, b.tracker->view(view, now_));
  act(b, b.tracker->ready(now_));
  pass(1000);
  act(b, b.tracker->hypervisor(true, now_));
  state("hostb", GuestState::incoming);
  ASSERT_EQ(b.tracker->records().size(), 1U);
  EXPECT_EQ(b.tracker->records()[0].state, MigrationState::running);
  suspends("hosta");
  pass(40);
  resumes("hostb");
  leaves("hosta");
  pass(3000);
  EXPECT_EQ(ms(only("hostb").destination.resumed), 1350);
  EXPECT_EQ(only("hostb").state, MigrationState::done);
}

TEST_F(TwoHosts, WithoutLibvirtTheSwitchesTellEnough) {
  use(false, true);
  runs_on("hosta");
  ports("hostb", 1, 0);
  EXPECT_EQ(host("hostb").tracker->records().size(), 1U);  // The peer has the guest.
  ports("hostb", 1, 1);
  pass(200);
  traffic("hostb", 20, 20);
  ports("hosta", 0, 0);
  pass(8000);
  EXPECT_EQ(only("hosta"), only("hostb"));
  const MigrationRecord r = only("hosta");
  EXPECT_EQ(r.state, MigrationState::done);
  EXPECT_EQ(ms(r.source.port_removed), 200);
  EXPECT_EQ(ms(r.destination.port_added), 0);
  EXPECT_FALSE(r.destination.resumed);
}

TEST_F(TwoHosts, WithoutLibvirtANewGuestIsNoMigration) {
  use(false, true);
  ports("hostb", 1, 1);
  EXPECT_TRUE(host("hostb").tracker->migrating().empty());
  pass(11000);
  EXPECT_TRUE(host("hostb").tracker->records().empty());
  EXPECT_TRUE(host("hostb").journal.empty());
  EXPECT_FALSE(host("hostb").tracker->wake());
}

TEST_F(TwoHosts, AGuestThatNoPolicySelects) {
  selected_ = false;
  runs_on("hosta");
  migrate("hosta", "hostb");
  pass(3000);
  EXPECT_EQ(only("hosta"), only("hostb"));
  const MigrationRecord r = only("hosta");
  EXPECT_FALSE(r.source.mirrored || r.destination.mirrored);
  EXPECT_FALSE(gap_frames(r));
  EXPECT_EQ(notes("hosta"),
            (Notes{"no policy selects the guest on hosta: it was not mirrored there",
                   "no policy selects the guest on hostb: it was not mirrored there"}));
  EXPECT_TRUE(host("hosta").handed_to.empty());
}

TEST_F(TwoHosts, TheMirrorIsActiveOnceAllNicsHaveOne) {
  runs_on("hosta");
  tell("hostb", Kind::incoming);
  state("hostb", GuestState::incoming);
  ports("hostb", 1, 1);
  pass(10);
  ports("hostb", 2, 1);
  pass(10);
  ports("hostb", 2, 2);
  suspends("hosta");
  resumes("hostb");
  leaves("hosta");
  pass(3000);
  EXPECT_EQ(ms(only("hosta").destination.mirror_active), 20);
}

TEST_F(TwoHosts, TheGuestEndsWithTheMigration) {
  runs_on("hosta");
  comes("hostb");
  suspends("hosta");
  tell("hosta", Kind::stopped, "crashed");
  ports("hosta", 0, 0);
  tell("hostb", Kind::stopped, "failed");
  ports("hostb", 0, 0);
  pass(3000);
  EXPECT_EQ(only("hosta").state, MigrationState::lost);
  EXPECT_EQ(only("hosta"), only("hostb"));
  EXPECT_EQ(notes("hosta").front(), "the guest ended on hosta at 08:00:00.3: crashed");
}

TEST_F(TwoHosts, BroadcastsThatCameBeforeItAreDuplicates) {
  runs_on("hosta");
  comes("hostb");
  host("hostb").counters.copied->out += 4;
  host("hostb").counters.copied->first_out = now_;
  pass(300);
  suspends("hosta");
  tell("hostb", Kind::resumed_arrived);
  EXPECT_EQ(host("hostb").done, Notes{"restart first frame"});
  host("hostb").counters.copied->first_out = 0;
  pass(30);
  state("hostb", GuestState::running);
  traffic("hostb", 20, 20);
  leaves("hosta");
  pass(3000);
  EXPECT_EQ(only("hosta").destination.duplicates, 4U);
  EXPECT_EQ(ms(only("hosta").destination.first_frame), 640);
  EXPECT_EQ(gap_frames(only("hosta")), 0U);
}

TEST_F(TwoHosts, AMirrorThatIsAwayForAWhileIsNoted) {
  runs_on("hosta");
  comes("hostb");
  host("hosta").view.in_place = false;
  show("hosta");
  pass(100);
  host("hosta").view.in_place = true;
  show("hosta");
  suspends("hosta");
  resumes("hostb");
  leaves("hosta");
  pass(3000);
  EXPECT_EQ(notes("hostb"),
            Notes{"its mirrors on hosta were not all in place from 08:00:00.3 to 08:00:00.4"});
}

/// Between two readings: four a second, and at the resumption and a quarter of a second after it.
TEST_F(TwoHosts, AnOutputThatWasDownIsNotedWhereItMatters) {
  const struct {
    const char* what;
    const char* at;
    int before, while_suspended, after;  // Losses of its carrier by then; -1: it has none.
    std::string note;
  } table[] = {
      {"never", "hosta", 0, 0, 0, ""},
      {"for a moment, seen later", "hosta", 1, 1, 1, "between 08:00:00.2 and 08:00:00.5"},
      {"until it comes back", "hosta", -1, 1, 1, "between 08:00:00.2 and 08:00:01.3"},
      {"to the end", "hosta", -1, -1, -1, "since 08:00:00.2"},
      {"when the guest was gone", "hosta", 0, 1, 1, ""},
      {"before it came", "hostb", 1, 1, 1, ""},
      {"when it came", "hostb", 0, -1, 1, "between 08:00:01.2 and 08:00:01.6"},
      {"when it was there", "hostb", 0, 0, 1, "between 08:00:01.3 and 08:00:01.6"},
  };
  for (const auto& row : table) {
    SCOPED_TRACE(std::string(row.at) + ", " + row.what);
    now_ = kStart;
    use(true, true);
    const auto set = [&](int losses) {
      auto& output = host(row.at).counters.output;
      output = {losses >= 0, losses >= 0 ? static_cast<std::uint32_t>(losses) : 0};
    };
    set(0);
    runs_on("hosta");
    comes("hostb");
    set(row.before);
    pass(1000);
    suspends("hosta");
    set(row.while_suspended);
    pass(40);
    resumes("hostb");
    set(row.after);
    pass(60);
    leaves("hosta");
    pass(3000);
    const Notes expected =
        row.note.empty() ? Notes{}
                         : Notes{std::string("the port where its copies come out on ") + row.at +
                                 " was down " + row.note + ": is the switch's daemon running?"};
    EXPECT_EQ(notes("hosta"), expected);
  }
}

TEST_F(TwoHosts, AMigrationThatDoesNotEndIsLost) {
  runs_on("hosta");
  comes("hostb");
  suspends("hosta");
  pass(3'620'000);
  EXPECT_EQ(only("hosta").state, MigrationState::lost);
  EXPECT_EQ(only("hosta"), only("hostb"));
}

TEST_F(TwoHosts, EventsThatAreLostDoubledOrLate) {
  struct Step {
    std::string at;
    Kind kind;
    GuestState state;
    std::size_t ports;
  };
  const std::vector<Step> steps{{"hostb", Kind::incoming, GuestState::incoming, 0},
                                {"hostb", Kind::changed, GuestState::incoming, 1},
                                {"hosta", Kind::leaving, GuestState::running, 1},
                                {"hosta", Kind::suspended_leaving, GuestState::leaving, 1},
                                {"hostb", Kind::resumed_arrived, GuestState::running, 1},
                                {"hosta", Kind::changed, GuestState::leaving, 0},
                                {"hosta", Kind::left, GuestState::off, 0}};
  for (unsigned seed = 1; seed <= 500; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::minstd_rand random(seed);
    now_ = kStart;
    use(true, true);
    runs_on("hosta");
    struct Late {
      std::size_t step;
      std::string at;
      GuestEvent event;
    };
    std::vector<Late> late;
    const auto deliver = [&](std::size_t step) {
      for (const Late& l : late)
        if (l.step == step) act(host(l.at), host(l.at).tracker->event(l.event));
    };
    for (std::size_t i = 0; i < steps.size(); ++i) {
      const Step& step = steps[i];
      const GuestEvent event{now_, step.kind, kUuid, "dc1", ""};
      const unsigned fate = random() % 4;  // Lost, told, told twice, told late.
      for (unsigned n = 0; n < (fate == 2 ? 2 : fate); ++n)
        if (fate < 3) act(host(step.at), host(step.at).tracker->event(event));
      if (fate == 3) late.push_back({i + 1 + random() % 3, step.at, event});
      host(step.at).view.state = step.state;
      host(step.at).view.incoming = step.state == GuestState::incoming;
      ports(step.at, step.ports, step.ports);
      pass(20 * static_cast<Time>(1 + random() % 10));
      deliver(i);
    }
    for (std::size_t i = steps.size(); i < steps.size() + 4; ++i) {
      pass(random() % 2 == 0 ? 100 : 20000);  // Also after the record was finished.
      deliver(i);
    }
    pass(30000);
    for (const char* name : {"hosta", "hostb"}) {
      EXPECT_EQ(host(name).tracker->counters().open, 0U) << name;
      ASSERT_EQ(host(name).tracker->records().size(), 1U) << name;
    }
    EXPECT_EQ(only("hosta"), only("hostb"));
    EXPECT_EQ(only("hosta").state, MigrationState::done);
  }
}

/// The guest goes to and fro while agents are killed and come back, at any moment. At most one is
/// dead at a time, and none for longer than the next migration's beginning: who sleeps through more
/// than one can't tell them apart.
class ToAndFro : public TwoHosts {
 protected:
  struct Went {
    std::string from, to;
    Time began, ended;
  };

  Time up_to(unsigned milliseconds) { return static_cast<Time>(random_() % milliseconds); }

  void revive(const std::string& name) {
    Host& h = host(name);
    h.up = true;
    make(h);
    const auto journal = h.journal;
    act(h, h.tracker->restore(journal, now_ - 100 * kMillisecond, now_));
    if (h.view.ports > 0) show(name);
    act(h, h.tracker->ready(now_));
    since_[name] = now_;
    linked_at_ = now_ + up_to(700) * kMillisecond;
  }

  /// Who dies again before a half is told to its end, can forget what nobody can say later.
  void perhaps_kill() {
    if (random_() % 6 != 0) return;
    const std::string name = random_() % 2 == 0 ? "hosta" : "hostb";
    if (!back_.empty() || now_ < since_[name] + 3 * kSecond) return;
    if (linked_) link(false);
    host(name).up = false;
    back_[name] = now_ + (random_() % 4 == 0 ? 12000 : 200 + up_to(1500)) * kMillisecond;
    since_[name] = now_;
  }

  void go_on(Time milliseconds) {
    for (Time t = 0; t < milliseconds; t += 10) {
      pass(10);
      std::erase_if(back_, [&](const auto& dead) {
        if (dead.second > now_) return false;
        revive(dead.first);
        return true;
      });
      if (back_.empty() && !linked_ && linked_at_ <= now_) link(true);
    }
  }

  void told(const std::string& at, Kind kind) {
    if (host(at).up) tell(at, kind);
  }

  Went go(const std::string& from, const std::string& to) {
    Went went{from, to, now_, 0};
    const auto then = [&] {
      perhaps_kill();
      go_on(30 + up_to(400));
    };
    leaving_ = {from};
    perhaps_kill();
    told(to, Kind::incoming);
    state(to, GuestState::incoming);
    ports(to, 1, 1);
    then();
    if (random_() % 2 == 0) told(from, Kind::leaving);
    then();
    told(from, Kind::suspended_leaving);
    state(from, GuestState::leaving);
    then();
    told(to, Kind::resumed_arrived);
    state(to, GuestState::running);
    traffic(to, 20, 20);
    then();
    leaving_.clear();
    host(from).view.state = GuestState::off;
    ports(from, 0, 0);
    told(from, Kind::left);
    went.ended = now_;
    return went;
  }

  std::vector<Went> go_four_times() {
    std::vector<Went> all;
    std::string from = "hosta", to = "hostb";
    for (int i = 0; i < 4; ++i) {
      go_on(random_() % 5 == 0 ? 12000 : 50 + up_to(2000));
      while (!all.empty() && std::ranges::any_of(back_, [&](const auto& dead) {
        return since_[dead.first] <= all.back().began;
      }))
        go_on(10);
      all.push_back(go(from, to));
      std::swap(from, to);
    }
    go_on(40000);
    return all;
  }

  /// No record holds halves of two migrations, no host has two of one, in the end both say the same
  /// of it, and there is none that nobody has a record of.
  void check(const std::vector<Went>& all) {
    std::map<std::size_t, std::string> ids;
    std::map<std::string, std::string> told_of;
    for (const char* name : {"hosta", "hostb"}) {
      EXPECT_EQ(host(name).tracker->counters().open, 0U);
      EXPECT_LE(host(name).tracker->records().size(), all.size()) << name;
      std::set<std::size_t> seen;
      for (const MigrationRecord& r : host(name).tracker->records()) {
        std::vector<Time> steps;
        for (const auto& time : {r.destination.port_added, r.source.suspended,
                                 r.destination.resumed, r.source.port_removed})
          if (time) steps.push_back(*time);
        if (steps.empty()) continue;  // Which one it is, can't be told.
        const auto [first, last] = std::ranges::minmax(steps);
        const auto went =
            std::ranges::find_if(all, [&](const Went& w) { return first <= w.ended; });
        ASSERT_NE(went, all.end());
        EXPECT_TRUE(first >= went->began && last <= went->ended) << text(r);
        EXPECT_TRUE(r.source.host.empty() || r.source.host == went->from) << text(r);
        EXPECT_TRUE(r.destination.host.empty() || r.destination.host == went->to) << text(r);
        const auto which = static_cast<std::size_t>(went - all.begin());
        EXPECT_TRUE(seen.insert(which).second) << name << " has two records of one migration";
        EXPECT_EQ(ids.try_emplace(which, r.id).first->second, r.id) << "migration " << which;
        EXPECT_EQ(told_of.try_emplace(r.id, text(r)).first->second, text(r));
      }
    }
    EXPECT_EQ(ids.size(), all.size()) << "nobody has a record of some";
  }

  std::minstd_rand random_;
  std::map<std::string, Time> back_;   // Who is dead, until when.
  std::map<std::string, Time> since_;  // When who was killed or began last.
  Time linked_at_ = 0;
};

TEST_F(ToAndFro, WhileAgentsAreKilled) {
  for (unsigned seed = 1; seed <= 2000 && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    random_.seed(seed);
    now_ = kStart;
    leaving_.clear();
    since_.clear();
    linked_at_ = 0;
    use(true, true);
    runs_on("hosta");
    check(go_four_times());
  }
}

}  // namespace
}  // namespace vmirror
