// The contract that every driver keeps (plugin/api/driver.hpp), read from top to bottom.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>

#include "plugin/api/diff.hpp"
#include "plugin/api/mirror_object.hpp"
#include "tests/contract/world.hpp"
#include "tests/support/converge.hpp"
#include "tests/support/ovs_sandbox.hpp"

namespace vmirror::test {

void PrintTo(const Subject& subject, std::ostream* out) {
  *out << subject.name;
}

namespace {

Session session(const std::string& port, const Target& target, std::uint32_t snaplen = 0,
                Direction direction = Direction::both) {
  Session s;
  s.name = port + "@" + to_text(target) + (snaplen != 0 ? "-s" + std::to_string(snaplen) : "");
  s.policy = "test";
  s.switch_name = "br0";
  s.port = port;
  s.direction = direction;
  s.snaplen = snaplen;
  s.target = target;
  return s;
}

ErspanTarget erspan(const char* address) {
  ErspanTarget target;
  target.address = *IpAddress::parse(address);
  return target;
}
GreTarget gre(const char* address) {
  GreTarget target;
  target.address = *IpAddress::parse(address);
  return target;
}

class DriverContract : public testing::TestWithParam<Subject> {
 protected:
  void SetUp() override {
    if (const std::string why = GetParam().unavailable(); !why.empty()) GTEST_SKIP() << why;
    world_ = GetParam().make();
    driver_ = world_->connect();
  }

  /// Those of the sessions that the switch can have, as it can have them.
  Desired only(std::vector<Session> sessions) {
    const Capabilities can = observed()->switches.at("br0").capabilities;
    std::erase_if(sessions,
                  [&](const Session& s) { return !can.targets.contains(kind_of(s.target)); });
    for (Session& s : sessions) {
      if (!can.one_direction) s.direction = Direction::both;
      if (!can.snaplen) s.snaplen = 0;
    }
    EXPECT_FALSE(sessions.empty());
    return {std::move(sessions)};
  }
  /// One session for each kind of target, and one direction alone.
  Desired everything() {
    return only({session("vnet0", world_->local()),
                 session("vnet1", world_->local(), 0, Direction::in),
                 session("vnet0", erspan("198.51.100.1")), session("vnet1", gre("198.51.100.2")),
                 session("vnet2", RspanTarget{100})});
  }
  /// A target that the switch can have.
  Target target() { return everything().sessions.front().target; }

  /// Converges; what is read back is what was wanted.
  Converged reach(Driver& driver, const Desired& desired) {
    const auto reached = converge(driver, desired);
    if (!reached) {
      ADD_FAILURE() << reached.error().text();
      return {};
    }
    for (const Mirror& wanted : reached->wanted.mirrors) {
      const auto& mirrors = reached->observed->switches.at(wanted.switch_name).mirrors;
      const auto it = mirrors.find(wanted.name);
      EXPECT_TRUE(it != mirrors.end() && it->second.owned && it->second.same_as(wanted))
          << wanted.name;
    }
    return *reached;
  }
  Converged reach(const Desired& desired) { return reach(*driver_, desired); }

  std::shared_ptr<const Observed> observed(Driver& driver) {
    const auto got = driver.observe();
    EXPECT_TRUE(got) << got.error().text();
    return got ? *got : std::make_shared<const Observed>();
  }
  std::shared_ptr<const Observed> observed() { return observed(*driver_); }
  /// Waits until what was done by hand is seen: a driver may learn of it a moment later.
  bool seen(const std::function<bool(const Switch&)>& condition) {
    return eventually([&] {
      const auto now = observed();
      return now->switches.contains("br0") && condition(now->switches.at("br0"));
    });
  }

  /// What a sweep drifts from, and to.
  Desired sweep_begin() {
    return only({session("vnet1", world_->local()), session("vnet0", erspan("198.51.100.7")),
                 session("vnet0", RspanTarget{50})});
  }
  Desired sweep_end() {
    return only({session("vnet0", world_->local()), session("vnet1", gre("198.51.100.2")),
                 session("vnet1", RspanTarget{100})});
  }

