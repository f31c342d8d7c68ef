// The contract that every driver keeps (plugin/api/driver.hpp), read from top to bottom.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>

#include "plugin/api/diff.hpp"
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

/// One session for each kind of target, and one direction alone.
Desired everything() {
  return {{session("vnet0", LocalTarget{}), session("vnet1", LocalTarget{}, 0, Direction::in),
           session("vnet0", erspan("198.51.100.1")), session("vnet1", gre("198.51.100.2")),
           session("vnet2", RspanTarget{100})}};
}

class DriverContract : public testing::TestWithParam<Subject> {
 protected:
  void SetUp() override {
    if (const std::string why = GetParam().unavailable(); !why.empty()) GTEST_SKIP() << why;
    world_ = GetParam().make();
    driver_ = world_->connect();
  }

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

  std::unique_ptr<World> world_;
  std::unique_ptr<Driver> driver_;
};

TEST_P(DriverContract, MakesWhatIsAskedForAndThenHasNothingToDo) {
  const Converged reached = reach(everything());
  ASSERT_EQ(reached.wanted.verdicts.size(), 5u);
  for (const Verdict& verdict : reached.wanted.verdicts)
    EXPECT_FALSE(verdict.refused) << verdict.session << ": " << verdict.refused->text();
  EXPECT_EQ(reached.wanted.mirrors.size(), 4u) << "two sessions of one target share a mirror";
  EXPECT_TRUE(reached.wanted.verdicts[2].session_id.has_value()) << "an ERSPAN session has an ID";
  EXPECT_TRUE(observed()->switches.at("br0").unlearned_vlans.contains(100));
  EXPECT_TRUE(reach(everything()).steps.empty());
  EXPECT_TRUE(converge(*world_->connect(), everything())->steps.empty()) << "also after a restart";
}

TEST_P(DriverContract, SelectsVlans) {
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
  reach({{session("vnet0", LocalTarget{})}});
  EXPECT_EQ(observed()->switches.at("br0").mirrors.size(), 1u);
  reach({});
  EXPECT_EQ(to_text(*observed()), before);
}

TEST_P(DriverContract, RepairsWhatWasEditedByHand) {
  const Converged reached = reach(everything());
  const std::string good = to_text(*reached.observed);
  for (const Mirror& mirror : reached.wanted.mirrors) world_->spoil_mirror(mirror.name);
  for (const OutputPort& port : reached.wanted.ports)
    if (port.options.contains("remote_ip")) world_->spoil_port(port.name);
  ASSERT_TRUE(seen([&](const Switch& sw) {
    return std::ranges::none_of(sw.ports, [](const auto& port) {
      const auto remote = port.second.options.find("remote_ip");
      return remote != port.second.options.end() && remote->second != "192.0.2.99";
    });
  }));
  EXPECT_FALSE(reach(everything()).steps.empty());
  EXPECT_EQ(to_text(*observed()), good);
}

TEST_P(DriverContract, RepairsWhatWasDeletedByHand) {
  const Converged reached = reach(everything());
  const std::string good = to_text(*reached.observed);
  world_->remove_mirror(reached.wanted.mirrors.front().name);
  for (const OutputPort& port : reached.wanted.ports) world_->remove_port(port.name);
  ASSERT_TRUE(
      seen([&](const Switch& sw) { return !sw.ports.contains(reached.wanted.ports.back().name); }));
  reach(everything());
  EXPECT_EQ(to_text(*observed()), good);
}

