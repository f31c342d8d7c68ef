// The reconciler driven against the fake switch, with a clock that the test turns: what it does
// when, and that it ends in the same state whatever fails on the way.
#include "agent/control/reconcile/reconciler.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "agent/control/affinity/locate.hpp"
#include "plugin/fake/driver.hpp"
#include "tests/support/converge.hpp"

namespace vmirror {
namespace {

Policy policy(const std::string& name, const std::string& port, std::vector<Target> targets) {
  Policy p;
  p.name = name;
  Selector s;
  s.port = port;
  p.select = {s};
  p.targets = std::move(targets);
  return p;
}

/// A switch with three guests and a mirror of somebody else's, and a reconciler.
class Shell {
 public:
  explicit Shell(FakeProfile profile = FakeProfile::transaction)
      : world(std::make_shared<FakeWorld>(profile)) {
    driver->on_change([this] { reconciler.hint(); });
    if (profile != FakeProfile::transaction) return;
    world->edit([](FakeWorld::Switches& switches) {
      auto& on = switches["br0"];
      on.sw.name = "br0";
      for (const char* name : {"vnet0", "vnet1", "vnet2"}) {
        Port port;
        port.name = name;
        port.counters = PortCounters{};
        on.sw.ports[name] = port;
      }
      Mirror foreign;
      foreign.name = "theirs";
      foreign.switch_name = "br0";
      foreign.out_ports = {"vnet2"};
      foreign.output = VlanOutput{77};
      on.sw.mirrors["theirs"] = foreign;
    });
  }

  /// Does what the reconciler says for so long; returns the actions, one letter each: o, s.
  std::string run(Time span) {
    std::string did;
    const Time end = now + span;
    while (true) {
      const auto action = reconciler.next(now);
      if (const auto* wait = std::get_if<Reconciler::Wait>(&action)) {
        EXPECT_GT(wait->until, now);
        if (wait->until > end) break;
        now = wait->until;
      } else if (const auto* submit = std::get_if<Reconciler::Submit>(&action)) {
        did += 's';
        reconciler.submitted(driver->submit(submit->steps), now);
      } else {
        did += 'o';
        reconciler.observed(driver->observe(), now);
      }
      if (did.size() > 100000) {
        ADD_FAILURE() << "it does not rest";
        break;
      }
    }
    now = end;
    return did;
  }
  ControlSnapshot snapshot() const { return reconciler.snapshot(now); }
  std::string switch_text() { return test::to_text(**driver->observe()); }

