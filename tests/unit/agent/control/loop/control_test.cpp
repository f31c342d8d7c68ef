// The control thread on a fake switch: what is put in acts, what is asked for is answered, and it
// ends in order, whatever the switch does. Runs under ThreadSanitizer.
#include "agent/control/loop/control.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tests/unit/agent/control/loop/one_bridge.hpp"

namespace vmirror {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

using test::mirror_all;

class ControlTest : public test::OneBridge {
 protected:
  std::unique_ptr<Control> make() {
    ControlOptions options;
    options.host = "host";
    options.on_round = [this](const auto& snapshot) { rounds = snapshot->rounds; };
    return std::make_unique<Control>(std::move(options), make_fake_driver(world, "vmirror"));
  }

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

}  // namespace
}  // namespace vmirror
