// What only vSphere has: faults of its API at each call, and what the server says of a port.
#include <gtest/gtest.h>

#include "tests/contract/vsphere_world.hpp"
#include "tests/support/converge.hpp"
#include "tests/support/ovs_sandbox.hpp"

namespace vmirror::test {
namespace {

Session dvport_session(const std::string& port, const Target& target,
                       Direction direction = Direction::both) {
  Session s;
  s.name = port + "@" + to_text(target);
  s.switch_name = "br0";
  s.port = port;
  s.direction = direction;
  s.target = target;
  return s;
}
ErspanTarget erspan(std::uint16_t id) {
  ErspanTarget out;
  out.address = *IpAddress::parse("198.51.100.7");
  out.session = id;
  return out;
}

class VsphereDriverTest : public testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = Vcsim::unavailable(); !why.empty()) GTEST_SKIP() << why;
  }
};

/// One submission that adds, edits, makes anew (it takes a direction away) and removes.
const Desired kBefore = {{dvport_session("vnet0", erspan(5)), dvport_session("vnet0", erspan(6)),
                          dvport_session("vnet1", RspanTarget{50})}};
const Desired kWanted = {{dvport_session("vnet0", erspan(5)), dvport_session("vnet1", erspan(5)),
                          dvport_session("vnet0", erspan(6), Direction::in),
                          dvport_session("vnet0", RspanTarget{100})}};

TEST_F(VsphereDriverTest, ConvergesAfterEachFaultAtEachCall) {
  const struct {
    const char *method, *how, *more;
    std::size_t at_least;  ///< Calls that it happened at.
    bool foreign;          ///< Another administrator leaves a session each time.
  } kCases[] = {
      {"*", "expire", "", 4, false},
      {"*", "cut", "", 4, false},
      {"*", "status", R"(,"status":503)", 4, false},
      {"ReconfigureDvs_Task", "fault", R"(,"fault":"ConcurrentAccess")", 1, false},
      {"ReconfigureDvs_Task", "fault", R"(,"fault":"NoPermission")", 1, false},
      {"ReconfigureDvs_Task", "task", R"(,"fault":"ConcurrentAccess")", 1, false},
      {"ReconfigureDvs_Task", "task", R"(,"fault":"DvsOperationBulkFault")", 1, false},
      {"ReconfigureDvs_Task", "task_done", R"(,"fault":"DvsOperationBulkFault")", 1, false},
      {"ReconfigureDvs_Task", "other_edit", "", 1, true},
      {"ReconfigureDvs_Task", "cut_after", "", 1, false},
      {"WaitForUpdatesEx", "fault", R"(,"fault":"InvalidCollectorVersion")", 1, false},
  };
  VsphereWorld world;
  for (const auto& c : kCases) {
    const std::string what = std::string(c.how) + c.more + " at " + c.method;
    std::string good;
    for (std::size_t n = 0;; n++) {
      world.reset();
      auto driver = world.connect("vmirror");
      ASSERT_TRUE(converge(*driver, kBefore)) << what;
      if (n != 0) world.rule(c.method, c.how, n, c.more);
      (void)converge(*driver, kWanted);
      const bool happened = world.disarm();
      Result<Converged> reached;
      ASSERT_TRUE(eventually([&] { return (reached = converge(*driver, kWanted)).has_value(); }))
          << what << " " << n << ": " << reached.error().text();
      std::string now = to_text(*reached->observed);
      if (c.foreign) {
        EXPECT_EQ(foreign_text(*reached->observed).find("foreign") != std::string::npos, happened);
      }
      if (n == 0) good = now;
      if (!happened || !c.foreign) {
        ASSERT_EQ(now, good) << what << " " << n;
      }
      if (n != 0 && !happened) {
        EXPECT_GT(n, c.at_least) << what;
        break;
      }
    }
  }
}

TEST_F(VsphereDriverTest, APortThatTheServerRefusesDoesNotKeepTheOthersFromBeingServed) {
  VsphereWorld world;
  const Desired both = {{dvport_session("vnet0", erspan(5)), dvport_session("vnet1", erspan(5))}};
  auto driver = world.connect("vmirror");
  ASSERT_TRUE(driver->observe());
  world.order(R"({"do":"port_promiscuous","key":"vnet0","on":true})");
  const auto refused = converge(*driver, both);
  ASSERT_FALSE(refused) << "its own policy is not in the inventory";
  EXPECT_NE(refused.error().text().find("VspanPromiscuousPortNotSupported"), std::string::npos)
      << refused.error().text();
  Result<Converged> reached;
  ASSERT_TRUE(eventually([&] { return (reached = converge(*driver, both)).has_value(); }))
      << reached.error().text();
  ASSERT_TRUE(reached->wanted.verdicts[0].refused);
  EXPECT_NE(reached->wanted.verdicts[0].refused->text().find("Reject"), std::string::npos);
  EXPECT_FALSE(reached->wanted.verdicts[1].refused);
  world.order(R"({"do":"port_promiscuous","key":"vnet0","on":false})");
  EXPECT_TRUE(eventually(
      [&] {
        const auto again = converge(*driver, both);
        return again && !again->wanted.verdicts[0].refused;
      },
      90))
      << "once it is mended";
}

TEST_F(VsphereDriverTest, AServerThatMergesEditsIsServedAsWell) {
  VsphereWorld world({"--edit-merges"});
  auto driver = world.connect("vmirror");
  for (const Desired& each : {kBefore, kWanted, kBefore, Desired{}}) {
    const auto reached = converge(*driver, each);
    ASSERT_TRUE(reached) << reached.error().text();
    for (const Mirror& wanted : reached->wanted.mirrors)
      EXPECT_TRUE(reached->observed->switches.at("br0").mirrors.at(wanted.name).same_as(wanted));
  }
}

}  // namespace
}  // namespace vmirror::test
