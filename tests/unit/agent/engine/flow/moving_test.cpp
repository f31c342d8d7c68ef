// Flows that move from one table to another: which they are, how they are found again, and what
// two halves make.
#include <gtest/gtest.h>

#include <vector>

#include "agent/engine/flow/flow_table.hpp"
#include "tests/support/frames.hpp"

namespace vmirror {
namespace {

using namespace test;
using namespace tcp_flag;

const Mac kGuest = mac("52:54:00:00:00:01");

/// One frame through the three steps: its place.
std::uint32_t take_in(FlowTable& flows, const Buffer& bytes, Time time) {
  const Frame frame = frame_of(bytes, time);
  const Packet packet = parse_packet(frame.bytes, frame.link);
  FlowTable::Probe probe;
  flows.prepare(probe, frame, packet);
  flows.locate(probe);
  flows.update(probe, frame, packet);
  return probe.entry;
}

TEST(FlowTableMoving, AnyFlowIsFoundInAnotherTableByItsKey) {
  const Ends six{.source = ip("fd00::1"), .destination = ip("fd00::2")};
  Ends tagged;
  tagged.tags = {{ethertype::kVlan, 7}};
  const std::vector<std::pair<const char*, Buffer>> table = {
      {"UDP", udp_frame({})},
      {"TCP", tcp_frame({})},
      {"an answer", udp_frame(Ends{}.reversed())},
      {"IPv6", udp_frame(six)},
      {"ping", ping_frame({})},
      {"ping's answer", ping_frame(Ends{}.reversed(), 1, true)},
      {"ping in IPv6", ping_frame(six)},
      {"a VLAN", udp_frame(tagged)},
      {"ARP", arp_frame({})},
      {"LLC", llc(0x42, 0x42, 3, counting(40))},
      {"SNAP", snap(0x00000c, 0x2000, counting(40))},
  };
  for (const auto& [name, frame] : table) {
    SCOPED_TRACE(name);
    FlowTable source({.seed = 1}), destination({.seed = 2});
    const SavedFlow saved = source.save(take_in(source, frame, kSecond));
    EXPECT_EQ(destination.find(saved.key), FlowTable::kNone);
    const std::uint32_t place = take_in(destination, frame, 2 * kSecond);
    EXPECT_EQ(destination.find(saved.key), place);
    Flow described;
    describe(saved.key, saved.lesser_side, described);
    EXPECT_EQ(described.ip, saved.flow.ip);
    EXPECT_EQ(described.port, saved.flow.port);
    EXPECT_EQ(described.protocol, saved.flow.protocol);
  }
}

TEST(FlowTableMoving, GivesTheLatestFlowsOfAGuest) {
  FlowTable flows({});
  for (std::uint16_t i = 0; i < 20; ++i)
    take_in(flows, udp_frame({.source_port = i}), (i * 7 % 20) * kSecond);
  take_in(flows,
          udp_frame({.source_mac = mac("52:54:00:00:00:08"),
                     .destination_mac = mac("52:54:00:00:00:09")}),
          99 * kSecond);
  const auto [places, all] = flows.of({{kGuest}}, 5);
  EXPECT_EQ(all, 20u);
  std::vector<Time> times;
  for (const std::uint32_t place : places) times.push_back(flows.flow(place).last / kSecond);
  EXPECT_EQ(times, (std::vector<Time>{19, 18, 17, 16, 15}));
  for (const std::uint32_t place : flows.of({{kGuest}}, 100).first) flows.move_away(place);
  EXPECT_EQ(flows.of({{kGuest}}, 100).second, 0u);
  EXPECT_EQ(flows.active(), 1u) << "that of others";
  EXPECT_EQ(flows.counters().ended[static_cast<std::size_t>(FlowEnd::moved)], 20u);
}

/// One step of a connection that the guest opened; the server's where it begins with `s`.
Buffer frame_of_step(std::string_view step) {
  Ends ends;
  if (step[0] == 's') ends = ends.reversed();
  std::uint8_t flags = 0;
  for (const char c : step.substr(1))
    flags |= c == 'S' ? kSyn : c == 'A' ? kAck : c == 'F' ? kFin : kRst;
  return tcp_frame(ends, {1, 1, flags});
}

TEST(FlowTableMoving, TwoHalvesAreOneConnection) {
  using enum TcpState;
  using enum FlowTable::Join;
  struct Row {
    const char* name;
    std::vector<const char*> there, here;
    FlowTable::Join join;
    TcpState state;
    std::array<std::uint64_t, 2> packets;
    Time pause = kSecond;
  };
  const std::vector<Row> table = {
      {"in the middle", {"cS", "sSA", "cA"}, {"cA", "sA"}, one, established, {3, 2}},
      {"the server goes on first", {"cS", "sSA", "cA"}, {"sA", "cA"}, one, established, {3, 2}},
      {"within the handshake", {"cS"}, {"sSA", "cA"}, one, established, {2, 1}},
      {"the SYN comes again", {"cS"}, {"cS"}, one, syn, {2, 0}},
      {"seen from the middle there, too", {"sA"}, {"cA"}, one, midstream, {1, 1}},
      {"one FIN on each side", {"cS", "sSA", "cFA"}, {"sFA"}, one, closed, {2, 2}},
      {"the FIN here", {"cS", "sSA"}, {"cFA"}, one, closing, {2, 1}},
      {"reset here", {"cS", "sSA"}, {"sR"}, one, reset, {1, 2}},
      {"a late segment of what was reset", {"cS", "sR"}, {"cA"}, one, reset, {2, 1}},
      {"another connection", {"cS", "sR"}, {"cS"}, over, syn, {1, 0}},
      {"after its timeout", {"cS", "sSA", "cA"}, {"cA"}, over, midstream, {1, 0}, 601 * kSecond},
      {"seen here all the while",
       {"cS", "sSA", "cA"},
       {"cS", "sSA", "cA", "cA"},
       both,
       established,
       {3, 1},
       -4 * kSecond},
  };
  for (const Row& row : table) {
    SCOPED_TRACE(row.name);
    FlowTable source({.first_number = 7}), destination({});
    Time time = 1000 * kSecond;
    std::uint32_t place = 0;
    for (const char* step : row.there) place = take_in(source, frame_of_step(step), time += 1000);
    SavedFlow saved = source.save(place);
    saved.reported_packets[0] = 1;
    saved.reported_bytes[0] = 54;
    time += row.pause;
    const Time begun = time + 1000;
    for (const char* step : row.here)
      place = take_in(destination, frame_of_step(step), time += 1000);
    const std::uint64_t own = destination.id(place);
    bool turned = false;
    EXPECT_EQ(destination.join(place, saved, std::max(time, saved.flow.last), turned), row.join);
    const Flow flow = destination.flow(place);
    EXPECT_EQ(flow.tcp, row.state);
    EXPECT_EQ(flow.packets, row.packets);
    EXPECT_EQ(flow.last, time);
    EXPECT_EQ(flow.id, row.join == over ? own : saved.flow.id);
    EXPECT_EQ(flow.first, row.join == over ? begun : std::min(begun, saved.flow.first));
    if (row.join == one) {
      EXPECT_EQ(flow.port, saved.flow.port) << "who opened it is the client";
      destination.move_away(place);
      const FlowReport& report = destination.reports().back();
      EXPECT_EQ(report.new_packets[0], row.packets[0] - 1) << "one was reported there";
      EXPECT_EQ(report.new_packets[1], row.packets[1]);
    }
  }
}

/// Each host saw its half alone; one of the clocks was hours ahead until then.
TEST(FlowTableMoving, AClockThatWasAheadMakesNoOverlapAndNoPause) {
  constexpr Time kNow = 1000'000 * kSecond, kAhead = 7200 * kSecond;
  struct Row {
    const char* name;
    Time there, here;  ///< When the half ended there, and began here.
  };
  for (const Row& row : {Row{"the source's", kNow - kSecond + kAhead, kNow},
                         Row{"the source's, by little", kNow - kSecond + 30 * kSecond, kNow},
                         Row{"the destination's", kNow - kSecond, kNow - kSecond / 2 + kAhead}}) {
    SCOPED_TRACE(row.name);
    FlowTable source({}), destination({});
    take_in(source, udp_frame({}), row.there - 5 * kSecond);
    const SavedFlow saved = source.save(take_in(source, udp_frame({}), row.there));
    const std::uint32_t place = take_in(destination, udp_frame({}), row.here);
    bool turned = false;
    EXPECT_EQ(destination.join(place, saved, kNow, turned), FlowTable::Join::one);
    EXPECT_EQ(destination.flow(place).packets[0], 3u);
    EXPECT_EQ(destination.flow(place).last, kNow);
    EXPECT_NEAR(static_cast<double>(kNow - destination.flow(place).first), 5e9, 1e9);
  }
}

TEST(FlowTableMoving, AFlowThatCameIsFoundAndEndsAsAnyOther) {
  FlowTable source({}), destination({.max_flows = 4});
  const SavedFlow saved = source.save(take_in(source, udp_frame({}), kSecond));
  const std::uint32_t place = take_in(destination, udp_frame({}), 2 * kSecond);
  bool turned;
  destination.join(place, saved, 2 * kSecond, turned);
  EXPECT_EQ(take_in(destination, udp_frame({}), 3 * kSecond), place);
  EXPECT_EQ(destination.id(place), saved.flow.id);
  destination.sweep(1000 * kSecond, 4);
  ASSERT_EQ(destination.reports().size(), 1u);
  EXPECT_EQ(destination.reports()[0].flow.packets[0], 3u);
  EXPECT_EQ(destination.reports()[0].flow.id, saved.flow.id);
  const std::uint32_t again = take_in(destination, udp_frame({}), 1001 * kSecond);
  EXPECT_NE(destination.id(again), saved.flow.id) << "a new flow has a number of its own";
}

TEST(FlowTableMoving, NumbersBeginWhereTheyAreTold) {
  FlowTable flows({.first_number = 0xffffffff});
  EXPECT_EQ(flows.id(take_in(flows, udp_frame({.source_port = 1}), 1)) >> 24, 0xffffffffu);
  EXPECT_EQ(flows.id(take_in(flows, udp_frame({.source_port = 2}), 1)) >> 24, 1u)
      << "0 says: given";
}

}  // namespace
}  // namespace vmirror
