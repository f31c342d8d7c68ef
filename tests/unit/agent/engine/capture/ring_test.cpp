// The AF_PACKET ring on a real veth pair, in a network namespace of the test's own.
#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <thread>

#include "agent/engine/capture/capture.hpp"
#include "agent/engine/capture/link_speed.hpp"
#include "agent/engine/capture/offloads.hpp"
#include "agent/engine/capture/pair.hpp"
#include "tests/support/encapsulate.hpp"

namespace vmirror {
namespace {

using namespace test;

int run(const std::string& command) {
  return std::system((command + " 2>/dev/null").c_str());
}

/// A namespace with the veth pair `rx` and `tx`; the test's thread is in it while it lives.
class Ring : public ::testing::Test {
 protected:
  void SetUp() override {
    before_ = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    if (unshare(CLONE_NEWNET) != 0) GTEST_SKIP() << "needs root for a network namespace";
    entered_ = true;
    // No IPv6: its own neighbour discovery would be among the frames.
    ASSERT_EQ(run("sysctl -qw net.ipv6.conf.default.disable_ipv6=1"), 0);
    ASSERT_EQ(run("ip link add rx type veth peer name tx"), 0) << "needs iproute2";
    ASSERT_EQ(run("ip link set dev rx up && ip link set dev tx up"), 0);
    sender_ = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    ASSERT_GE(sender_, 0);
  }
  void TearDown() override {
    if (sender_ >= 0) close(sender_);
    if (entered_) setns(before_, CLONE_NEWNET);  // The namespace ends with its last user.
    if (before_ >= 0) close(before_);
  }

  void send(Bytes frame, const char* interface = "tx") const {
    sockaddr_ll to{};
    to.sll_family = AF_PACKET;
    to.sll_ifindex = static_cast<int>(if_nametoindex(interface));
    // A link that was just set up takes a moment until it passes frames.
    ssize_t sent = -1;
    for (int tries = 0; sent < 0 && tries < 200; ++tries) {
      if (tries > 0) usleep(10000);
      sent = sendto(sender_, frame.data(), frame.size(), 0, reinterpret_cast<sockaddr*>(&to),
                    sizeof to);
      if (sent < 0 && errno != ENOBUFS && errno != ENETDOWN) break;
    }
    ASSERT_EQ(sent, static_cast<ssize_t>(frame.size())) << std::strerror(errno);
  }
  static std::unique_ptr<FrameSource> ring(RingOptions options = {}) {
    if (options.interface.empty()) options.interface = "rx";
    options.block_timeout_ms = 1;
    auto source = open_ring(options);
    if (!source) ADD_FAILURE() << source.error().text();
    return source ? std::move(*source) : nullptr;
  }
  /// Frames until none came for 200 ms.
  struct Taken {
    Buffer bytes;
    Frame frame;
  };
  static std::vector<Taken> drain(FrameSource& source, std::size_t batch_size = 16) {
    std::vector<Taken> out;
    std::vector<Frame> batch(batch_size);
    for (;;) {
      const auto n = source.next(batch, 200);
      if (!n) {
        ADD_FAILURE() << n.error().text();
        return out;
      }
      if (*n == 0) return out;
      for (std::size_t i = 0; i < *n; ++i)
        out.push_back({{batch[i].bytes.begin(), batch[i].bytes.end()}, batch[i]});
    }
  }
  static unsigned promiscuity(const char* interface) {
    const std::string file = "/tmp/vmirror-promiscuity-" + std::to_string(getpid());
    run(std::string("ip -d link show ") + interface +
        " | sed -n 's/.*promiscuity \\([0-9]*\\).*/\\1/p' >" + file);
    unsigned out = 99;
    std::ifstream(file) >> out;
    unlink(file.c_str());
    return out;
  }

