// The kernel's counters of a device: they move with its traffic, in the guest's directions.
#include "agent/control/evidence/device_counters.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

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

TEST(DeviceCounters, AreNoneWhereThereIsNoSuchDevice) {
  EXPECT_FALSE(read_device("vmr-no-such-dev"));
  EXPECT_FALSE(read_device(""));
}

}  // namespace
}  // namespace vmirror