  Time now = 1000 * kSecond;
  std::shared_ptr<FakeWorld> world;
  std::unique_ptr<Driver> driver = make_fake_driver(world, "vmirror");
  Reconciler::LocatePortless portless;  ///< Empty: there are none.
  Reconciler reconciler{{},
                        [](const std::string& switch_name, const Port& port) {
                          return locate("host", switch_name, port, nullptr);
                        },
                        driver->realiser(),
                        [this](const std::string& uuid, const std::vector<const Port*>& ports,
                               const Observed& observed) {
                          return portless ? portless(uuid, ports, observed) : Locations();
                        }};
};

const std::vector<Policy> kPolicies = {policy("s", "vnet[01]", {LocalTarget{}, RspanTarget{100}}),
                                       policy("b", "vnet2", {LocalTarget{}})};

TEST(Reconciler, NothingIsChangedBeforeAPolicyIsKnown) {
  Shell shell;
  shell.reconciler.set_policies(kPolicies);
  shell.run(kSecond);
  const std::string mirrored = shell.switch_text();
  Shell after;  // A daemon that starts with its predecessor's mirrors there and a bad folder.
  after.world = shell.world;
  after.driver = make_fake_driver(shell.world, "vmirror");
  EXPECT_EQ(after.run(5 * kSecond), "oooooo");
  EXPECT_EQ(after.switch_text(), mirrored);
  EXPECT_FALSE(after.snapshot().in_sync());
}

TEST(Reconciler, ObserveSubmitReadBackThenOnceASecond) {
  Shell shell;
  shell.reconciler.set_policies(kPolicies);
  // The read-back; then its own changes hint once more; then the timer.
  EXPECT_EQ(shell.run(10 * kMillisecond), "oso");
  EXPECT_TRUE(shell.snapshot().in_sync());
  EXPECT_EQ(shell.run(3 * kSecond), "ooo");
  EXPECT_EQ(shell.snapshot().sessions.size(), 5U);
  EXPECT_EQ(shell.snapshot().drifts, 0U);
}

TEST(Reconciler, APortThatAppearsIsMirroredAtOnce) {
  Shell shell;
  shell.reconciler.set_policies({policy("s", "vnet*", {LocalTarget{}})});
  shell.run(1500 * kMillisecond);
  shell.world->edit([](auto& switches) { switches["br0"].sw.ports["vnet9"].name = "vnet9"; });
  EXPECT_EQ(shell.run(0), "oso");
  EXPECT_TRUE(shell.snapshot().sessions.at("vnet9@local").in_place);
  EXPECT_EQ(shell.snapshot().drifts, 0U);
}

TEST(Reconciler, ASwitchThatCarriesNothingOutIsToldAndLeftToItsPlan) {
  Shell shell;
  shell.reconciler.set_policies(kPolicies);
  shell.run(kSecond);
  shell.world->set_working(false);
  shell.run(kStallPatience - 2 * kSecond);
  EXPECT_FALSE(shell.snapshot().stall) << "it may be starting";
  shell.run(3 * kSecond);
  ASSERT_TRUE(shell.snapshot().stall);
  EXPECT_EQ(shell.snapshot().stall->what,
            "the fake's daemon has carried out no change since 1970-01-01T00:16:41Z");
  EXPECT_EQ(shell.snapshot().sessions.at("vnet0@local").state, SessionState::unknown);
  EXPECT_TRUE(shell.snapshot().in_sync()) << "its database is as the policies say";
  shell.world->set_reachable(false);
  shell.run(2 * kSecond);
  EXPECT_FALSE(shell.snapshot().stall) << "nobody can tell";
  shell.world->set_reachable(true);
  shell.run(kSecond);
  EXPECT_FALSE(shell.snapshot().stall) << "its patience begins anew";
  shell.world->set_working(true);
  shell.run(kStallPatience + kSecond);
  EXPECT_FALSE(shell.snapshot().stall);
  EXPECT_EQ(shell.snapshot().sessions.at("vnet0@local").state, SessionState::ready);
}

TEST(Reconciler, ASwitchWithoutASignOfLifeIsStalledThoughNothingIsAskedOfIt) {
  Shell shell;
  shell.reconciler.set_policies(kPolicies);
  shell.run(10 * kSecond);
  ASSERT_FALSE(shell.snapshot().stall);
  shell.world->set_silent_since(1000 * kSecond);
  shell.run(kSecond);
  ASSERT_TRUE(shell.snapshot().stall);
  EXPECT_EQ(shell.snapshot().stall->what,
            "the fake's daemon gives no sign of life since 1970-01-01T00:16:40Z");
  EXPECT_EQ(shell.snapshot().sessions.at("vnet0@local").state, SessionState::unknown);
  shell.world->set_silent_since(0);
  shell.run(kSecond);
  EXPECT_FALSE(shell.snapshot().stall);
  EXPECT_NE(shell.snapshot().sessions.at("vnet0@local").state, SessionState::unknown);
}

TEST(Reconciler, ASwitchThatHangsOnAfterAnOutageIsNotSaidToWork) {
  Shell shell;
  shell.reconciler.set_policies(kPolicies);
  shell.run(kSecond);
  const auto of_switch = [&](std::uint64_t from) {
    std::vector<std::string> out;
    const auto known = shell.snapshot();
    for (auto at = known.history.lower_bound(from); at != known.history.end(); ++at)
      if (at->second.subject == "switch")
        out.push_back(at->second.text.substr(0, at->second.text.find(" since")));
    return out;
  };
  const std::uint64_t before = shell.snapshot().events;
  shell.world->set_working(false);
  shell.run(kStallPatience + kSecond);
  shell.world->set_reachable(false);
  shell.run(3 * kSecond);
  EXPECT_EQ(shell.snapshot().sessions.at("vnet0@local").reason,
            "it was unknown until the switch could not be read (fake: the switch doesn't answer "
            "(wait)); it was "
            "left as it is");
  shell.world->set_reachable(true);
  shell.run(kStallPatience + 2 * kSecond);
  shell.world->set_working(true);
  shell.run(kSecond);
  const std::string stalled = "switch: the fake's daemon has carried out no change";
  EXPECT_EQ(of_switch(before),
            (std::vector<std::string>{
                stalled, "can't be read: fake: the switch doesn't answer (wait)",
                "can be read again", stalled, "the fake's daemon carries changes out again"}));
}

TEST(Reconciler, CopiesThatArriveFromASwitchThatHangsKeepTheirSessionActive) {
  Shell shell;
  const Mac mac = *Mac::parse("52:54:00:00:00:01");
  shell.world->edit([&](auto& switches) { switches["br0"].sw.ports["vnet0"].mac = mac; });
  shell.reconciler.set_policies({policy("s", "vnet0", {LocalTarget{}})});
  shell.run(kSecond);
  shell.world->set_working(false);
  shell.run(kStallPatience + kSecond);
  const auto state = [&] { return shell.snapshot().sessions.at("vnet0@local").state; };
  EXPECT_EQ(state(), SessionState::unknown);
  std::uint64_t told = 0;
  for (std::uint64_t received = 1; received <= 20; ++received) {
    shell.reconciler.set_evidence({{{PortKey{"br0", "vnet0"}, {.received = received}}}});
    for (int hint = 0; hint < 4; ++hint) {  // Somebody else changes something in OVSDB.
      shell.reconciler.hint();
      shell.run(250 * kMillisecond);
    }
    EXPECT_EQ(state(), SessionState::active);
    if (received == 1) told = shell.snapshot().events;
  }
  EXPECT_EQ(shell.snapshot().events, told) << "said once";
}

TEST(Reconciler, PoliciesThatGoTakeTheirMirrorsWithThem) {
  Shell shell;
  const std::string before = shell.switch_text();
  shell.reconciler.set_policies(kPolicies);
  shell.run(kSecond);
  EXPECT_NE(shell.switch_text(), before);
  shell.reconciler.set_policies({});
  EXPECT_EQ(shell.run(100 * kMillisecond), "oso");
  EXPECT_EQ(shell.switch_text(), before);
  EXPECT_TRUE(shell.snapshot().sessions.empty());
}

TEST(Reconciler, APolicyExpiresByItself) {
  Shell shell;
  const std::string before = shell.switch_text();
  Policy p = policy("s", "vnet0", {LocalTarget{}});
  p.expires = shell.now + 5 * kSecond;
  shell.reconciler.set_policies({p});
  shell.run(4 * kSecond);
  EXPECT_NE(shell.switch_text(), before);
  shell.run(2 * kSecond);
  EXPECT_EQ(shell.switch_text(), before);
  int told = 0;
  for (const auto& [number, event] : shell.reconciler.snapshot(shell.now).history)
    told += event.subject == "s" && event.text.starts_with("the policy has expired") ? 1 : 0;
  EXPECT_EQ(told, 1);
}

TEST(Reconciler, HandEditsAreDriftAndMended) {
  Shell shell;
  shell.reconciler.set_policies(kPolicies);
  shell.run(kSecond);
  const std::string wanted = shell.switch_text();
  shell.world->edit([](auto& switches) {
    for (auto& [name, mirror] : switches["br0"].sw.mirrors)
      if (name != "theirs") mirror.snaplen = 64;
  });
  shell.run(kSecond);
  EXPECT_EQ(shell.switch_text(), wanted);
  EXPECT_EQ(shell.snapshot().drifts, 1U);
}

TEST(Reconciler, AFightIsSlowedDownAndTold) {
  Shell shell;
  shell.reconciler.set_policies(kPolicies);
  shell.run(kSecond);
  for (int i = 0; i < 20; ++i) {
    shell.world->edit([](auto& switches) {
      for (auto& [name, mirror] : switches["br0"].sw.mirrors)
        if (name != "theirs") mirror.snaplen = 64;
    });
    shell.run(10 * kMillisecond);
  }
  const auto error = shell.snapshot().apply_error;
  ASSERT_TRUE(error);
  EXPECT_EQ(error->remedy, "does another vmirrord run with the same owner?");
  shell.run(kSecond);
  EXPECT_TRUE(shell.snapshot().in_sync());
}

TEST(Reconciler, AnUnreadableSwitchIsLeftAsItIs) {
  Shell shell;
  shell.reconciler.set_policies(kPolicies);
  shell.run(kSecond);
  const std::string mirrored = shell.switch_text();
  shell.world->set_reachable(false);
  shell.reconciler.set_policies({});  // Even what a person asks for waits.
  shell.run(10 * kSecond);
  EXPECT_TRUE(shell.snapshot().observe_error);
  const ControlSnapshot known = shell.snapshot();
  for (const auto& [name, s] : known.sessions) EXPECT_EQ(s.state, SessionState::unknown);
  shell.world->set_reachable(true);
  EXPECT_EQ(shell.switch_text(), mirrored);
  shell.run(2 * kSecond);
  EXPECT_FALSE(shell.snapshot().observe_error);
  EXPECT_TRUE(shell.snapshot().sessions.empty());
}

TEST(Reconciler, StepsThatFailAreTriedEverMoreRarely) {
  Shell shell;
  int submissions = 0;
  std::vector<Time> at;
  Reconciler reconciler(
      {}, [](const std::string& on, const Port& port) { return locate("host", on, port, nullptr); },
      shell.driver->realiser());
  reconciler.set_policies(kPolicies);
  for (Time now = shell.now; now < shell.now + 120 * kSecond;) {
    const auto action = reconciler.next(now);
    if (const auto* wait = std::get_if<Reconciler::Wait>(&action)) {
      now = wait->until;
    } else if (std::holds_alternative<Reconciler::Submit>(action)) {
      ++submissions;
      at.push_back(now - shell.now);
      reconciler.submitted(fail(Error::Kind::refused, "no"), now);
    } else {
      reconciler.observed(shell.driver->observe(), now);
    }
  }
  // 0, 0.1, 0.3, 0.7, 1.5, 3.1, 6.3, 12.7, 25.5, 51.1, then every 30 s.
  ASSERT_GE(at.size(), 11U);
  EXPECT_EQ(at[1], 100 * kMillisecond);
  EXPECT_EQ(at[4], 1500 * kMillisecond);
  EXPECT_LE(submissions, 13);
  EXPECT_EQ(reconciler.snapshot(0).sessions.begin()->second.state, SessionState::failed);
}

TEST(Reconciler, AClockThatIsSetBackDoesNotPutOffTheNextAttempt) {
  Shell shell;
  shell.reconciler.set_policies(kPolicies);
  shell.world->arm(2, FakeWorld::Fault::fail);
  EXPECT_EQ(shell.run(0), "oso");
  EXPECT_TRUE(shell.world->disarm());
  EXPECT_FALSE(shell.snapshot().in_sync());
  shell.now -= 900 * kSecond;
  shell.run(kSecond);
  EXPECT_TRUE(shell.snapshot().in_sync());
}

TEST(Reconciler, AChangeThatDoesNotTakeIsAFailureNotALoop) {
  Shell shell;
  std::string did;
  shell.reconciler.set_policies(kPolicies);
  for (Time end = shell.now + 10 * kSecond; shell.now < end;) {
    const auto action = shell.reconciler.next(shell.now);
    if (const auto* wait = std::get_if<Reconciler::Wait>(&action)) {
      shell.now = wait->until;
    } else if (std::holds_alternative<Reconciler::Submit>(action)) {
      did += 's';
      shell.reconciler.submitted(did.size(), shell.now);
    } else {
      auto reading = std::make_shared<Observed>(**shell.driver->observe());
      reading->submissions[did.size()].state = Submission::State::settled;  // And does nothing.
      shell.reconciler.observed(std::shared_ptr<const Observed>(reading), shell.now);
    }
    ASSERT_LT(did.size(), 20U);
  }
  ASSERT_TRUE(shell.snapshot().apply_error);
  EXPECT_NE(shell.snapshot().apply_error->what.find("does not show it"), std::string::npos);
}

/// A switch that needs several looks for what it was asked; its versions, failures and conflicts.
class TaskShell : public Shell {
 public:
  TaskShell() : Shell(FakeProfile::task) {
    for (const char* host : {"br0", "br1"})
      world->edit([&](auto& switches) {
        switches[host].sw.name = switches[host].sw.host = host;
        switches[host].sw.ports["vnet0"].name = "vnet0";
      });
    reconciler.set_policies(
        {policy("a", "vnet0", {ErspanTarget{*IpAddress::parse("192.0.2.9"), 2, 7}})});
  }
  bool in_place(const std::string& name) { return snapshot().sessions.at(name).in_place; }
};

TEST(Reconciler, WhatRunsIsWaitedForAndNotSubmittedAgain) {
  TaskShell shell;
  shell.world->set_working(false);
  EXPECT_EQ(shell.run(0), "oso") << "submitted once";
  EXPECT_EQ(shell.run(3 * kSecond), "ooo");
  EXPECT_FALSE(shell.snapshot().in_sync());
  EXPECT_FALSE(shell.snapshot().apply_error);
  EXPECT_EQ(shell.snapshot().steps_applied, 0U);
  shell.world->set_working(true);
  shell.run(5 * kSecond);
  EXPECT_TRUE(shell.snapshot().in_sync());
  EXPECT_EQ(shell.snapshot().steps_applied, 2U);
  EXPECT_TRUE(shell.in_place("br0/vnet0@erspan-192.0.2.9"));
  EXPECT_EQ(shell.snapshot().drifts, 0U);
}

TEST(Reconciler, AnotherSwitchDoesNotWait) {
  TaskShell shell;
  shell.world->set_working(false);
  shell.run(0);
  shell.world->edit([](auto& switches) {
    switches["br2"].sw.name = "br2";
    switches["br2"].sw.ports["vnet5"].name = "vnet5";
  });
  shell.reconciler.set_policies(
      {policy("a", "vnet*", {GreTarget{*IpAddress::parse("192.0.2.9"), {}}})});
  EXPECT_EQ(shell.run(0), "oso");
  shell.world->set_working(true);
  shell.run(10 * kSecond);
  EXPECT_TRUE(shell.snapshot().in_sync());
}

TEST(Reconciler, AVersionThatIsOldIsAnotherLookAndNoError) {
  TaskShell shell;
  shell.run(0);
  shell.world->edit([](auto& switches) { switches["br0"].sw.ports["new"].name = "new"; });
  shell.run(10 * kSecond);
  EXPECT_TRUE(shell.snapshot().in_sync());
  EXPECT_EQ(shell.snapshot().failures, 0U);
  EXPECT_FALSE(shell.snapshot().apply_error);
}

TEST(Reconciler, ATaskThatFailsLateIsToldAndTriedAgain) {
  TaskShell shell;
  EXPECT_EQ(shell.run(0).substr(0, 2), "os");
  shell.world->set_working(false);
  shell.world->arm(2, FakeWorld::Fault::fail);  // The next look; then the first task's end.
  shell.world->set_working(true);
  bool told = false;
  for (int i = 0; i < 40 && !told; ++i) {
    shell.run(100 * kMillisecond);
    told = shell.snapshot().apply_error.has_value();
  }
  shell.world->disarm();
  shell.run(60 * kSecond);
  EXPECT_TRUE(shell.snapshot().in_sync());
  EXPECT_FALSE(shell.snapshot().apply_error);
}

TEST(Reconciler, HistoryIsBounded) {
  Shell shell;
  for (int i = 0; i < 300; ++i) {
    shell.reconciler.set_policies(i % 2 == 0 ? kPolicies : std::vector<Policy>{});
    shell.run(10 * kMillisecond);
  }
  EXPECT_EQ(shell.snapshot().history.size(), 256U);
  EXPECT_GT(shell.snapshot().events, 256U);
}

/// For every n: the nth operation fails, or is done and its answer lost. Afterwards the switch is
/// as it is without faults, nothing foreign was touched, and the status says in sync.
class FaultSweep : public testing::TestWithParam<FakeWorld::Fault> {};

TEST_P(FaultSweep, EveryFaultConvergesToTheSameState) {
  const std::vector<Policy> later = {policy("s", "vnet1", {LocalTarget{}, RspanTarget{101}})};
  const auto play = [&](std::size_t n, bool& tripped) {
    Shell shell;
    if (n > 0) shell.world->arm(n, GetParam());
    const std::string foreign = test::foreign_text(**make_fake_driver(shell.world, "x")->observe());
    for (const auto& policies : {kPolicies, later}) {
      shell.reconciler.set_policies(policies);
      shell.run(kSecond);
    }
    tripped = shell.world->disarm();
    shell.run(2 * kSecond);
    EXPECT_TRUE(shell.snapshot().in_sync()) << n;
    const std::string end = shell.switch_text();
    EXPECT_EQ(test::foreign_text(**shell.driver->observe()), foreign) << n;
    return end;
  };
  bool tripped = false;
  const std::string expected = play(0, tripped);
  std::size_t n = 2;  // The first operation is the test's own look.
  for (tripped = true; tripped && n < 1000; ++n) EXPECT_EQ(play(n, tripped), expected) << n;
  EXPECT_GT(n, 15U) << "the sweep ended early";
}
INSTANTIATE_TEST_SUITE_P(Faults, FaultSweep,
                         testing::Values(FakeWorld::Fault::fail, FakeWorld::Fault::drop));

TEST(MirrorIndex, TheLocalSessionsNics) {
  Shell shell;
  shell.world->edit([](auto& switches) {
    switches["br0"].sw.ports["vnet0"].mac = *Mac::parse("52:54:00:00:00:01");
    switches["br0"].sw.ports["vnet0"].vm = "dc-1";
    switches["br0"].sw.ports["vnet0"].vlan = 5;
    switches["br0"].sw.ports["vnet1"].mac = *Mac::parse("52:54:00:00:00:02");
  });
  Policy p = policy("s", "vnet0", {LocalTarget{}});
  p.direction = Direction::out;
  shell.reconciler.set_policies({p, policy("b", "vnet1", {RspanTarget{100}})});
  shell.run(kSecond);
  const auto index = shell.snapshot().index;
  ASSERT_EQ(index->nics.size(), 1U);
  EXPECT_EQ(index->nics.begin()->second.port(), "br0/vnet0");
  EXPECT_EQ(index->nics.begin()->second.input, "vmirror-local");
  EXPECT_EQ(index->nics.begin()->second.vm, "dc-1");
  EXPECT_EQ(index->nics.begin()->second.direction, Direction::out);
  EXPECT_EQ(index->nics.begin()->second.vlan, 5);
  shell.run(5 * kSecond);
  EXPECT_EQ(shell.snapshot().index, index);  // The same value while nothing changes.
}

TEST(Reconciler, ANicWithoutAPortComesAndGoesWithItsGuest) {
  constexpr const char* kGuest = "6f0c1d6e-8d7a-4f35-9a55-0a2f6b1c7d10";
  Shell shell;
  std::set<std::string> nics = {"tap8", "tap9"};
  shell.portless = [&](const std::string& uuid, const std::vector<const Port*>& ports,
                       const Observed&) {
    Locations out;
    for (const std::string& nic : nics) {
      if (std::ranges::find(ports, nic, &Port::name) != ports.end()) continue;
      Location& at = out.emplace_back();
      at.port = nic;
      at.vm_uuid = uuid;
      at.no_port = Error{Error::Kind::unsupported, "not mirrored: on something", {}, {}};
    }
    return out;
  };
  const auto states = [&] {
    std::vector<std::string> out;
    for (const auto& [name, s] : shell.snapshot().sessions)
      out.push_back(s.switch_name + "/" + name + " " + to_text(s.state));
    return out;
  };
  using Lines = std::vector<std::string>;
  shell.reconciler.set_policies({policy("s", "tap*", {LocalTarget{}})});
  shell.reconciler.relocate({kGuest}, {});
  shell.run(kSecond);
  EXPECT_EQ(states(), (Lines{"/tap8@local refused", "/tap9@local refused"}));
  EXPECT_TRUE(shell.snapshot().in_sync());
  EXPECT_EQ(shell.snapshot().policies[0].state, PolicyState::refused);

  shell.world->edit([&](auto& switches) {
    Port& port = switches["br0"].sw.ports["tap9"];
    port.name = "tap9";
    port.vm = kGuest;
  });
  shell.run(kSecond);
  EXPECT_EQ(states().at(0), "/tap8@local refused");
  EXPECT_TRUE(states().at(1).starts_with("br0/tap9@local ")) << "what the switch shows goes first";
  EXPECT_EQ(shell.snapshot().locations.size(), 5U);

  shell.world->edit([&](auto& switches) { switches["br0"].sw.ports.erase("tap9"); });
  shell.run(kSecond);
  EXPECT_EQ(states(), (Lines{"/tap8@local refused", "/tap9@local refused"}));
  nics.clear();
  shell.reconciler.relocate({kGuest}, {});
  shell.run(kSecond);
  EXPECT_TRUE(states().empty());
  EXPECT_EQ(shell.snapshot().policies[0].state, PolicyState::selects_nothing);
}

TEST(MirrorIndex, OfNicsThatCannotBeToldApartEachNamesAnother) {
  Shell shell;
  const auto set = [&](const char* port, std::optional<std::uint16_t> vlan) {
    shell.world->edit([&](auto& switches) {
      switches["br0"].sw.ports[port].mac = *Mac::parse("52:54:00:00:00:01");
      switches["br0"].sw.ports[port].vlan = vlan;
    });
    shell.run(2 * kSecond);
  };
  shell.reconciler.set_policies(
      {policy("s", "vnet0", {LocalTarget{}}), policy("b", "vnet1", {LocalTarget{}})});
  const auto rival = [&](const char* port) {
    return shell.snapshot().index->nics.at({"br0", port}).rival;
  };
  set("vnet0", 5);
  set("vnet1", 6);
  EXPECT_EQ(rival("vnet0") + rival("vnet1"), "") << "VLANs tell them apart";
  set("vnet1", 5);
  EXPECT_EQ(rival("vnet0"), "br0/vnet1");
  EXPECT_EQ(rival("vnet1"), "br0/vnet0");
  set("vnet1", {});
  EXPECT_EQ(rival("vnet0") + rival("vnet1"), "");
}

}  // namespace
}  // namespace vmirror