 private:
  int before_ = -1;
  int sender_ = -1;
  bool entered_ = false;
};

TEST_F(Ring, GivesFramesAsTheyWereSent) {
  auto source = ring({.input = 4});
  ASSERT_TRUE(source);
  const Time before = wall_clock();
  std::vector<Buffer> sent;
  for (std::uint16_t i = 0; i < 100; ++i) {
    sent.push_back(udp_frame({.destination_port = i}, counting(i * 10)));
    send(sent.back());
  }
  const auto got = drain(*source, 7);
  ASSERT_EQ(got.size(), sent.size());
  for (std::size_t i = 0; i < sent.size(); ++i) {
    EXPECT_EQ(got[i].bytes, sent[i]);
    EXPECT_EQ(got[i].frame.wire_size, sent[i].size());
    EXPECT_EQ(got[i].frame.input, 4);
    EXPECT_GT(got[i].frame.time, before - kSecond);
    EXPECT_LT(got[i].frame.time, before + 60 * kSecond);
  }
  EXPECT_FALSE(source->finished());
}

TEST_F(Ring, RestoresTheVlanTagsThatTheKernelTookOut) {
  auto source = ring();
  ASSERT_TRUE(source);
  send(udp_frame({.tags = {{0x8100, 0x6007}}}, counting(10)));
  send(udp_frame({.tags = {{0x88a8, 5}, {0x8100, 6}}}, counting(10)));
  send(udp_frame({}, counting(10)));
  const auto got = drain(*source);
  ASSERT_EQ(got.size(), 3u);
  const Buffer plain = udp_frame({}, counting(10));
  EXPECT_EQ(got[0].frame.stripped, (VlanTag{0x8100, 0x6007}));
  EXPECT_EQ(got[0].bytes, plain);
  EXPECT_EQ(got[0].frame.wire_size, plain.size() + 4);
  const Packet stacked = parse_packet(got[1].bytes, LinkType::ethernet, got[1].frame.stripped);
  ASSERT_EQ(stacked.tag_count, 2);
  EXPECT_EQ(stacked.tags[0], (VlanTag{0x88a8, 5}));
  EXPECT_EQ(stacked.tags[1], (VlanTag{0x8100, 6}));
  EXPECT_FALSE(got[2].frame.stripped.present());
}

TEST_F(Ring, CutsToTheSnaplen) {
  auto source = ring({.snaplen = 60});
  ASSERT_TRUE(source);
  send(udp_frame({}, counting(500)));
  const auto got = drain(*source);
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0].bytes.size(), 60u);
  EXPECT_EQ(got[0].frame.wire_size, 542u);
}

TEST_F(Ring, CountsWhatAFullRingLost) {
  auto source = ring({.block_size = 4096, .block_count = 2});
  ASSERT_TRUE(source);
  constexpr std::size_t kSent = 500;
  for (std::size_t i = 0; i < kSent; ++i) send(udp_frame({}, counting(1000)));
  const auto got = drain(*source);
  const std::uint64_t lost = source->dropped()[static_cast<std::size_t>(Drop::kernel)];
  EXPECT_GT(lost, 0u);
  EXPECT_EQ(got.size() + lost, kSent);
  send(udp_frame({}, counting(100)));
  EXPECT_EQ(drain(*source).size(), 1u) << "it goes on afterwards";
  EXPECT_EQ(source->dropped()[static_cast<std::size_t>(Drop::kernel)], lost);
}

