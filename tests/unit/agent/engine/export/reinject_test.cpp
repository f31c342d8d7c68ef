// Re-injection into a real veth pair, in a network namespace of the test's own.
#include "agent/engine/export/reinject.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "tests/support/encapsulate.hpp"
#include "tests/support/frames.hpp"

namespace vmirror {
namespace {

using test::Buffer;

bool run(const std::string& command) {
  return std::system((command + " >&2").c_str()) == 0;
}

/// True once this process is in a network namespace of its own, for good; as root, or as a user
/// where user namespaces are allowed.
bool own_namespace() {
  static const bool done =
      ::unshare(::geteuid() == 0 ? CLONE_NEWNET : CLONE_NEWUSER | CLONE_NEWNET) == 0;
  return done;
}

/// A frame as a ring gives it: `tag` is not in the bytes, but the wire had it.
Frame stripped_of(Bytes bytes, VlanTag tag) {
  Frame frame = test::frame_of(bytes);
  frame.stripped = tag;
  frame.wire_size += 4;
  return frame;
}

class Reinject : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!own_namespace()) GTEST_SKIP() << "no network namespace: run as root";
    ASSERT_TRUE(run("ip link add vmr0 mtu 1500 type veth peer name vmr1 mtu 1500"));
    ASSERT_TRUE(
        run("ip link set vmr0 addrgenmode none up && ip link set vmr1 addrgenmode none up"));
    listen();
  }
  void TearDown() override {
    if (sensor >= 0) ::close(sensor);
    if (::if_nametoindex("vmr0") != 0) {
      EXPECT_TRUE(run("ip link del vmr0"));
    }
  }
  void listen() {
    if (sensor >= 0) ::close(sensor);
    sensor = ::socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, htons(ETH_P_ALL_));
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(ETH_P_ALL_);
    address.sll_ifindex = static_cast<int>(::if_nametoindex("vmr1"));
    ASSERT_EQ(::bind(sensor, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    const int on = 1;
    ASSERT_EQ(::setsockopt(sensor, SOL_PACKET, PACKET_AUXDATA, &on, sizeof on), 0);
  }
  /// The next frame at the sensor, with the tag that its kernel took out put back.
  Buffer received() {
    Buffer bytes(70000);
    alignas(cmsghdr) char control[256];
    iovec part{bytes.data(), bytes.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    pollfd p{sensor, POLLIN, 0};
    if (::poll(&p, 1, 5000) != 1) return {};
    const ssize_t n = ::recvmsg(sensor, &message, 0);
    bytes.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    const cmsghdr* c = CMSG_FIRSTHDR(&message);
    tpacket_auxdata aux{};
    if (c != nullptr) std::memcpy(&aux, CMSG_DATA(c), sizeof aux);
    if ((aux.tp_status & TP_STATUS_VLAN_VALID) != 0) {
      test::Writer tag;
      tag.u16(aux.tp_vlan_tpid).u16(aux.tp_vlan_tci);
      const Buffer raw = tag.take();
      bytes.insert(bytes.begin() + 12, raw.begin(), raw.end());
    }
    return bytes;
  }
  static std::uint64_t lost(const Reinjector& out, ReinjectLoss reason) {
    return out.counters().lost[static_cast<std::size_t>(reason)];
  }

  static constexpr std::uint16_t ETH_P_ALL_ = 3;
  int sensor = -1;
};

TEST_F(Reinject, SendsTheFrameAsItWas) {
  auto out = Reinjector::open({.interface = "vmr0", .inputs = {}});
  ASSERT_TRUE(out) << out.error().text();
  const Buffer plain = test::udp_frame({}, test::counting(100));
  const Buffer tagged = test::udp_frame({.tags = {{0x8100, 0x2064}}}, test::counting(100));
  const Buffer stacked = test::udp_frame({.tags = {{0x88a8, 5}, {0x8100, 7}}}, test::counting(100));
  out->add(test::frame_of(plain), {});
  out->add(test::frame_of(tagged), {});
  // The same with the outermost tag stripped must come out the same.
  out->add(stripped_of(plain, {0x8100, 0x2064}), {});
  Buffer without = stacked;
  without.erase(without.begin() + 12, without.begin() + 16);
  out->add(stripped_of(without, {0x88a8, 5}), {});
  out->flush(0);
  EXPECT_EQ(received(), plain);
  EXPECT_EQ(received(), tagged);
  EXPECT_EQ(received(), tagged);
  EXPECT_EQ(received(), stacked);
  EXPECT_EQ(out->counters().frames, 4U);
  EXPECT_EQ(out->counters().sent, 4U);
  EXPECT_EQ(out->counters().sent_bytes, plain.size() * 4 + 4 * 4);
  EXPECT_EQ(out->counters().lost_total(), 0U);
}

TEST_F(Reinject, SendsMoreThanABatch) {
  auto out = Reinjector::open({.interface = "vmr0", .inputs = {}});
  ASSERT_TRUE(out);
  for (std::uint16_t i = 0; i < 200; ++i) {
    const Buffer frame = test::ping_frame({}, i);
    out->add(test::frame_of(frame), {});
  }
  out->flush(0);
  EXPECT_EQ(out->counters().sent, 200U);
  for (std::uint16_t i = 0; i < 200; ++i) ASSERT_EQ(received(), test::ping_frame({}, i));
}

TEST_F(Reinject, CountsWhatDoesNotGoOutByReason) {
  auto out = Reinjector::open({.interface = "vmr0", .inputs = {}});
  ASSERT_TRUE(out);
  const Buffer full = test::ethernet(Buffer(1500), 0x88b5);
  const Buffer full_tagged = test::ethernet(Buffer(1500), 0x88b5, {.tags = {{0x8100, 1}}});
  const Buffer over = test::ethernet(Buffer(1501), 0x88b5);
  const Buffer packet = test::ip_part(full);
  const Buffer small(13);
  Frame tagged_part = stripped_of(full, {0x8100, 1});
  tagged_part.bytes = tagged_part.bytes.first(tagged_part.bytes.size() - 1);
  Origin cut;
  cut.truncated = true;
  out->add(test::frame_of(full), {});
  out->add(test::frame_of(full_tagged), {});
  out->add(test::frame_of(over), {});
  out->add(test::frame_of(packet, 0, LinkType::ip), {});
  out->add(test::frame_of(small), {});
  out->add(test::frame_of(full), cut);
  out->add(tagged_part, {});
  out->flush(0);
  EXPECT_EQ(out->counters().sent, 2U);
  EXPECT_EQ(lost(*out, ReinjectLoss::too_long), 1U);
  EXPECT_EQ(lost(*out, ReinjectLoss::no_ethernet), 2U);
  EXPECT_EQ(lost(*out, ReinjectLoss::truncated), 2U);
  EXPECT_EQ(out->counters().frames, 7U);
}

TEST_F(Reinject, ALinkThatIsDownIsSeenAndComesBack) {
  auto out = Reinjector::open({.interface = "vmr0", .inputs = {}});
  ASSERT_TRUE(out);
  const Buffer frame = test::ping_frame({});
  ASSERT_TRUE(run("ip link set vmr0 down"));
  out->add(test::frame_of(frame), {});
  out->flush(0);
  EXPECT_EQ(lost(*out, ReinjectLoss::link_down), 1U);
  ASSERT_TRUE(out->error());
  EXPECT_EQ(out->error()->where, "vmr0");
  ASSERT_TRUE(run("ip link set vmr0 up"));
  out->add(test::frame_of(frame), {});
  out->flush(kSecond);
  EXPECT_EQ(out->counters().sent, 1U);
  EXPECT_FALSE(out->error());
}

TEST_F(Reinject, AnInterfaceThatIsMadeAnewIsFoundAgain) {
  auto out = Reinjector::open({.interface = "vmr0", .inputs = {}});
  ASSERT_TRUE(out);
  const Buffer frame = test::ping_frame({});
  ASSERT_TRUE(run("ip link del vmr0"));
  out->add(test::frame_of(frame), {});
  out->flush(0);
  EXPECT_EQ(lost(*out, ReinjectLoss::link_down), 1U);
  ASSERT_TRUE(run("ip link add vmr0 mtu 9000 type veth peer name vmr1 mtu 9000"));
  ASSERT_TRUE(run("ip link set vmr0 up && ip link set vmr1 up"));
  out->add(test::frame_of(frame), {});
  out->flush(kSecond / 2);  // Too early to look again.
  EXPECT_EQ(out->counters().sent, 0U);
  out->flush(kSecond);
  const Buffer large = test::ethernet(Buffer(9000), 0x88b5);
  out->add(test::frame_of(large), {});
  out->flush(kSecond);
  EXPECT_EQ(out->counters().sent, 1U);
  EXPECT_FALSE(out->error());
}

TEST_F(Reinject, AClockThatIsSetBackDoesNotStopTheSearch) {
  auto out = Reinjector::open({.interface = "vmr0", .inputs = {}});
  ASSERT_TRUE(out);
  const Buffer frame = test::ping_frame({});
  ASSERT_TRUE(run("ip link del vmr0"));
  out->add(test::frame_of(frame), {});
  out->flush(1000 * kSecond);
  ASSERT_TRUE(out->error());
  ASSERT_TRUE(run("ip link add vmr0 type veth peer name vmr1"));
  ASSERT_TRUE(run("ip link set vmr0 up && ip link set vmr1 up"));
  out->flush(400 * kSecond);
  // A link that was just made takes a moment until it passes frames.
  for (int tries = 0; tries < 200 && out->counters().sent == 0; ++tries) {
    if (tries > 0) ::usleep(10'000);
    out->add(test::frame_of(frame), {});
    out->flush(401 * kSecond);
  }
  EXPECT_EQ(out->counters().sent, 1U);
  EXPECT_FALSE(out->error());
}

TEST_F(Reinject, RefusesALoop) {
  const std::string itself[] = {"vmr0"};
  const std::string peer[] = {"other", "vmr1"};
  const auto same = Reinjector::open({.interface = "vmr0", .inputs = itself});
  const auto other_end = Reinjector::open({.interface = "vmr0", .inputs = peer});
  const auto none = Reinjector::open({.interface = "nowhere", .inputs = {}});
  const auto loopback = Reinjector::open({.interface = "lo", .inputs = {}});
  ASSERT_FALSE(same || other_end || none || loopback);
  EXPECT_EQ(same.error().what, "frames are taken from it: sending them there would be a loop");
  EXPECT_EQ(other_end.error().what,
            "is the other end of input vmr1: sending there would be a loop");
  EXPECT_EQ(none.error().kind, Error::Kind::missing);
  EXPECT_EQ(loopback.error().what, "is no Ethernet interface");
}

}  // namespace
}  // namespace vmirror
