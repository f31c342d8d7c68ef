// The control thread on a fake switch: what is put in acts, what is asked for is answered, and it
// ends in order, whatever the switch does. Runs under ThreadSanitizer.
#include "agent/app/control.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "agent/app/direct.hpp"
#include "plugin/fake/driver.hpp"
#include "tests/support/converge.hpp"

namespace vmirror {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::vector<Policy> mirror_all() {
  Policy p;
  p.name = "all";
  Selector s;
  s.port = "vnet*";
  p.select = {s};
  p.targets = {LocalTarget{}};
  return {p};
}

class ControlTest : public testing::Test {
 protected:
  ControlTest() {
    world->edit([](FakeWorld::Switches& switches) {
      switches["br0"].sw.name = "br0";
      switches["br0"].sw.ports["vnet0"].name = "vnet0";
    });
  }
  std::string switch_text() {
    return test::to_text(**make_fake_driver(world, "reader")->observe());
  }
  std::unique_ptr<Control> make() {
    ControlOptions options;
    options.host = "host";
    options.on_round = [this](const auto& snapshot) { rounds = snapshot->rounds; };
    return std::make_unique<Control>(std::move(options), make_fake_driver(world, "vmirror"));
  }

  std::shared_ptr<FakeWorld> world = std::make_shared<FakeWorld>();
  std::atomic<std::uint64_t> rounds{0};
};

TEST_F(ControlTest, WhatWasAppliedIsSettled) {
  const auto control = make();
  control->set_policies(mirror_all());
  const auto known = control->settle(seconds(10));
  ASSERT_EQ(known->sessions.size(), 1U);
  EXPECT_TRUE(known->sessions.begin()->second.in_place);
  EXPECT_TRUE(known->in_sync());
  EXPECT_EQ(known->policies[0].state, PolicyState::in_force);
  EXPECT_GT(rounds, 0U);
}

TEST_F(ControlTest, RemoveAllLeavesNothingOfOurs) {
  const std::string before = switch_text();
  const auto control = make();
  control->set_policies(mirror_all());
  control->settle(seconds(10));
  EXPECT_NE(switch_text(), before);
  EXPECT_TRUE(control->remove_all(seconds(10)));
  EXPECT_EQ(switch_text(), before);
}

TEST_F(ControlTest, RemoveAllSaysWhatIsLeftBehind) {
  const auto control = make();
  control->set_policies(mirror_all());
  control->settle(seconds(10));
  world->set_reachable(false);
  const auto done = control->remove_all(milliseconds(300));
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, Error::Kind::unreachable);
}

TEST_F(ControlTest, MirrorsStayWhenTheThreadJustEnds) {
  auto control = make();
  control->set_policies(mirror_all());
  control->settle(seconds(10));
  const std::string mirrored = switch_text();
  control.reset();
  EXPECT_EQ(switch_text(), mirrored);
}

TEST_F(ControlTest, ManyThreadsPutIn) {
  auto control = make();
  std::vector<std::thread> threads;
  threads.emplace_back([&] {
    for (int i = 0; i < 50; ++i) control->set_policies(mirror_all());
  });
  threads.emplace_back([&] {
    for (int i = 0; i < 50; ++i) control->set_evidence({});
  });
  threads.emplace_back([&] {
    for (int i = 0; i < 50; ++i)
      world->edit([&](auto& switches) {
        const std::string name = "vnet" + std::to_string(i);
        switches["br0"].sw.ports[name].name = name;
      });
  });
  threads.emplace_back([&] {
    for (int i = 0; i < 50; ++i) control->snapshot()->in_sync();
  });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(control->settle(seconds(10))->sessions.size(), 50U);
}

/// Without a daemon, after a crash.
class DirectTest : public ControlTest {
 protected:
  /// As text, so that a test reads.
  static std::vector<std::string> lines(const Result<std::vector<Step>>& steps) {
    std::vector<std::string> out;
    if (!steps) return {steps.error().text()};
    for (const Step& step : *steps) out.push_back(step.text());
    return out;
  }
  /// What a daemon that was killed leaves.
  void leave_behind(std::vector<Policy> policies) {
    const auto control = make();
    control->set_policies(std::move(policies));
    control->settle(seconds(10));
  }
  std::unique_ptr<Driver> driver = make_fake_driver(world, "vmirror");
  Config config;
};
using Lines = std::vector<std::string>;

TEST_F(DirectTest, PlanTellsAndChangesNothing) {
  const std::string before = switch_text();
  EXPECT_EQ(plan_directly(*driver, config, mirror_all())->size(), 2U);
  EXPECT_EQ(switch_text(), before);
  leave_behind(mirror_all());
  EXPECT_EQ(lines(plan_directly(*driver, config, mirror_all())), Lines{});
}

TEST_F(DirectTest, PruneRemovesAndNeverAdds) {
  const std::string before = switch_text();
  EXPECT_EQ(lines(prune_directly(*driver, config, mirror_all())), Lines{});
  EXPECT_EQ(switch_text(), before);
  leave_behind(mirror_all());
  EXPECT_EQ(lines(prune_directly(*driver, config, mirror_all())), Lines{});
  EXPECT_NE(switch_text(), before);
  EXPECT_EQ(lines(prune_directly(*driver, config, {})),
            (Lines{"remove mirror br0/vmirror-local", "remove port br0/vmirror-local"}));
  EXPECT_EQ(switch_text(), before);
}

TEST_F(DirectTest, PruneTakesPortsOutOfAMirrorThatStays) {
  world->edit([](auto& switches) { switches["br0"].sw.ports["vnet1"].name = "vnet1"; });
  leave_behind(mirror_all());
  auto fewer = mirror_all();
  fewer[0].select[0].port = "vnet0";
  EXPECT_EQ(lines(prune_directly(*driver, config, fewer)),
            Lines{"put mirror br0/vmirror-local: in {vnet0} out {vnet0} -> port vmirror-local"});
}

TEST_F(DirectTest, AnUnreachableSwitchIsAnError) {
  world->set_reachable(false);
  EXPECT_EQ(prune_directly(*driver, config, {}).error().kind, Error::Kind::unreachable);
}

}  // namespace
}  // namespace vmirror
