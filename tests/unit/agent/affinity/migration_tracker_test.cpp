// Migrations between two hosts, each with a tracker of its own and a link between them: what is
// seen, in its order, and what the record says of it in the end. Times are milliseconds.
#include "agent/affinity/migration_tracker.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <random>

namespace vmirror {
namespace {

using Kind = GuestEvent::Kind;
constexpr const char* kUuid = "6f0c1d6e-8d7a-4f35-9a55-0a2f6b1c7d10";
constexpr Time kStart = 1'800'000'000 * kSecond;

/// One host: its tracker, what the guest's ports and mirrors are there, and what was done.
struct Host {
  std::string name;
  std::unique_ptr<MigrationTracker> tracker;
  GuestView view;
  bool up = true;
  GuestCounters counters;
  std::vector<MigrationRecord> journal, finished;
  std::vector<std::string> handed_to, done;  // done: names of actions, without reading counters.
};

class TwoHosts : public testing::Test {
 protected:
  TwoHosts() { use(true, true); }

  void use(bool hypervisor, bool peers) {
    hypervisor_ = hypervisor;
    peers_ = peers;
    for (const char* name : {"hosta", "hostb", "hostc"}) {
      Host& host = hosts_[name];
      host = Host{};
      host.name = name;
      host.view.uuid = kUuid;
      host.view.name = "dc1";
      host.view.interface_ids = {"nic-1"};
      make(host);
    }
    link(peers);
    for (const char* name : {"hosta", "hostb"}) act(host(name), host(name).tracker->ready(now()));
  }

  void make(Host& host) {
    TrackerOptions options;
    options.host = host.name;
    options.hypervisor = hypervisor_;
    if (peers_) options.peers = {"hosta", "hostb", "hostc"};
    host.tracker = std::make_unique<MigrationTracker>(options);
  }

  Host& host(const std::string& name) { return hosts_[name]; }
  Time now() const { return now_; }

  void link(bool up) {
    linked_ = up;
    for (const auto& [one, other] : {std::pair{"hosta", "hostb"}, std::pair{"hostb", "hosta"}}) {
      MigrationTracker& t = *host(one).tracker;
      t.clock_offset(other, up ? std::optional<Time>(0) : std::nullopt);
      act(host(one), up ? t.peer_up(other, now_) : t.peer_down(other, now_));
    }
  }

  /// Does what a tracker says, as the daemon would.
  void act(Host& at, const TrackerActions& actions) {
    for (const TrackerAction& action : actions) {
      if (const auto* send = std::get_if<SendMigration>(&action)) {
        const std::string other = at.name == "hosta" ? "hostb" : "hosta";
        if (!linked_ || !host(other).up || (!send->to.empty() && send->to != other)) continue;
        // As it goes over the link.
        const auto message = parse_migration_message(encode(send->message));
        ASSERT_TRUE(message) << message.error().text();
        for (int i = 0; i < (doubled_ ? 2 : 1); ++i)
          act(host(other), host(other).tracker->message(at.name, *message, now_));
      } else if (std::get_if<ReadCounters>(&action)) {
        act(at, at.tracker->counters(kUuid, at.counters, now_));
      } else if (const auto* hand = std::get_if<HandOverGuest>(&action)) {
        at.handed_to.push_back(hand->to);
        HandoverResult sent{HandoverResult::State::sent, 3, 2, 1, 100, ""};
        act(at, at.tracker->handed_over(hand->id, sent, now_));
        sent.state = HandoverResult::State::taken;
        act(host(hand->to), host(hand->to).tracker->handed_over(hand->id, sent, now_));
      } else if (const auto* changed = std::get_if<RecordChanged>(&action)) {
        std::erase_if(at.journal, [&](const MigrationRecord& r) {
          return r.id == changed->record.id || r.id == changed->replaces;
        });
        at.journal.push_back(changed->record);
      } else if (const auto* over = std::get_if<RecordFinished>(&action)) {
        at.finished.push_back(over->record);
      } else if (std::get_if<RestartFirstFrame>(&action)) {
        at.done.push_back("restart first frame");
      } else {
        at.done.push_back("let go");
      }
    }
  }

  /// Lets time pass; the trackers wake when they want to.
  void pass(Time milliseconds) {
    const Time until = now_ + milliseconds * kMillisecond;
    while (now_ < until) {
      now_ = std::min(until, now_ + 10 * kMillisecond);
      for (auto& [name, h] : hosts_)
        if (const auto wake = h.tracker->wake(); h.up && wake && *wake <= now_)
          act(h, h.tracker->tick(now_));
    }
  }