  std::unique_ptr<World> world_;
  std::unique_ptr<Driver> driver_;
};

/// Of switches whose mirrors have names.
class MirrorContract : public DriverContract {};
/// Of switches that copy to ports, and to VLANs.
class PortContract : public DriverContract {};
/// Of switches that take what is submitted at once, whether it works or not.
class AtOnceContract : public DriverContract {};
/// Of switches that make tasks of it.
class TaskContract : public DriverContract {};
/// Of switches that count or name their versions.
class VersionContract : public DriverContract {};

TEST_P(DriverContract, MakesWhatIsAskedForAndThenHasNothingToDo) {
  const Converged reached = reach(everything());
  const std::vector<Session> asked = everything().sessions;
  ASSERT_EQ(reached.wanted.verdicts.size(), asked.size());
  std::set<Target> targets;
  for (std::size_t i = 0; i < asked.size(); i++) {
    const Verdict& verdict = reached.wanted.verdicts[i];
    EXPECT_FALSE(verdict.refused) << verdict.session << ": " << verdict.refused->text();
    targets.insert(asked[i].target);
    EXPECT_TRUE(!std::holds_alternative<ErspanTarget>(asked[i].target) || verdict.session_id)
        << "an ERSPAN session has an ID";
  }
  EXPECT_EQ(reached.wanted.mirrors.size(), targets.size())
      << "sessions of one target share a mirror";
  EXPECT_TRUE(reach(everything()).steps.empty());
  EXPECT_TRUE(converge(*world_->connect(), everything())->steps.empty()) << "also after a restart";
}

TEST_P(DriverContract, SaysWhatEachSwitchIsAndCan) {
  const auto now = observed();
  for (const auto& [name, sw] : now->switches) {
    EXPECT_EQ(sw.name, name);
    EXPECT_NE(sw.kind, "");
    EXPECT_NE(sw.capabilities.version, "");
    EXPECT_GT(sw.capabilities.mirrors, 0u);
    EXPECT_FALSE(sw.capabilities.targets.empty());
  }
}

TEST_P(PortContract, SelectsVlans) {
  Session some = session("vnet0", LocalTarget{}), more = session("vnet1", LocalTarget{});
  some.vlans = {0, 10};
  more.vlans = {10, 20, 30, 40, 50};
  const Converged reached = reach({{some, more, session("vnet2", LocalTarget{})}});
  std::vector<std::string> names;
  for (const Mirror& mirror : reached.wanted.mirrors) names.push_back(mirror.name);
  EXPECT_EQ(names.size(), 3u) << "each selection of VLANs is a mirror";
  EXPECT_TRUE(names[1].ends_with("-v0.10") || names[2].ends_with("-v0.10")) << names[1];
  EXPECT_TRUE(reach({{some, more, session("vnet2", LocalTarget{})}}).steps.empty());
}

TEST_P(DriverContract, TakesAwayWhatIsNoLongerAskedFor) {
  const std::string before = to_text(*observed());
  reach(everything());
  reach({{session("vnet0", target())}});
  EXPECT_EQ(observed()->switches.at("br0").mirrors.size(), 1u);
  reach({});
  EXPECT_EQ(to_text(*observed()), before);
}

TEST_P(DriverContract, RepairsWhatWasEditedByHand) {
  const Converged reached = reach(everything());
  const std::string good = to_text(*reached.observed);
  for (const Mirror& mirror : reached.wanted.mirrors) world_->spoil_mirror(mirror.name);
  for (const auto& [name, port] : reached.observed->switches.at("br0").ports)
    if (port.owned && port.tunnel) world_->spoil_port(name);
  ASSERT_TRUE(seen([&](const Switch& sw) {
    return std::ranges::none_of(sw.ports,
                                [](const auto& port) {
                                  return port.second.tunnel &&
                                         port.second.tunnel->remote != "192.0.2.99";
                                }) &&
           std::ranges::none_of(reached.wanted.mirrors, [&](const Mirror& wanted) {
             return sw.mirrors.contains(wanted.name) && sw.mirrors.at(wanted.name).same_as(wanted);
           });
  }));
  EXPECT_FALSE(reach(everything()).steps.empty());
  EXPECT_EQ(to_text(*observed()), good);
}

TEST_P(DriverContract, RepairsWhatWasDeletedByHand) {
  const Converged reached = reach(everything());
  const std::string good = to_text(*reached.observed);
  world_->remove_mirror(reached.wanted.mirrors.front().name);
  for (const auto& [name, port] : reached.observed->switches.at("br0").ports)
    if (port.owned) world_->remove_port(name);
  ASSERT_TRUE(seen([&](const Switch& sw) {
    return std::ranges::none_of(sw.ports, [](const auto& port) { return port.second.owned; }) &&
           !sw.mirrors.contains(reached.wanted.mirrors.front().name);
  }));
  reach(everything());
  EXPECT_EQ(to_text(*observed()), good);
}

TEST_P(DriverContract, SelectsAPortAgainThatWasDeletedAndAddedAgain) {
  const Desired desired = {{session("vnet0", target()), session("vnet1", target())}};
  reach(desired);
  const std::string id = observed()->switches.at("br0").ports.at("vnet0").id;
  world_->remove_port("vnet0");
  ASSERT_TRUE(seen([](const Switch& sw) { return !sw.ports.contains("vnet0"); }));
  const Converged without = reach(desired);
  ASSERT_TRUE(without.wanted.verdicts[0].refused);
  EXPECT_EQ(without.wanted.verdicts[0].refused->kind, Error::Kind::missing);
  EXPECT_FALSE(without.wanted.verdicts[1].refused) << "the others go on";
  world_->add_port("vnet0");
  ASSERT_TRUE(seen([&](const Switch& sw) { return sw.ports.contains("vnet0"); }));
  EXPECT_NE(observed()->switches.at("br0").ports.at("vnet0").id, id);
  const Converged again = reach(desired);
  const PersistentSet<std::string> both = {"vnet0", "vnet1"};
  EXPECT_EQ(again.observed->switches.at("br0").mirrors.begin()->second.in_ports, both);
  EXPECT_EQ(again.observed->switches.at("br0").mirrors.begin()->second.out_ports, both);
}

TEST_P(MirrorContract, LeavesAloneWhatIsNotOurs) {
  world_->unlearn_vlan(7);
  world_->add_mirror("theirs", "vnet2");
  ASSERT_TRUE(seen([](const Switch& sw) { return sw.mirrors.contains("theirs"); }));
  const std::string before = foreign_text(*observed());
  reach(only({session("vnet0", target()), session("vnet1", RspanTarget{100}),
              session("vnet0", RspanTarget{7})}));
  EXPECT_EQ(foreign_text(*observed()), before);
  reach({});
  EXPECT_EQ(to_text(*observed()), before);

  Mirror mirror;
  mirror.name = "theirs";
  mirror.switch_name = "br0";
  mirror.output = PortOutput{"vnet1"};
  const ObjectKey key = mirror_key("br0", "theirs");
  for (const Step& step :
       {Step{Step::Verb::remove, key},
        Step{Step::Verb::change, key, std::make_shared<const MirrorValue>(mirror)}}) {
    const auto submitted = driver_->submit({&step, 1});
    ASSERT_FALSE(submitted) << step.text();
    EXPECT_EQ(submitted.error().kind, Error::Kind::refused) << step.text();
  }
  EXPECT_EQ(to_text(*observed()), before);
}

TEST_P(PortContract, DoesNotRemoveAPortThatIsNotOurs) {
  observed();  // It is connected.
  const Step step{Step::Verb::remove, {"br0", "port", "vnet0"}};
  const auto submitted = driver_->submit({&step, 1});
  ASSERT_FALSE(submitted);
  EXPECT_EQ(submitted.error().kind, Error::Kind::refused);
  EXPECT_TRUE(observed()->switches.at("br0").ports.contains("vnet0"));
}

TEST_P(MirrorContract, TwoOwnersDoNotSeeEachOthersAsTheirs) {
  const auto other = world_->connect("other");
  const Desired wanted = only({session("vnet0", target()), session("vnet1", RspanTarget{100})});
  reach(wanted);
  const std::string ours = to_text(*observed());
  reach(*other, only({session("vnet1", target()), session("vnet0", RspanTarget{100})}));
  reach(*other, {});
  ASSERT_TRUE(seen([&](const Switch& sw) { return sw.mirrors.size() == wanted.sessions.size(); }));
  EXPECT_EQ(to_text(*observed()), ours);
}

TEST_P(PortContract, RefusesASessionThatWouldCopyItsOwnCopies) {
  const Converged reached = reach({{session("vnet0", LocalTarget{})}});
  const std::string output = reached.wanted.verdicts[0].output;
  world_->add_mirror("theirs", "vnet2");
  ASSERT_TRUE(seen([](const Switch& sw) { return sw.mirrors.size() == 2; }));
  const Converged again =
      reach({{session("vnet0", LocalTarget{}), session(output, LocalTarget{}),
              session("vnet2", LocalTarget{}), session("vnet9", LocalTarget{})}});
  const auto kind = [&](std::size_t i) {
    const auto& refused = again.wanted.verdicts[i].refused;
    return refused ? std::optional(refused->kind) : std::nullopt;
  };
  EXPECT_EQ(kind(0), std::nullopt);
  EXPECT_EQ(kind(1), Error::Kind::refused) << "our own output";
  EXPECT_EQ(kind(2), Error::Kind::refused) << "another mirror's output";
  EXPECT_EQ(kind(3), Error::Kind::missing);
}

TEST_P(MirrorContract, RefusesTheMirrorThatIsOneTooMany) {
  const std::size_t limit = observed()->switches.at("br0").capabilities.mirrors;
  world_->add_mirror("theirs", "vnet2");
  ASSERT_TRUE(seen([](const Switch& sw) { return sw.mirrors.size() == 1; }));
  Desired desired;
  for (std::size_t i = 0; i < limit; i++)
    desired.sessions.push_back(session("vnet0", target(), 100 + static_cast<std::uint32_t>(i)));
  desired.sessions.push_back(session("vnet1", target(), 100));
  const Converged reached = reach(desired);
  EXPECT_EQ(reached.observed->switches.at("br0").mirrors.size(), limit);
  for (std::size_t i = 0; i < desired.sessions.size(); i++) {
    const auto& refused = reached.wanted.verdicts[i].refused;
    ASSERT_EQ(refused.has_value(), i == limit - 1) << i;
    if (refused) {
      EXPECT_EQ(refused->kind, Error::Kind::exhausted);
    }
  }
}

TEST_P(MirrorContract, RefusesANameThatIsTaken) {
  const std::string name = reach({{session("vnet0", target())}}).wanted.mirrors.at(0).name;
  reach({});
  world_->add_mirror(name, "vnet2");
  ASSERT_TRUE(seen([](const Switch& sw) { return sw.mirrors.size() == 1; }));
  const std::string before = foreign_text(*observed());
  const Converged reached =
      reach({{session("vnet0", target()), session("vnet1", gre("198.51.100.2"))}});
  ASSERT_TRUE(reached.wanted.verdicts[0].refused);
  EXPECT_FALSE(reached.wanted.verdicts[1].refused) << "the others go on";
  EXPECT_EQ(foreign_text(*observed()), before);
}

TEST_P(DriverContract, UnknownIsNotEmpty) {
  reach(everything());
  const std::string good = to_text(*observed());
  world_->set_reachable(false);
  ASSERT_TRUE(eventually([&] { return !driver_->observe(); }));
  EXPECT_EQ(driver_->observe().error().kind, Error::Kind::unreachable);
  const Step step{Step::Verb::remove, mirror_key("br0", "any")};
  EXPECT_EQ(driver_->submit({&step, 1}).error().kind, Error::Kind::unreachable);
  world_->set_reachable(true);
  ASSERT_TRUE(eventually([&] { return driver_->observe().has_value(); }));
  EXPECT_EQ(to_text(*observed()), good);
  EXPECT_TRUE(reach(everything()).steps.empty());
}

TEST_P(AtOnceContract, TellsWhetherWhatItAskedForIsCarriedOut) {
  reach(everything());
  const auto caught_up = [&] { return !observed()->progress.behind; };
  EXPECT_TRUE(eventually(caught_up));
  world_->set_working(false);
  const DaemonProgress before = observed()->progress;
  reach({});
  const DaemonProgress behind = observed()->progress;
  EXPECT_TRUE(behind.behind);
  EXPECT_EQ(behind.done, before.done);
  EXPECT_NE(behind.daemon, "");
  world_->set_working(true);
  EXPECT_TRUE(eventually(caught_up));
}

TEST_P(DriverContract, HintsWhenTheWorldChanges) {
  const auto driver = world_->connect();
  std::atomic<int> hints = 0;
  driver->on_change([&] { hints++; });
  observed(*driver);
  const int before = hints;
  world_->add_port("vnet9");
  EXPECT_TRUE(eventually([&] { return hints > before; }));
}

/// From a drifted state, with the nth operation failing: reconciling again, by the same driver or
/// by one that starts anew, gives what would have come without the fault, and nothing else.
void sweep(World& world, World::Fault fault, const Desired& before, const Desired& wanted) {
  std::string good, foreign;
  for (std::size_t n = 0;; n++) {
    world.reset();
    world.add_mirror("theirs", "vnet2");
    world.unlearn_vlan(7);
    auto driver = world.connect();
    ASSERT_TRUE(converge(*driver, before));
    driver = world.connect();
    if (n == 0) {
      const auto reached = converge(*driver, wanted);
      ASSERT_TRUE(reached) << reached.error().text();
      good = to_text(*reached->observed);
      foreign = foreign_text(*reached->observed);
      continue;
    }
    world.arm(n, fault);
    (void)converge(*driver, wanted);
    const bool happened = world.disarm();
    if (n % 2 == 0) driver = world.connect();
    Result<Converged> reached;
    ASSERT_TRUE(eventually([&] { return (reached = converge(*driver, wanted)).has_value(); }))
        << n << ": " << reached.error().text();
    ASSERT_EQ(to_text(*reached->observed), good) << "operation " << n;
    ASSERT_EQ(foreign_text(*reached->observed), foreign) << "operation " << n;
    if (!happened) {
      EXPECT_GT(n, 3u) << "a sweep over something";
      return;
    }
  }
}

TEST_P(DriverContract, ConvergesAfterTheConnectionDropsAtTheNthOperation) {
  sweep(*world_, World::Fault::drop, sweep_begin(), sweep_end());
}

/// For switches without transactions; where there are, a failed one is nothing done.
class StepByStepContract : public DriverContract {};

TEST_P(StepByStepContract, ConvergesAfterTheNthOperationFails) {
  sweep(*world_, World::Fault::fail, sweep_begin(), sweep_end());
}

TEST_P(DriverContract, TellsWhatBecameOfWhatWasSubmitted) {
  const Realisation wanted = driver_->realise(everything(), *observed());
  const auto ticket = driver_->submit(diff(wanted.objects, *observed()));
  ASSERT_TRUE(ticket) << ticket.error().text();
  EXPECT_NE(*ticket, 0u);
  EXPECT_TRUE(eventually([&] {
    const auto now = observed();
    EXPECT_TRUE(now->submissions.contains(*ticket)) << "until the next is submitted";
    return now->submissions.at(*ticket).state == Submission::State::settled;
  }));
  EXPECT_TRUE(diff(wanted.objects, *observed()).empty()) << "settled is seen";
}

TEST_P(VersionContract, WhatWasMadeFromAnOldVersionConflictsAndChangesNothing) {
  const Realisation wanted = driver_->realise(everything(), *observed());
  const std::vector<Step> steps = diff(wanted.objects, *observed());
  const std::string revision = observed()->switches.at("br0").revision;
  world_->touch_switch();
  ASSERT_TRUE(seen([&](const Switch& sw) { return sw.revision != revision; }));
  const std::string before = to_text(*observed());
  const auto ticket = driver_->submit(steps);
  ASSERT_TRUE(ticket);
  EXPECT_TRUE(eventually(
      [&] { return observed()->submissions.at(*ticket).state == Submission::State::conflict; }));
  EXPECT_EQ(to_text(*observed()), before);
  EXPECT_FALSE(reach(everything()).steps.empty()) << "another look helps";
}

TEST_P(TaskContract, RunsUntilItEndsAndMayFailLate) {
  world_->set_working(false);
  const Realisation wanted = driver_->realise(everything(), *observed());
  const auto ticket = driver_->submit(diff(wanted.objects, *observed()));
  ASSERT_TRUE(ticket);
  for (int i = 0; i < 5; i++)
    EXPECT_EQ(observed()->submissions.at(*ticket).state, Submission::State::running);
  world_->fail_task();
  world_->set_working(true);
  Submission is;
  EXPECT_TRUE(eventually([&] {
    is = observed()->submissions.at(*ticket);
    return is.state != Submission::State::running;
  }));
  EXPECT_EQ(is.state, Submission::State::failed);
  EXPECT_EQ(is.error.kind, Error::Kind::refused);
  world_->disarm();
  reach(everything());
}

const auto kName = [](const auto& info) { return info.param.name; };

INSTANTIATE_TEST_SUITE_P(Drivers, DriverContract,
                         testing::Values(fake_subject(), fake_task_subject(), fake_mode_subject(),
                                         ovs_subject(), vsphere_subject(), hyperv_subject()),
                         kName);
INSTANTIATE_TEST_SUITE_P(Drivers, MirrorContract,
                         testing::Values(fake_subject(), fake_task_subject(), ovs_subject(),
                                         vsphere_subject()),
                         kName);
INSTANTIATE_TEST_SUITE_P(Drivers, PortContract, testing::Values(fake_subject(), ovs_subject()),
                         kName);
INSTANTIATE_TEST_SUITE_P(Drivers, AtOnceContract,
                         testing::Values(fake_subject(), fake_mode_subject(), ovs_subject()),
                         kName);
INSTANTIATE_TEST_SUITE_P(Drivers, TaskContract,
                         testing::Values(fake_task_subject(), vsphere_subject(), hyperv_subject()),
                         kName);
INSTANTIATE_TEST_SUITE_P(Drivers, VersionContract,
                         testing::Values(fake_task_subject(), vsphere_subject()), kName);
INSTANTIATE_TEST_SUITE_P(Drivers, StepByStepContract,
                         testing::Values(fake_subject(), fake_task_subject(), fake_mode_subject(),
                                         hyperv_subject()),
                         kName);

}  // namespace
}  // namespace vmirror::test
