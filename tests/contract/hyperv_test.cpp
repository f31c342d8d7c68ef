// What only Hyper-V has: faults of WinRM and of the host's jobs at each kind of call, and settings
// that change between a reading and a change.
#include <gtest/gtest.h>

#include "plugin/api/diff.hpp"
#include "tests/contract/hyperv_world.hpp"
#include "tests/support/converge.hpp"
#include "tests/support/ovs_sandbox.hpp"

namespace vmirror::test {
namespace {

Session adapter_session(const std::string& port) {
  Session s;
  s.name = port + "@local";
  s.switch_name = "br0";
  s.port = port;
  return s;
}

class HypervDriverTest : public testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = Wsman::unavailable(); !why.empty()) GTEST_SKIP() << why;
  }
};

/// One submission that adds and takes away.
const Desired kAdaptersBefore = {{adapter_session("vnet0"), adapter_session("vnet1")}};
const Desired kAdaptersWanted = {{adapter_session("vnet1"), adapter_session("vnet2")}};

TEST_F(HypervDriverTest, ConvergesAfterEachFault) {
  const struct {
    const char *call, *how, *more;
  } kCases[] = {
      {"Get", "cut_after", ""},
      {"Get", "fault", R"(,"kind":"timed out")"},
      {"Get", "fault", R"(,"kind":"internal")"},
      {"Enumerate", "fault", R"(,"kind":"quota")"},
      {"*", "status", R"(,"status":503)"},
      {"Invoke", "cut_before", ""},
      {"Invoke", "fault", R"(,"kind":"access denied")"},
      {"Invoke", "job", R"(,"code":32768)"},
      {"Invoke", "job", R"(,"code":32768,"done":true)"},
  };
  constexpr std::size_t kCalls = 3;  // Reading never ends: nth calls of all kinds come.
  HypervWorld world;
  std::string good;
  for (const auto& c : kCases)
    for (std::size_t n = 1; n <= kCalls; n++) {
      SCOPED_TRACE(std::string(c.how) + c.more + " at " + c.call + " " + std::to_string(n));
      world.reset();
      auto driver = world.connect("vmirror");
      ASSERT_TRUE(converge(*driver, kAdaptersBefore));
      if (good.empty()) {
        const auto reached = converge(*driver, kAdaptersWanted);
        ASSERT_TRUE(reached) << reached.error().text();
        good = to_text(*reached->observed);
        world.reset();
        driver = world.connect("vmirror");
        ASSERT_TRUE(converge(*driver, kAdaptersBefore));
      }
      world.rule(c.call, c.how, n, c.more);
      (void)converge(*driver, kAdaptersWanted);
      EXPECT_TRUE(world.disarm()) << "it happened";
      Result<Converged> reached;
      ASSERT_TRUE(eventually([&] {
        return (reached = converge(*driver, kAdaptersWanted)).has_value();
      })) << reached.error().text();
      ASSERT_EQ(to_text(*reached->observed), good);
    }
}

TEST_F(HypervDriverTest, ASettingThatChangedSinceItWasReadIsAConflict) {
  HypervWorld world;
  HypervOptions slow = world.options();
  slow.poll = std::chrono::seconds(60);  // It sees nothing by itself.
  const auto driver = world.connect(slow);
  const auto before = driver->observe();
  ASSERT_TRUE(before) << before.error().text();
  const std::vector<Step> steps =
      diff(driver->realise(kAdaptersBefore, **before).objects, **before);
  world.set_mode("vnet0", "", R"({"MonitorMode":1})");
  const auto ticket = driver->submit(steps);
  ASSERT_TRUE(ticket) << ticket.error().text();
  Submission is;
  ASSERT_TRUE(eventually([&] {
    const auto now = driver->observe();
    if (now) is = (*now)->submissions.at(*ticket);
    return is.state != Submission::State::running;
  }));
  EXPECT_NE(is.state, Submission::State::settled);
  const auto reached = converge(*driver, kAdaptersBefore);
  ASSERT_TRUE(reached) << reached.error().text();
  ASSERT_TRUE(reached->wanted.verdicts[0].refused) << "somebody else's destination";
  EXPECT_FALSE(reached->wanted.verdicts[1].refused) << "the other one goes on";
}

}  // namespace
}  // namespace vmirror::test