  void tell(const std::string& at, Kind kind, const std::string& detail = "") {
    Host& h = host(at);
    for (int i = 0; i < (doubled_ ? 2 : 1); ++i)
      act(h, h.tracker->event({now_, kind, kUuid, "dc1", detail}));
  }
  void show(const std::string& at) {
    Host& h = host(at);
    if (!h.up) return;
    GuestView view = h.view;
    if (!hypervisor_) view.state.reset();
    for (int i = 0; i < (doubled_ ? 2 : 1); ++i) act(h, h.tracker->view(view, now_));
  }
  void state(const std::string& at, GuestState state) {
    host(at).view.state = state;
    host(at).view.incoming = state == GuestState::incoming;
    show(at);
  }
  /// Its ports, and how many of their mirrors are there.
  void ports(const std::string& at, std::size_t ports, std::size_t mirrors) {
    GuestView& view = host(at).view;
    view.ports = ports;
    view.mirrors = mirrors;
    view.wanted = selected_ && ports > 0;
    view.in_place = view.wanted && mirrors == ports;
    view.countable = view.wanted;
    if (ports == 0) host(at).counters.port.reset();
    if (ports > 0 && !host(at).counters.port) host(at).counters.port.emplace();
    if (mirrors == 0) host(at).counters.copied.reset();
    if (mirrors > 0 && !host(at).counters.copied) host(at).counters.copied.emplace();
    show(at);
  }
  void runs_on(const std::string& at) {
    host(at).view.state = GuestState::running;
    ports(at, 1, selected_ ? 1 : 0);
    traffic(at, 1000, 1000);
  }
  /// The guest sent frames; `copied` of them reached the engine.
  void traffic(const std::string& at, std::uint64_t frames, std::uint64_t copied) {
    GuestCounters& c = host(at).counters;
    if (c.port) c.port->out_frames += frames;
    if (!c.copied) return;
    c.copied->out += copied;
    if (c.copied->first_out == 0) c.copied->first_out = now_;
    c.copied->last_out = now_;
  }

  // -- the steps of a migration --
  void comes(const std::string& to) {
    tell(to, Kind::incoming);
    state(to, GuestState::incoming);
    ports(to, 1, 0);
    pass(10);
    if (selected_) ports(to, 1, 1);
    pass(300);
  }
  void suspends(const std::string& from, Kind kind = Kind::suspended_leaving) {
    tell(from, kind);
    state(from, GuestState::leaving);
  }
  void resumes(const std::string& to, Kind kind = Kind::resumed_arrived) {
    tell(to, kind);
    state(to, GuestState::running);
    traffic(to, 20, 20);
  }
  void leaves(const std::string& from) {
    ports(from, 0, 0);
    tell(from, Kind::left);
    state(from, GuestState::off);
  }
  void migrate(const std::string& from, const std::string& to) {
    comes(to);
    traffic(from, 50, 50);
    suspends(from);
    pass(40);
    resumes(to);
    pass(100);
    leaves(from);
  }
  const MigrationRecord& only(const std::string& at) {
    EXPECT_EQ(host(at).finished.size(), 1U) << at;
    static const MigrationRecord none;
    return host(at).tracker->records().empty() ? none
                                               : (last_ = host(at).tracker->records().back());
  }
  std::vector<std::string> notes(const std::string& at) {
    const MigrationRecord r = only(at);
    std::vector<std::string> out = r.source.notes;
    out.insert(out.end(), r.destination.notes.begin(), r.destination.notes.end());
    return out;
  }
  using Notes = std::vector<std::string>;

  Time now_ = kStart;
  bool linked_ = false, hypervisor_ = true, peers_ = true, selected_ = true, doubled_ = false;
  std::map<std::string, Host> hosts_;
  MigrationRecord last_;
};

Time ms(const std::optional<Time>& time) {
  return time ? (*time - kStart) / kMillisecond : -1;
}

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
  suspends("hosta", Kind::suspended_postcopy);
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
      EXPECT_TRUE(r.source.complete && r.destination.complete);
      EXPECT_TRUE(r.source.suspended && r.destination.resumed);
    }
  }
}

TEST_F(TwoHosts, WithoutOtherAgentsEachKeepsItsHalf) {
  use(true, false);
  runs_on("hosta");
  tell("hosta", Kind::iteration, "iteration 1");
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
  tell("hosta", Kind::iteration, "iteration 1");
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
                                {"hosta", Kind::iteration, GuestState::running, 1},
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
