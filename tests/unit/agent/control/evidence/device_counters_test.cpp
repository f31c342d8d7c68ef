// The kernel's counters of a device: they move with its traffic, in the guest's directions.
#include "agent/control/evidence/device_counters.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>

#include "agent/engine/capture/nic.hpp"

namespace vmirror {
namespace {

/// Sends datagrams to a closed port of loopback, where what is sent is received too.
void send_to_loopback(int count) {
  const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(9);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  for (int i = 0; i < count; ++i)
    ::sendto(socket, "x", 1, 0, reinterpret_cast<const sockaddr*>(&to), sizeof to);
  ::close(socket);
}

TEST(DeviceCounters, MoveWithTheTraffic) {
  const auto before = read_device("lo");
  ASSERT_TRUE(before);
  EXPECT_TRUE(before->carrier);
  send_to_loopback(10);
  const auto after = read_device("lo");
  ASSERT_TRUE(after);
  EXPECT_GE(after->counters.out_frames, before->counters.out_frames + 10);
  EXPECT_GE(after->counters.in_frames, before->counters.in_frames + 10);
  EXPECT_GE(after->counters.out_bytes, before->counters.out_bytes + 10 * 29);
}

TEST(DeviceCounters, LeaveOutWhatTheHostItselfSendsByIpv6) {
  const int before = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
  if (unshare(CLONE_NEWNET) != 0) GTEST_SKIP() << "needs root for a network namespace";
  // Once up, both ends greet their neighbours: addresses in use, routers, multicast groups.
  ASSERT_EQ(std::system("ip link add d0 type veth peer name d1 && ip link set d0 up && "
                        "ip link set d1 up && ip -6 address add 2001:db8::1/64 dev d0"),
            0)
      << "needs iproute2";
  std::uint64_t sent = 0;
  for (int tries = 0; tries < 300 && sent < 3; ++tries) {
    usleep(10000);
    if (const auto link = read_link("d0")) sent = link->tx_frames;
  }
  const auto link = read_link("d0");
  const auto device = read_device("d0");
  setns(before, CLONE_NEWNET);  // The namespace ends with its last user.
  close(before);
  ASSERT_TRUE(link && device);
  EXPECT_GE(link->tx_frames, 3u) << "the kernel sent nothing: this proves nothing";
  EXPECT_LE(device->counters.in_frames, 1u);
  EXPECT_LE(device->counters.in_bytes, 100u);
}

TEST(DeviceCounters, AreNoneWhereThereIsNoSuchDevice) {
  EXPECT_FALSE(read_device("vmr-no-such-dev"));
  EXPECT_FALSE(read_device(""));
}

}  // namespace
}  // namespace vmirror
