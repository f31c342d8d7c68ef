// A neighbour that answers no ARP: the kernel that waits for it is asked.
#include "plugin/base/next_hop.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

namespace vmirror {
namespace {

int run(const std::string& command) {
  return std::system((command + " 2>/dev/null").c_str());
}

/// A namespace with the veth pair `near` and `far`, where nobody has an address on `far`; the
/// test's thread is in it while it lives.
class NextHop : public ::testing::Test {
 protected:
  void SetUp() override {
    before_ = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    if (unshare(CLONE_NEWNET) != 0) GTEST_SKIP() << "needs root for a network namespace";
    entered_ = true;
    ASSERT_EQ(run("ip link add near type veth peer name far && ip link set near up && "
                  "ip link set far up && ip address add 192.0.2.1/24 dev near && "
                  "ip address add 2001:db8::1/64 dev near nodad && "
                  "ip route add 198.51.100.0/24 via 192.0.2.7"),
              0)
        << "needs iproute2";
  }
  void TearDown() override {
    if (entered_) setns(before_, CLONE_NEWNET);  // The namespace ends with its last user.
    if (before_ >= 0) close(before_);
  }

  static void send_to(const std::string& to) {
    const bool six = to.find(':') != std::string::npos;
    const int socket = ::socket(six ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_in in{AF_INET, htons(9), {}, {}};
    sockaddr_in6 in6{AF_INET6, htons(9), 0, {}, 0};
    inet_pton(six ? AF_INET6 : AF_INET, to.c_str(),
              six ? static_cast<void*>(&in6.sin6_addr) : static_cast<void*>(&in.sin_addr));
    if (six)
      ::sendto(socket, "x", 1, 0, reinterpret_cast<const sockaddr*>(&in6), sizeof in6);
    else
      ::sendto(socket, "x", 1, 0, reinterpret_cast<const sockaddr*>(&in), sizeof in);
    ::close(socket);
  }
  static bool silent(const std::string& to) { return next_hop_is_silent(*IpAddress::parse(to)); }

 private:
  int before_ = -1;
  bool entered_ = false;
};

TEST_F(NextHop, IsSilentOnceItDoesNotAnswer) {
  for (const char* to : {"192.0.2.9", "198.51.100.9", "2001:db8::9"}) {
    EXPECT_FALSE(silent(to)) << to << ": nobody asked it yet";
    send_to(to);
    EXPECT_TRUE(silent(to)) << to;
  }
}

TEST_F(NextHop, IsNotSilentWhereTheKernelKnowsItsMac) {
  ASSERT_EQ(run("ip neigh replace 192.0.2.7 lladdr 02:00:00:00:00:07 dev near nud reachable"), 0);
  send_to("198.51.100.9");
  EXPECT_FALSE(silent("198.51.100.9"));
  EXPECT_FALSE(silent("192.0.2.7"));
}

TEST_F(NextHop, IsNotKnownWithoutARouteAndOfTheHostItself) {
  EXPECT_FALSE(silent("203.0.113.9"));
  EXPECT_FALSE(silent("192.0.2.1"));
}

}  // namespace
}  // namespace vmirror
