// Coverage: which frames are whose, what two readings tell, and what a person is warned of.
#include "agent/health/coverage.hpp"

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
  for (const WatchedNic& nic : nics) index->nics.set(nic.mac, nic);
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
      {"A's broadcast in another VLAN", kA, kAll, 8, 1, 0, 0, 1},
  };
  for (const Row& row : table) {
    SCOPED_TRACE(row.name);
    CoverageCounter counter;
    counter.watch(index_of({{.mac = kA, .vlan = 7}, {.mac = kB}}));
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
  counter.watch(index_of({{.mac = kA}}));
  for (Time t = 0; t < 3; ++t) count(counter, kX, kAll, t * kSecond);
  counter.watch(index_of({{.mac = kB}, {.mac = kA, .vm = "dc"}}));
  count(counter, kX, kAll, 9 * kSecond);
  const std::vector<NicFrames> nics = counter.frames();
  EXPECT_EQ(nics[0].in, 4u);
  EXPECT_EQ(nics[0].vm, "dc");
  EXPECT_EQ(nics[1].in, 1u) << "what came before B was watched is not B's";
  counter.watch(nullptr);
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
      if (random() % density == 0) index->nics.set(nic, {.mac = nic});
    }
    counter.watch(index);
    std::erase_if(expected, [&](const auto& nic) { return !index->nics.contains(nic.first); });
    for (const auto& [nic, watched] : index->nics) {
      expected.try_emplace(nic, 0);
      EXPECT_TRUE(counter.watches(nic));
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
  const WatchedNic here{.mac = kA, .port = "br0/vnet0"};
  const auto nic = [&] { return counter.frames().at(0); };
  counter.watch(index_of({here}));
  EXPECT_TRUE(counter.watches(kA));
  EXPECT_FALSE(counter.watches(kX));
  count(counter, kX, kA, 1);
  EXPECT_EQ(nic().first_out, 0) << "a frame to it is none from it";
  count(counter, kA, kX, 2);
  count(counter, kA, kAll, 3);
  EXPECT_EQ(nic().first_out, 2);
  EXPECT_EQ(nic().last_out, 3);

  counter.watch(index_of({{.mac = kB}, here}));
  EXPECT_EQ(nic().first_out, 2) << "it stayed";
  counter.watch(index_of({{.mac = kA, .port = "br0/vnet7"}}));
  EXPECT_EQ(nic().first_out, 0) << "another port";
  EXPECT_EQ(nic().out, 2u) << "its counts are kept";
  count(counter, kA, kX, 4);
  EXPECT_EQ(nic().first_out, 4);
  counter.watch(nullptr);
  counter.watch(index_of({here}));
  EXPECT_EQ(nic().first_out, 0) << "it was away";
  EXPECT_EQ(nic().out, 0u);

  count(counter, kA, kX, 5);
  counter.counts()->restart_first_out(kA);
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
  counter.watch(index_of({{.mac = kA}}));
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

CoverageSample sample(Time time, std::uint64_t in, std::uint64_t out, std::uint64_t port_in,
                      std::uint64_t port_out, std::string id = "p1") {
  CoverageSample s;
  s.time = time;
  s.received.mac = kA;
  s.received.port = "br0/vnet0";
  s.received.in = in;
  s.received.out = out;
  s.port = PortCounters{.out_frames = port_out, .in_frames = port_in};
  s.port_id = std::move(id);
  return s;
}

TEST(Coverage, ComparesTwoReadings) {
  const CoverageSample base = sample(0, 10, 20, 1000, 2000);
  CoverageSample unread = base;
  unread.port.reset();
  struct Case {
    const char* name;
    CoverageSample now;
    Direction mirrored;
    bool comparable;
    std::optional<double> ratio;
  };
  const std::vector<Case> table = {
      {"all came", sample(1, 110, 120, 1100, 2100), Direction::both, true, 1.0},
      {"half of one direction", sample(1, 60, 120, 1100, 2100), Direction::both, true, 0.75},
      {"only what is mirrored counts", sample(1, 60, 20, 1100, 2100), Direction::in, true, 0.5},
      {"copied twice", sample(1, 210, 220, 1100, 2100), Direction::both, true, 2.0},
      {"a silent port", sample(1, 10, 20, 1000, 2000), Direction::both, true, std::nullopt},
      {"the port was added again", sample(1, 60, 60, 5000, 5000, "p2"), Direction::both, false, {}},
      {"its counters went back", sample(1, 60, 60, 5, 2000), Direction::both, false, {}},
      {"ours went back", sample(1, 1, 60, 1100, 2100), Direction::both, false, {}},
      {"not read", unread, Direction::both, false, {}},
  };
  for (const Case& row : table) {
    SCOPED_TRACE(row.name);
    const Coverage c = coverage(base, row.now, row.mirrored);
    EXPECT_EQ(c.comparable, row.comparable);
    EXPECT_EQ(c.ratio, row.ratio);
  }
}

TEST(Coverage, WarnsInWords) {
  const CoverageSample base = sample(0, 0, 0, 0, 0);
  auto grouped = [](CoverageSample s, std::uint64_t in_group) {
    s.received.in_group = in_group;
    return s;
  };
  struct Case {
    const char* name;
    CoverageSample now;
    Direction mirrored;
    std::vector<std::string> expected;
  };
  const Time minute = 60 * kSecond;
  const std::vector<Case> table = {
      {"all is well", sample(minute, 100, 100, 100, 100), Direction::both, {}},
      {"nobody spoke", sample(minute, 0, 0, 0, 0), Direction::both, {}},
      {"no traffic",
       sample(minute, 0, 0, 400, 412),
       Direction::both,
       {"br0/vnet0: no traffic: no frame came in 60 s, while its port moved 812"}},
      {"one direction",
       sample(minute, 50, 0, 50, 50),
       Direction::both,
       {"br0/vnet0: one direction only: of 50 unicast frames none is from it"}},
      {"one direction, as asked", sample(minute, 50, 0, 50, 50), Direction::in, {}},
      {"too few to say", sample(minute, 5, 0, 5, 5), Direction::both, {}},
      {"broadcasts",
       grouped(sample(minute, 95, 5, 95, 5), 90),
       Direction::both,
       {"br0/vnet0: 90% of its frames are broadcast or multicast: the mirror may miss its "
        "unicast"}},
  };
  for (const Case& row : table) {
    SCOPED_TRACE(row.name);
    EXPECT_EQ(warnings(base, row.now, row.mirrored), row.expected);
  }
}

}  // namespace
}  // namespace vmirror
