// What the tests of this folder begin with: a fake switch with one bridge, and a policy for all of
// its guests' ports.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "agent/model/policy.hpp"
#include "plugin/fake/driver.hpp"
#include "tests/support/converge.hpp"

namespace vmirror::test {

/// Policy `all`: every port vnet*, to the engine here.
inline std::vector<Policy> mirror_all() {
  Policy p;
  p.name = "all";
  Selector s;
  s.port = "vnet*";
  p.select = {s};
  p.targets = {LocalTarget{}};
  return {p};
}

/// Bridge br0 with port vnet0.
class OneBridge : public testing::Test {
 protected:
  OneBridge() {
    world->edit([](FakeWorld::Switches& switches) {
      switches["br0"].sw.name = "br0";
      switches["br0"].sw.ports["vnet0"].name = "vnet0";
    });
  }
  /// All that is on the switch.
  std::string switch_text() { return to_text(**make_fake_driver(world, "reader")->observe()); }

  std::shared_ptr<FakeWorld> world = std::make_shared<FakeWorld>();
};

}  // namespace vmirror::test