TEST_P(DriverContract, SelectsAPortAgainThatWasDeletedAndAddedAgain) {
  const Desired desired = {{session("vnet0", LocalTarget{}), session("vnet1", LocalTarget{})}};
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

TEST_P(DriverContract, LeavesAloneWhatIsNotOurs) {
  world_->add_mirror("theirs", "vnet2");
  world_->unlearn_vlan(7);
  ASSERT_TRUE(seen([](const Switch& sw) { return sw.unlearned_vlans.contains(7); }));
  const std::string before = foreign_text(*observed());
  reach({{session("vnet0", LocalTarget{}), session("vnet1", RspanTarget{100}),
          session("vnet0", RspanTarget{7})}});
  EXPECT_EQ(foreign_text(*observed()), before);
  reach({});
  EXPECT_EQ(to_text(*observed()), before);

  for (const Step& step :
       {Step{RemoveMirror{"br0", "theirs"}, ""}, Step{RemovePort{"br0", "vnet0"}, ""},
        Step{PutMirror{[] {
               Mirror mirror;
               mirror.name = "theirs";
               mirror.switch_name = "br0";
               mirror.output_port = "vnet1";
               return mirror;
             }()},
             ""},
        Step{PutPort{{"vnet0", "br0", "internal", {}}}, ""}}) {
    const auto applied = driver_->apply({&step, 1});
    ASSERT_FALSE(applied) << step.text();
    EXPECT_EQ(applied.error().kind, Error::Kind::refused) << step.text();
  }
  EXPECT_EQ(to_text(*observed()), before);
}

TEST_P(DriverContract, TwoOwnersDoNotSeeEachOthersAsTheirs) {
  const auto other = world_->connect("other");
  reach({{session("vnet0", LocalTarget{}), session("vnet1", RspanTarget{100})}});
  const std::string ours = to_text(*observed());
  reach(*other, {{session("vnet1", LocalTarget{}), session("vnet0", RspanTarget{100})}});
  reach(*other, {});
  ASSERT_TRUE(seen([](const Switch& sw) { return sw.mirrors.size() == 2; }));
  EXPECT_EQ(to_text(*observed()), ours);
}

TEST_P(DriverContract, RefusesASessionThatWouldCopyItsOwnCopies) {
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

TEST_P(DriverContract, RefusesTheMirrorThatIsOneTooMany) {
  const std::size_t limit = observed()->capabilities.mirrors_per_switch;
  world_->add_mirror("theirs", "vnet2");
  ASSERT_TRUE(seen([](const Switch& sw) { return sw.mirrors.size() == 1; }));
  Desired desired;
  for (std::size_t i = 0; i < limit; i++)
    desired.sessions.push_back(
        session("vnet0", LocalTarget{}, 100 + static_cast<std::uint32_t>(i)));
  desired.sessions.push_back(session("vnet1", LocalTarget{}, 100));
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

TEST_P(DriverContract, RefusesANameThatIsTaken) {
  const std::string name = reach({{session("vnet0", LocalTarget{})}}).wanted.mirrors.at(0).name;
  reach({});
  world_->add_mirror(name, "vnet2");
  ASSERT_TRUE(seen([](const Switch& sw) { return sw.mirrors.size() == 1; }));
  const std::string before = foreign_text(*observed());
  const Converged reached =
      reach({{session("vnet0", LocalTarget{}), session("vnet1", erspan("198.51.100.1"))}});
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
  const Step step{RemoveMirror{"br0", "any"}, ""};
  EXPECT_EQ(driver_->apply({&step, 1}).error().kind, Error::Kind::unreachable);
  world_->set_reachable(true);
  ASSERT_TRUE(eventually([&] { return driver_->observe().has_value(); }));
  EXPECT_EQ(to_text(*observed()), good);
  EXPECT_TRUE(reach(everything()).steps.empty());
}

TEST_P(DriverContract, TellsWhetherWhatItAskedForIsCarriedOut) {
  reach(everything());
  const auto caught_up = [&] {
    const DaemonProgress now = observed()->progress;
    return now.done == now.asked;
  };
  EXPECT_TRUE(eventually(caught_up));
  world_->set_working(false);
  const DaemonProgress before = observed()->progress;
  reach({});
  const DaemonProgress behind = observed()->progress;
  EXPECT_GT(behind.asked, before.asked);
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
void sweep(World& world, World::Fault fault) {
  const Desired before = {{session("vnet1", LocalTarget{}),
                           session("vnet0", erspan("198.51.100.7")),
                           session("vnet0", RspanTarget{50})}};
  const Desired wanted = {{session("vnet0", LocalTarget{}), session("vnet1", gre("198.51.100.2")),
                           session("vnet1", RspanTarget{100})}};
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
  sweep(*world_, World::Fault::drop);
}

/// For switches without transactions; where there are, a failed one is nothing done.
class StepByStepContract : public DriverContract {};

TEST_P(StepByStepContract, ConvergesAfterTheNthOperationFails) {
  sweep(*world_, World::Fault::fail);
}

INSTANTIATE_TEST_SUITE_P(Drivers, DriverContract, testing::Values(fake_subject(), ovs_subject()),
                         [](const auto& info) { return info.param.name; });
INSTANTIATE_TEST_SUITE_P(Drivers, StepByStepContract, testing::Values(fake_subject()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace vmirror::test
