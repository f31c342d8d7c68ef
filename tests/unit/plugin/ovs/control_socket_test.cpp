// The control socket's client against real daemons.
#include "plugin/ovs/control_socket.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/support/ovs_sandbox.hpp"

namespace vmirror::ovs {
namespace {

using namespace std::chrono_literals;
using test::OvsSandbox;

constexpr auto kLong = 10s;

class ControlSocketTest : public testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = OvsSandbox::unavailable(); !why.empty()) GTEST_SKIP() << why;
    sandbox_ = std::make_unique<OvsSandbox>();
    // The daemon opens its socket, and registers its commands, a moment after it was started.
    sandbox_->vsctl_wait("add-br br-first -- set bridge br-first datapath_type=netdev");
  }
  Result<std::string> call(std::string_view command, const std::vector<std::string>& arguments = {},
                           std::chrono::milliseconds timeout = kLong) {
    return ControlSocket(sandbox_->remote()).call(command, arguments, timeout);
  }
  Error::Kind why_not(std::chrono::milliseconds timeout = kLong) {
    const auto answer = call("version", {}, timeout);
    EXPECT_FALSE(answer) << *answer;
    return answer ? Error::Kind::internal : answer.error().kind;
  }

  std::unique_ptr<OvsSandbox> sandbox_;
};

TEST_F(ControlSocketTest, AsksAndIsAnswered) {
  const auto version = call("version");
  ASSERT_TRUE(version) << version.error().text();
  EXPECT_NE(version->find("Open vSwitch"), std::string::npos) << *version;
  sandbox_->vsctl_wait("add-br br0 -- set bridge br0 datapath_type=netdev");
  const auto learned = call("fdb/show", {"br0"});
  ASSERT_TRUE(learned) << learned.error().text();
  EXPECT_NE(learned->find("VLAN"), std::string::npos) << *learned;
}

TEST_F(ControlSocketTest, AnAnswerThatIsNo) {
  const auto answer = call("fdb/show", {"br-none"});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, Error::Kind::refused);
  EXPECT_NE(answer.error().what.find("no such bridge"), std::string::npos) << answer.error().text();
}

TEST_F(ControlSocketTest, ADaemonThatIsStuckKilledAndStartedAnew) {
  sandbox_->freeze_vswitchd(true);
  EXPECT_EQ(why_not(200ms), Error::Kind::unreachable);
  sandbox_->freeze_vswitchd(false);
  EXPECT_TRUE(call("version"));
  sandbox_->kill_vswitchd();  // Its socket is left behind.
  EXPECT_EQ(why_not(), Error::Kind::unreachable);
  const std::string stale = sandbox_->directory() + "/ovs-vswitchd.4194305.ctl";
  std::filesystem::rename(sandbox_->directory() + "/ovs-vswitchd.ctl", stale);
  std::ofstream(sandbox_->directory() + "/ovs-vswitchd.pid") << "4194305\n";
  sandbox_->start_vswitchd();
  sandbox_->vsctl_wait("add-br br-second -- set bridge br-second datapath_type=netdev");
  EXPECT_TRUE(call("version"));
}

TEST_F(ControlSocketTest, NoneIsThere) {
  std::filesystem::remove(sandbox_->directory() + "/ovs-vswitchd.ctl");
  EXPECT_EQ(why_not(), Error::Kind::missing);
}

TEST(ControlSocket, ADatabaseThatIsElsewhereHasNone) {
  for (const char* remote : {"tcp:192.0.2.1:6640", "ssl:192.0.2.1:6640"}) {
    const auto answer = ControlSocket(remote).call("version", {}, kLong);
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().kind, Error::Kind::unsupported);
  }
}

}  // namespace
}  // namespace vmirror::ovs
