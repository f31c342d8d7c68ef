// Prunes without a daemon, on a fake switch.
#include "agent/control/loop/prune.hpp"

#include <gtest/gtest.h>

#include "agent/control/loop/control.hpp"
#include "tests/unit/agent/control/loop/one_bridge.hpp"

namespace vmirror {
namespace {

using test::mirror_all;

/// Without a daemon, after a crash.
class PruneTest : public test::OneBridge {
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
    ControlOptions options;
    options.host = "host";
    Control control(std::move(options), make_fake_driver(world, "vmirror"));
    control.set_policies(std::move(policies));
    control.settle(std::chrono::seconds(10));
  }
  std::unique_ptr<Driver> driver = make_fake_driver(world, "vmirror");
  PruneOptions options;
};
using Lines = std::vector<std::string>;

TEST_F(PruneTest, RemovesAndNeverAdds) {
  const std::string before = switch_text();
  EXPECT_EQ(lines(prune(*driver, options, mirror_all())), Lines{});
  EXPECT_EQ(switch_text(), before);
  leave_behind(mirror_all());
  EXPECT_EQ(lines(prune(*driver, options, mirror_all())), Lines{});
  EXPECT_NE(switch_text(), before);
  EXPECT_EQ(lines(prune(*driver, options, {})),
            (Lines{"remove mirror br0/vmirror-local", "remove port br0/vmirror-local"}));
  EXPECT_EQ(switch_text(), before);
}

TEST_F(PruneTest, TakesPortsOutOfAMirrorThatStays) {
  world->edit([](auto& switches) { switches["br0"].sw.ports["vnet1"].name = "vnet1"; });
  leave_behind(mirror_all());
  auto fewer = mirror_all();
  fewer[0].select[0].port = "vnet0";
  EXPECT_EQ(lines(prune(*driver, options, fewer)),
            Lines{"change mirror br0/vmirror-local: in {vnet0} out {vnet0} -> port vmirror-local"});
}

TEST_F(PruneTest, AnUnreachableSwitchIsAnError) {
  world->set_reachable(false);
  EXPECT_EQ(prune(*driver, options, {}).error().kind, Error::Kind::unreachable);
}

}  // namespace
}  // namespace vmirror