TEST(RingSize, HoldsTheFramesOf50MsAtTheSpeedOfTheLink) {
  constexpr std::size_t kMiB = 1 << 20;
  const struct {
    std::size_t block_size;
    std::optional<std::uint32_t> speed;
    unsigned blocks;
  } rows[] = {
      {kMiB, 10, 16},                                  // tun: 10 Mbit/s, and more in truth.
      {kMiB, 1'000, 16},                               // 6.25 MB in 50 ms.
      {kMiB, 10'000, 67},                              // 62.5 MB, and 7.8 MB of headers.
      {kMiB, 25'000, 167},      {kMiB, 100'000, 256},  // 625 MB: the most.
      {kMiB, std::nullopt, 67}, {4096, 1'000, 4096},  {std::size_t{1} << 28, 1'000, 1},
  };
  for (const auto& row : rows)
    EXPECT_EQ(default_block_count(row.block_size, row.speed), row.blocks)
        << row.block_size << ", " << row.speed.value_or(0);
}

TEST_F(Ring, TheSpeedIsTheDrivers) {
  EXPECT_EQ(link_speed("rx"), 10'000U) << "of a veth";
  EXPECT_EQ(link_speed("lo"), std::nullopt);
}

TEST_F(Ring, LeavesOutWhatTheHostSends) {
  auto both = ring({.receive_only = false}), one_way = ring({.receive_only = true});
  ASSERT_TRUE(both && one_way);
  send(udp_frame({}, counting(10)), "rx");
  send(udp_frame({}, counting(20)), "tx");
  EXPECT_EQ(drain(*both).size(), 2u);
  EXPECT_EQ(drain(*one_way).size(), 1u);
}

TEST_F(Ring, PromiscuityEndsWithIt) {
  EXPECT_EQ(promiscuity("rx"), 0u);
  {
    auto source = ring({.promiscuous = true});
    EXPECT_EQ(promiscuity("rx"), 1u);
  }
  EXPECT_EQ(promiscuity("rx"), 0u);
  auto quiet = ring({.promiscuous = false});
  EXPECT_EQ(promiscuity("rx"), 0u);
}

TEST_F(Ring, SharesFramesWithinAFanoutGroup) {
  auto first = ring({.fanout_group = 7, .fanout = Fanout::load_balance});
  auto second = ring({.fanout_group = 7, .fanout = Fanout::load_balance});
  ASSERT_TRUE(first && second);
  for (int i = 0; i < 20; ++i) send(udp_frame({}, counting(10)));
  EXPECT_EQ(drain(*first).size(), 10u);
  EXPECT_EQ(drain(*second).size(), 10u);
}

TEST_F(Ring, SaysThatTheInterfaceIsDownAndGoesOnOnceItIsUp) {
  auto source = ring();
  ASSERT_TRUE(source);
  std::vector<Frame> batch(4);
  ASSERT_EQ(run("ip link set dev rx down"), 0);
  const auto down = source->next(batch, 1000);
  ASSERT_FALSE(down);
  EXPECT_EQ(down.error().kind, Error::Kind::unreachable);
  EXPECT_EQ(down.error().where, "rx");
  ASSERT_EQ(run("ip link set dev rx up"), 0);
  std::size_t got = 0;
  for (int tries = 0; got == 0 && tries < 20; ++tries) {  // The first may go before the link is.
    send(udp_frame({}));
    got = drain(*source).size();
  }
  EXPECT_EQ(got, 1u);
}

/// The kernel would give a ring there, which looks well until it is read.
TEST_F(Ring, IsNotOpenedOnAnInterfaceThatIsDown) {
  ASSERT_EQ(run("ip link set dev rx down"), 0);
  const auto source = open_ring({.interface = "rx"});
  ASSERT_FALSE(source);
  EXPECT_EQ(source.error().kind, Error::Kind::unreachable);
  EXPECT_EQ(source.error().text(), "rx: the interface is down (ip link set rx up)");
}

TEST_F(Ring, SaysThatTheInterfaceWasDeletedAfterGivingWhatCame) {
  auto source = ring();
  ASSERT_TRUE(source);
  send(udp_frame({}));
  ASSERT_EQ(run("ip link del rx"), 0);
  std::vector<Frame> batch(4);
  Result<std::size_t> got = source->next(batch, 1000);
  ASSERT_TRUE(got) << got.error().text();
  EXPECT_EQ(*got, 1u);
  got = source->next(batch, 1000);
  for (int i = 0; i < 5 && got; ++i) got = source->next(batch, 1000);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().kind, Error::Kind::missing);
}

/// What lies in a block that is not full: the kernel hands it over after the interface is gone.
class RingsEnd : public Ring, public ::testing::WithParamInterface<const char*> {};

TEST_P(RingsEnd, ComesAfterTheFramesOfTheOpenBlock) {
  auto source = open_ring({.interface = "rx", .block_timeout_ms = 500});
  ASSERT_TRUE(source) << source.error().text();
  for (int i = 0; i < 10; ++i) send(udp_frame({}));
  ASSERT_EQ(run(GetParam()), 0);
  std::vector<Frame> batch(4);
  std::size_t frames = 0;
  Result<std::size_t> got = 0;
  for (int i = 0; i < 500 && got; ++i) {
    frames += *got;
    got = (*source)->next(batch, 10);
  }
  EXPECT_EQ(frames, 10u);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().where, "rx");
}

INSTANTIATE_TEST_SUITE_P(Rings, RingsEnd,
                         ::testing::Values("ip link del rx", "ip link set dev rx down"));

/// A switch takes a port away and makes it anew while it is opened: that is no reason to give up.
TEST_F(Ring, AnInterfaceThatComesAndGoesIsNeverInvalid) {
  std::atomic<bool> stop{false};
  std::thread flapper([&stop] {  // In this namespace: a thread inherits it.
    while (!stop) {
      const int tap = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
      ifreq request{};
      std::strcpy(request.ifr_name, "flap");
      request.ifr_flags = IFF_TAP | IFF_NO_PI;
      if (tap < 0 || ioctl(tap, TUNSETIFF, &request) != 0) stop = true;
      usleep(static_cast<unsigned>(random() % 30000));
      close(tap);  // It goes with its last user.
    }
  });
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(1);
  while (std::chrono::steady_clock::now() < until && !stop) {
    const auto source = open_ring({.interface = "flap", .block_count = 1, .fanout_group = 9});
    if (source) continue;
    EXPECT_TRUE(source.error().kind == Error::Kind::missing ||
                source.error().kind == Error::Kind::unreachable)
        << source.error().text();
  }
  EXPECT_FALSE(stop) << "no tap could be made";
  stop = true;
  flapper.join();
}

TEST_F(Ring, RefusesByName) {
  const auto kind = [](const RingOptions& options) {
    const auto source = open_ring(options);
    return source ? std::string("opened") : source.error().text();
  };
  EXPECT_EQ(kind({.interface = "nowhere"}),
            "nowhere: no such interface (see `ip link` in this network namespace)");
  EXPECT_EQ(kind({.interface = "rx", .block_size = 1000}),
            "rx: the kernel takes no ring of this size (make block_size a multiple of the page's "
            "size)");
}

TEST_F(Ring, ReportsTheOffloadsThatMergeFrames) {
  // Generic receive offload can be switched on and off on a veth.
  ASSERT_TRUE(merging_offloads("rx", true).empty()) << "switched off";
  EXPECT_TRUE(ring()->warnings().empty());
  if (run("ethtool -K rx gro on") != 0) GTEST_SKIP() << "no ethtool";
  const auto source = ring();
  ASSERT_EQ(source->warnings().size(), 1u);
  EXPECT_EQ(source->warnings()[0], "rx: generic-receive-offload is on, frames may arrive merged");
  EXPECT_TRUE(ring({.offloads_off = true})->warnings().empty());
  EXPECT_TRUE(merging_offloads("nowhere", false).empty());
}

TEST_F(Ring, TwoPortsOfATapAreOneSource) {
  ASSERT_EQ(run("ip link add rx2 type veth peer name tx2"), 0);
  ASSERT_EQ(run("ip link set dev rx2 up && ip link set dev tx2 up"), 0);
  auto first = ring(), second = ring({.interface = "rx2"});
  ASSERT_TRUE(first && second);
  const auto pair = make_pair_source(std::move(first), std::move(second), {{"rx", "rx2"}});
  constexpr int kFrames = 20;
  for (int i = 0; i < kFrames; ++i)
    send(udp_frame({}, counting(static_cast<std::size_t>(i))), i % 2 == 0 ? "tx" : "tx2");
  std::vector<Frame> batch(16);
  std::vector<Direction> came;
  Time last = 0;
  for (int tries = 0; came.size() < kFrames && tries < 200; ++tries) {
    const auto given = pair->next(batch, 100);
    ASSERT_TRUE(given) << given.error().text();
    for (std::size_t i = 0; i < *given; ++i) {
      EXPECT_GE(batch[i].time, last);
      last = batch[i].time;
      came.push_back(batch[i].direction);
    }
  }
  ASSERT_EQ(came.size(), kFrames);
  for (int i = 0; i < kFrames; ++i)
    EXPECT_EQ(came[static_cast<std::size_t>(i)], i % 2 == 0 ? Direction::out : Direction::in) << i;
}

TEST_F(Ring, WaitsNoLongerThanTold) {
  auto source = ring();
  ASSERT_TRUE(source);
  std::vector<Frame> batch(4);
  const auto got = source->next(batch, 0);
  ASSERT_TRUE(got);
  EXPECT_EQ(*got, 0u);
}

}  // namespace
}  // namespace vmirror
