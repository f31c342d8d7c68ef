// Coverage: which frames are whose.
#include "agent/engine/health/coverage.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <vector>

#include "tests/support/frames.hpp"

namespace vmirror {
namespace {

using namespace test;

const Mac kA = mac("52:54:00:00:00:0a"), kB = mac("52:54:00:00:00:0b"),
          kX = mac("52:54:00:00:00:99"), kAll = mac("ff:ff:ff:ff:ff:ff");

std::shared_ptr<const MirrorIndex> index_of(const std::vector<WatchedNic>& nics) {
  auto index = std::make_shared<MirrorIndex>();
  for (const WatchedNic& nic : nics) {
    WatchedNic placed = nic;  // In the order of their MACs, where the test doesn't care.
    if (placed.at == PortKey{}) placed.at = {"br0", nic.mac.text()};
    index->nics.set(placed.at, placed);
  }
  return index;
}

void count(CoverageCounter& counter, const Mac& from, const Mac& to, Time time,
           std::vector<VlanTag> tags = {}, std::uint8_t filler = 0) {
  const Buffer bytes = ethernet(Buffer(46, filler), 0x88b5, {to, from, std::move(tags)});
  const Frame frame = frame_of(bytes, time);
  counter.count(frame, parse_packet(frame.bytes, frame.link));
}

struct Row {
  const char* name;
  Mac from, to;
  std::uint16_t vlan;
  int a_out, a_in, b_out, b_in;  ///< A is in VLAN 7, B in any.
};

TEST(CoverageCounter, AttributesFrames) {
  const std::vector<Row> table = {
      {"A to a stranger", kA, kX, 7, 1, 0, 0, 0},
      {"a stranger to A", kX, kA, 7, 0, 1, 0, 0},
      {"A to B", kA, kB, 7, 1, 0, 0, 1},
      {"strangers", kX, mac("52:54:00:00:00:98"), 7, 0, 0, 0, 0},
      {"a stranger's broadcast", kX, kAll, 7, 0, 1, 0, 1},
      {"A's broadcast is not A's in", kA, kAll, 7, 1, 0, 0, 1},
      {"B's broadcast", kB, kAll, 7, 0, 1, 1, 0},
      {"a broadcast in another VLAN does not reach A", kX, kAll, 8, 0, 0, 0, 1},
      {"another VLAN's, with A's address", kA, kAll, 8, 0, 0, 0, 1},
      {"to A's address in another VLAN", kX, kA, 8, 0, 0, 0, 0},
      {"B in any VLAN", kB, kA, 8, 0, 0, 1, 0},
  };
  for (const Row& row : table) {
    SCOPED_TRACE(row.name);
    CoverageCounter counter;
    counter.watch(*index_of({{.mac = kA, .vlan = 7}, {.mac = kB}}));
    count(counter, row.from, row.to, 1, {{ethertype::kVlan, row.vlan}});
    const std::vector<NicFrames> nics = counter.frames();
    ASSERT_EQ(nics.size(), 2u);
    EXPECT_EQ(nics[0].out, static_cast<std::uint64_t>(row.a_out));
    EXPECT_EQ(nics[0].in, static_cast<std::uint64_t>(row.a_in));
    EXPECT_EQ(nics[1].out, static_cast<std::uint64_t>(row.b_out));
    EXPECT_EQ(nics[1].in, static_cast<std::uint64_t>(row.b_in));
  }
}

TEST(CoverageCounter, KeepsTheCountsOfNicsThatStay) {
  CoverageCounter counter;
  EXPECT_FALSE(counter.watching());
  counter.watch(*index_of({{.mac = kA}}));
  for (Time t = 0; t < 3; ++t) count(counter, kX, kAll, t * kSecond);
  counter.watch(*index_of({{.mac = kB}, {.mac = kA, .vm = "dc"}}));
  count(counter, kX, kAll, 9 * kSecond);
  const std::vector<NicFrames> nics = counter.frames();
  EXPECT_EQ(nics[0].in, 4u);
  EXPECT_EQ(nics[0].vm, "dc");
  EXPECT_EQ(nics[1].in, 1u) << "what came before B was watched is not B's";
  counter.watch({});
  EXPECT_FALSE(counter.watching());
  EXPECT_TRUE(counter.frames().empty());
}

/// Whatever came, stayed and went: exactly the NICs of the index are counted, and those that stayed
/// from when they came.
TEST(CoverageCounter, FollowsAnySequenceOfIndexes) {
  std::mt19937 random(1);
  CoverageCounter counter;
  std::map<Mac, std::uint64_t> expected;
  for (int round = 0; round < 300; ++round) {
    auto index = std::make_shared<MirrorIndex>();
    const unsigned density = random() % 4 + 1;
    for (std::uint8_t i = 0; i < 60; ++i) {
      const Mac nic{{0x52, 0x54, 0, 0, 0, i}};
      if (random() % density == 0)
        index->nics.set({"br0", nic.text()}, {.at = {"br0", nic.text()}, .mac = nic});
    }
    counter.watch(*index);
    std::erase_if(expected, [&](const auto& nic) {
      return !index->nics.contains({"br0", nic.first.text()});
    });
    for (const auto& [at, watched] : index->nics) {
      expected.try_emplace(watched.mac, 0);
      EXPECT_TRUE(counter.watches(watched.mac));
    }
    for (int i = 0; i < 20; ++i) {
      const Mac nic{{0x52, 0x54, 0, 0, 0, static_cast<std::uint8_t>(random() % 60)}};
      if (counter.watching()) count(counter, nic, kX, round);
      if (const auto it = expected.find(nic); it != expected.end()) ++it->second;
    }
    std::map<Mac, std::uint64_t> counted;
    for (const NicFrames& nic : counter.frames()) counted[nic.mac] = nic.out;
    ASSERT_EQ(counted, expected) << round;
  }
}

TEST(CoverageCounter, KnowsTheFirstAndTheLatestFrameFromANic) {
  CoverageCounter counter;
  const PortKey port{"br0", "vnet0"};
  const WatchedNic here{.at = port, .mac = kA};
  const auto nic = [&] { return counter.frames().at(0); };
  counter.watch(*index_of({here}));
  EXPECT_TRUE(counter.watches(kA));
  EXPECT_FALSE(counter.watches(kX));
  count(counter, kX, kA, 1);
  EXPECT_EQ(nic().first_out, 0) << "a frame to it is none from it";
  count(counter, kA, kX, 2);
  count(counter, kA, kAll, 3);
  EXPECT_EQ(nic().first_out, 2);
  EXPECT_EQ(nic().last_out, 3);

  counter.watch(*index_of({{.mac = kB}, here}));
  EXPECT_EQ(counter.frames().back().first_out, 2) << "it stayed";
  counter.watch(*index_of({{.at = {"br0", "vnet7"}, .mac = kA}}));
  EXPECT_EQ(nic().first_out, 0) << "another port";
  EXPECT_EQ(nic().out, 0u) << "counts its own frames";
  count(counter, kA, kX, 4);
  EXPECT_EQ(nic().first_out, 4);
  counter.watch({});
  counter.watch(*index_of({here}));
  EXPECT_EQ(nic().first_out, 0) << "it was away";
  EXPECT_EQ(nic().out, 0u);

  count(counter, kA, kX, 5);
  counter.counts()->restart_first_out(port);
  EXPECT_EQ(nic().first_out, 0);
  // RARP, by which QEMU announces where a guest has come to.
  const Buffer bytes = ethernet(Buffer(46), 0x8035, {kAll, kA, {}});
  const Frame announcement = frame_of(bytes, 6);
  const std::uint64_t before = nic().out;
  counter.count(announcement, parse_packet(announcement.bytes, announcement.link));
  EXPECT_EQ(nic().out, before + 1);
  EXPECT_EQ(nic().first_out, 0);
  EXPECT_EQ(nic().last_out, 5);
  count(counter, kA, kX, 6);
  EXPECT_EQ(nic().first_out, 6);
}

TEST(CoverageCounter, SeveralWorkersCountsAreOne) {
  struct Row {
    Time a, b, sum;
  };
  for (const Row& row : {Row{0, 0, 0}, Row{0, 5, 5}, Row{5, 0, 5}, Row{7, 5, 5}, Row{5, 7, 5}}) {
    NicFrames frames, other;
    frames.first_out = frames.last_out = row.a;
    other.first_out = other.last_out = row.b;
    frames.out = 1;
    other.out = 2;
    frames += other;
    EXPECT_EQ(frames.out, 3u);
    EXPECT_EQ(frames.first_out, row.sum);
    EXPECT_EQ(frames.last_out, std::max(row.a, row.b));
  }
}

TEST(CoverageCounter, CountsFramesThatComeTwice) {
  CoverageCounter counter;
  counter.watch(*index_of({{.mac = kA}}));
  count(counter, kA, kB, 0);
  count(counter, kA, kB, kMillisecond);
  EXPECT_EQ(counter.duplicates(), 1u);
  count(counter, kA, kB, kSecond);
  EXPECT_EQ(counter.duplicates(), 1u) << "later, it is another frame";
  count(counter, kA, kB, kSecond, {}, 1);
  EXPECT_EQ(counter.duplicates(), 1u) << "other bytes";
  count(counter, kA, kB, kSecond, {{ethertype::kVlan, 5}}, 1);
  EXPECT_EQ(counter.duplicates(), 1u) << "another VLAN";
}

/// What may have been flooded is counted for all of the VLAN but sender and receiver.
TEST(CoverageCounter, KnowsWhatTheSwitchMayHaveFlooded) {
  CoverageCounter counter;
  counter.watch(*index_of({{.mac = kA, .vlan = 7}, {.mac = kB, .vlan = 7}}));
  const std::vector<VlanTag> seven = {{ethertype::kVlan, 7}};
  const auto flooded = [&] {
    const auto nics = counter.frames();
    return std::pair(nics.at(0).flooded, nics.at(1).flooded);
  };
  using Pair = std::pair<std::uint64_t, std::uint64_t>;
  count(counter, kA, kX, kSecond, seven);
  EXPECT_EQ(flooded(), Pair(0, 1)) << "nobody heard of X: B may have got it";
  count(counter, kX, kA, 2 * kSecond, seven);
  count(counter, kA, kX, 3 * kSecond, seven);
  EXPECT_EQ(flooded(), Pair(0, 1)) << "X has spoken";
  count(counter, kX, kB, 3 * kSecond, seven);
  EXPECT_EQ(flooded(), Pair(1, 1)) << "B never did";
  count(counter, kA, kX, 6 * kSecond, seven);
  EXPECT_EQ(flooded(), Pair(1, 2)) << "X has been silent, and the switch may have forgotten it";
  count(counter, kB, kA, 6 * kSecond, seven);
  EXPECT_EQ(flooded(), Pair(1, 2)) << "A spoke just now";
  count(counter, kX, mac("52:54:00:00:00:98"), 30 * kSecond, {{ethertype::kVlan, 8}});
  EXPECT_EQ(flooded(), Pair(1, 2)) << "another VLAN";
  count(counter, kX, mac("52:54:00:00:00:98"), 30 * kSecond, seven);
  EXPECT_EQ(flooded(), Pair(2, 3));
}

/// An address is learned where it sends: in its VLAN, whether its own frames are mirrored or not.
TEST(CoverageCounter, FloodsAreOfTheVlanThatTheAddressIsNotLearnedIn) {
  struct Case {
    const char* name;
    WatchedNic receiver;
    std::uint16_t speaks_in;  ///< 0: it does not.
    std::uint16_t sent_in;
    bool flooded;
  };
  const Direction in = Direction::in, both = Direction::both;
  const std::vector<Case> table = {
      {"where it speaks", {.mac = kB, .direction = both, .vlan = 8}, 8, 8, false},
      {"in another VLAN", {.mac = kB, .direction = both, .vlan = 8}, 8, 7, true},
      {"a trunk's, where it speaks", {.mac = kB, .direction = both}, 8, 8, false},
      {"a trunk's, in another VLAN", {.mac = kB, .direction = both}, 8, 7, true},
      {"it is silent", {.mac = kB, .direction = both, .vlan = 7}, 0, 7, true},
      {"nobody sees it speak", {.mac = kB, .direction = in, .vlan = 7}, 0, 7, true},
      {"another's mirror shows that it speaks",
       {.mac = kB, .direction = in, .vlan = 7},
       7,
       7,
       false},
  };
  const Mac bystander = mac("52:54:00:00:00:55");
  for (const Case& row : table) {
    SCOPED_TRACE(row.name);
    CoverageCounter counter;
    counter.watch(*index_of({row.receiver, {.mac = bystander, .vlan = row.sent_in}}));
    if (row.speaks_in != 0) count(counter, kB, kX, kSecond, {{ethertype::kVlan, row.speaks_in}});
    const std::uint64_t before = counter.frames().at(1).flooded;
    count(counter, kA, kB, kSecond, {{ethertype::kVlan, row.sent_in}});
    EXPECT_EQ(counter.frames().at(1).flooded - before, row.flooded ? 1u : 0u);
  }
}

TEST(CoverageCounter, TellsNicsOfOneMacApart) {
  const auto nic = [](const char* port, std::optional<std::uint16_t> vlan, const char* input) {
    return WatchedNic{.at = {"br0", port}, .mac = kA, .vlan = vlan, .input = input};
  };
  CoverageCounter counter("vmr-br0");
  counter.watch(*index_of({nic("p1", 10, "vmr-br0"), nic("p2", 20, "vmr-br0"),
                           nic("p3", {}, "vmr-br0"), nic("p4", 30, "vmr-br1")}));
  for (const std::uint16_t vlan : {10, 20, 20, 30, 30, 30, 30})
    count(counter, kA, kX, kSecond, {{ethertype::kVlan, vlan}});
  std::map<std::string, std::uint64_t> out;
  for (const NicFrames& frames : counter.frames()) out[frames.at.port] = frames.out;
  EXPECT_EQ(out, (std::map<std::string, std::uint64_t>{{"p1", 1}, {"p2", 2}, {"p3", 4}}));
  counter.watch(*index_of({nic("p2", 20, "vmr-br0")}));
  count(counter, kA, kX, kSecond);
  EXPECT_EQ(counter.frames().at(0).out, 2u) << "alone with its MAC, and not in that VLAN";
}

}  // namespace
}  // namespace vmirror
