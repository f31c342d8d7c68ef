// The flow table as tables of frames: which frames are one flow, which side is the client, how TCP
// states follow, when a flow ends and why.
#include "agent/engine/flow/flow_table.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "tests/support/encapsulate.hpp"
#include "tests/support/frames.hpp"

namespace vmirror {
namespace {

using namespace test;
constexpr std::uint8_t kSyn = tcp_flag::kSyn, kAck = tcp_flag::kAck, kFin = tcp_flag::kFin,
                       kRst = tcp_flag::kRst;

/// One frame through all three steps.
FlowTable::Probe take(FlowTable& table, const Buffer& bytes, Time time,
                      LinkType link = LinkType::ethernet) {
  const Frame frame = frame_of(bytes, time, link);
  const Packet packet = parse_packet(frame.bytes, frame.link, frame.stripped);
  FlowTable::Probe probe;
  table.prepare(probe, frame, packet);
  table.locate(probe);
  table.update(probe, frame, packet);
  return probe;
}

Buffer tcp_flags(const Ends& ends, std::uint8_t flags) {
  return tcp_frame(ends, {.flags = flags});
}

std::vector<Flow> flushed(FlowTable& table) {
  while (table.flush(3)) {
  }
  std::vector<Flow> flows;
  for (const FlowReport& report : table.reports()) flows.push_back(report.flow);
  return flows;
}

struct SameFlow {
  const char* name;
  std::vector<Buffer> frames;
  std::size_t flows;
};

TEST(FlowTable, TellsFlowsApart) {
  const Ends four;
  const Ends six{.source = ip("fd00::1"), .destination = ip("fd00::2")};
  Ends tagged_ends = four, other_mac = four, other_port = four;
  tagged_ends.tags = {{ethertype::kVlan, 7}};
  other_mac.source_mac = mac("52:54:00:00:00:09");
  other_port.source_port = 40001;
  const Buffer payload = counting(3000);
  std::vector<Buffer> parts = fragments(udp_frame(four, payload), 1000);
  std::vector<Buffer> headless(parts.begin() + 1, parts.end());
  std::vector<Buffer> parts6 = fragments(udp_frame(six, payload), 1000);

  const std::vector<SameFlow> table = {
      {"both directions of UDP", {udp_frame(four), udp_frame(four.reversed())}, 1},
      {"both directions of UDP over IPv6", {udp_frame(six), udp_frame(six.reversed())}, 1},
      {"both directions of TCP", {tcp_frame(four), tcp_frame(four.reversed())}, 1},
      {"UDP and TCP", {udp_frame(four), tcp_frame(four)}, 2},
      {"another port", {udp_frame(four), udp_frame(other_port)}, 2},
      {"another VLAN", {udp_frame(four), udp_frame(tagged_ends)}, 2},
      {"another MAC, behind a redundant router", {udp_frame(four), udp_frame(other_mac)}, 1},
      {"echo and its reply", {ping_frame(four), ping_frame(four.reversed(), 1, true)}, 1},
      {"ICMPv6 echo and its reply", {ping_frame(six), ping_frame(six.reversed(), 1, true)}, 1},
      {"ARP question and answer, the same MACs",
       {ethernet(counting(28), ethertype::kArp),
        ethernet(counting(28), ethertype::kArp,
                 {mac("52:54:00:00:00:01"), mac("52:54:00:00:00:02"), {}})},
       1},
      {"two EtherTypes", {ethernet(counting(50), 0x88cc), ethernet(counting(50), 0x88b5)}, 2},
      {"two LLC SAPs", {llc(0x42, 0x42, 3, counting(40)), llc(0xf0, 0xf0, 3, counting(40))}, 2},
      {"fragments of a datagram", parts, 1},
      {"fragments of an IPv6 datagram", parts6, 1},
      {"fragments without the first: one flow without ports", headless, 1},
      {"fragments without the first, and whole ones", {headless[0], udp_frame(four)}, 2},
  };
  for (const SameFlow& row : table) {
    SCOPED_TRACE(row.name);
    FlowTable flows({});
    for (const Buffer& frame : row.frames) take(flows, frame, kSecond);
    EXPECT_EQ(flows.active(), row.flows);
    std::uint64_t packets = 0, bytes = 0, sent = 0;
    for (const Flow& flow : flushed(flows)) {
      packets += flow.packets[0] + flow.packets[1];
      bytes += flow.bytes[0] + flow.bytes[1];
      EXPECT_EQ(flow.end, FlowEnd::flushed);
    }
    for (const Buffer& frame : row.frames) sent += frame.size();
    EXPECT_EQ(packets, row.frames.size());
    EXPECT_EQ(bytes, sent);
    EXPECT_EQ(flows.active(), 0u);
  }
}

TEST(FlowTable, CountsFragmentsWithoutTheirFirst) {
  FlowTable flows({});
  const std::vector<Buffer> parts = fragments(udp_frame({}, counting(3000)), 1000);
  take(flows, parts[1], 0);
  EXPECT_EQ(flows.counters().fragments_unmatched, 1u);
  take(flows, parts[0], 0);
  take(flows, parts[2], 0);
  EXPECT_EQ(flows.counters().fragments_unmatched, 1u);
}

TEST(FlowTable, SidesAreClientAndServer) {
  const Ends up{.source_port = 40000, .destination_port = 80};  // From 10.0.0.1 to 10.0.0.2.
  const Ends down = up.reversed();
  struct Row {
    const char* name;
    Buffer frame;
    const char* client;
    std::uint16_t client_port;
  };
  const std::vector<Row> table = {
      {"a SYN's sender is the client", tcp_flags(up, kSyn), "10.0.0.1", 40000},
      {"a SYN-ACK's receiver is the client", tcp_flags(down, kSyn | kAck), "10.0.0.1", 40000},
      {"midstream: whoever was seen first", tcp_flags(down, kAck), "10.0.0.2", 80},
      {"UDP: whoever was seen first", udp_frame(down), "10.0.0.2", 80},
      {"an echo's sender is the client", ping_frame(up), "10.0.0.1", 0x0800},
      {"an echo reply's receiver is the client", ping_frame(down, 1, true), "10.0.0.1", 0x0800},
  };
  for (const Row& row : table) {
    SCOPED_TRACE(row.name);
    FlowTable flows({});
    take(flows, row.frame, 0);
    const std::vector<Flow> out = flushed(flows);
    ASSERT_EQ(out.size(), 1u);
    EXPECT_EQ(out[0].ip[0].text(), row.client);
    EXPECT_EQ(out[0].port[0], row.client_port);
    const bool one_is_client = out[0].ip[0] == ip("10.0.0.1");
    EXPECT_EQ(out[0].mac[0].text(), one_is_client ? "52:54:00:00:00:01" : "52:54:00:00:00:02");
  }
}

TEST(FlowTable, FollowsTcp) {
  const Ends up;
  const Ends down = up.reversed();
  using Script = std::vector<std::pair<const Ends*, std::uint8_t>>;
  struct Row {
    const char* name;
    Script script;
    TcpState state;
    std::uint64_t flows;
  };
  const Script open = {{&up, kSyn}, {&down, kSyn | kAck}, {&up, kAck}};
  auto then = [&](Script more) {
    Script all = open;
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  const std::vector<Row> table = {
      {"a SYN alone", {{&up, kSyn}}, TcpState::syn, 1},
      {"a SYN that is sent again", {{&up, kSyn}, {&up, kSyn}}, TcpState::syn, 1},
      {"answered, not confirmed", {{&up, kSyn}, {&down, kSyn | kAck}}, TcpState::syn, 1},
      {"open", open, TcpState::established, 1},
      {"open, only the client is mirrored", {{&up, kSyn}, {&up, kAck}}, TcpState::established, 1},
      {"refused", {{&up, kSyn}, {&down, kRst | kAck}}, TcpState::reset, 1},
      {"one FIN", then({{&up, kFin | kAck}}), TcpState::closing, 1},
      {"both FINs", then({{&up, kFin | kAck}, {&down, kFin | kAck}}), TcpState::closed, 1},
      {"a late ACK after both FINs", then({{&up, kFin | kAck}, {&down, kFin | kAck}, {&up, kAck}}),
       TcpState::closed, 1},
      {"aborted", then({{&down, kRst}}), TcpState::reset, 1},
      {"nothing but data", {{&up, kAck}, {&down, kAck}}, TcpState::midstream, 1},
      {"the ports are used again", then({{&down, kRst}, {&up, kSyn}}), TcpState::syn, 2},
  };
  for (const Row& row : table) {
    SCOPED_TRACE(row.name);
    FlowTable flows({});
    Time now = 0;
    std::uint32_t last = 0;
    for (const auto& [ends, flags] : row.script)
      last = take(flows, tcp_flags(*ends, flags), ++now).entry;
    EXPECT_STREQ(to_text(flows.entry(last).tcp), to_text(row.state));
    EXPECT_EQ(flows.counters().started, row.flows);
  }
}

TEST(FlowTable, EndsFlowsByTheirTimeouts) {
  const Ends up, down = up.reversed();
  const FlowTableOptions options{.report_interval = 0};
  struct Row {
    const char* name;
    std::vector<Buffer> frames;
    Time timeout;
    FlowEnd end;
  };
  const std::vector<Row> table = {
      {"UDP", {udp_frame(up)}, options.udp, FlowEnd::idle},
      {"ICMP", {ping_frame(up)}, options.icmp, FlowEnd::idle},
      {"below IP", {arp_frame(up)}, options.other, FlowEnd::idle},
      {"a SYN that nobody answers", {tcp_flags(up, kSyn)}, options.tcp_opening, FlowEnd::idle},
      {"midstream", {tcp_flags(up, kAck)}, options.tcp_established, FlowEnd::idle},
      {"half closed", {tcp_flags(up, kFin | kAck)}, options.tcp_closing, FlowEnd::idle},
      {"closed",
       {tcp_flags(up, kFin | kAck), tcp_flags(down, kFin | kAck)},
       options.tcp_closed,
       FlowEnd::closed},
      {"reset", {tcp_flags(up, kRst)}, options.tcp_closed, FlowEnd::closed},
  };
  for (const Row& row : table) {
    SCOPED_TRACE(row.name);
    FlowTable swept(options), resumed(options);
    for (const Buffer& frame : row.frames) {
      take(swept, frame, kSecond);
      take(resumed, frame, kSecond);
    }
    swept.sweep(kSecond + row.timeout, 100);
    EXPECT_TRUE(swept.reports().empty()) << "not before the timeout is over";
    swept.sweep(kSecond + row.timeout + 1, 100);
    ASSERT_EQ(swept.reports().size(), 1u);
    EXPECT_STREQ(to_text(swept.reports()[0].flow.end), to_text(row.end));
    EXPECT_EQ(swept.active(), 0u);

    // Whether the sweep came by in time changes nothing.
    take(resumed, row.frames.back(), kSecond + row.timeout + 1);
    ASSERT_EQ(resumed.reports().size(), 1u);
    EXPECT_STREQ(to_text(resumed.reports()[0].flow.end), to_text(row.end));
    EXPECT_EQ(resumed.active(), 1u);
  }
}

TEST(FlowTable, ReportsLongFlowsWithWhatIsNew) {
  FlowTable flows({.report_interval = 10 * kSecond});
  for (Time t = 0; t <= 25; ++t) {
    take(flows, udp_frame({}, counting(8)), t * kSecond);
    flows.sweep(t * kSecond, 100);
  }
  EXPECT_FALSE(flows.flush(10));
  std::vector<std::uint64_t> fresh, total;
  for (const FlowReport& report : flows.reports()) {
    fresh.push_back(report.new_packets[0]);
    total.push_back(report.flow.packets[0]);
    EXPECT_EQ(report.new_bytes[0], report.new_packets[0] * 50);
  }
  EXPECT_EQ(fresh, (std::vector<std::uint64_t>{11, 10, 5}));
  EXPECT_EQ(total, (std::vector<std::uint64_t>{11, 21, 26}));
  EXPECT_EQ(flows.reports()[0].flow.end, FlowEnd::none);
  EXPECT_EQ(flows.reports()[0].flow.id, flows.reports()[2].flow.id);
}

Buffer numbered(std::uint32_t n) {
  Ends ends;
  const std::uint8_t octets[4] = {10, static_cast<std::uint8_t>(n >> 16),
                                  static_cast<std::uint8_t>(n >> 8), static_cast<std::uint8_t>(n)};
  ends.source = IpAddress::v4(octets);
  return udp_frame(ends);
}

TEST(FlowTable, IsBoundedAndCountsWhatGivesWay) {
  FlowTable flows({.max_flows = 100});
  for (std::uint32_t i = 0; i < 1000; ++i) {
    take(flows, numbered(i), i);
    EXPECT_LE(flows.active(), 100u);
    EXPECT_LE(flows.reports().size(), 1u);
    flows.clear_reports();
  }
  EXPECT_EQ(flows.active(), 100u);
  EXPECT_EQ(flows.counters().started, 1000u);
  EXPECT_EQ(flows.counters().ended[static_cast<int>(FlowEnd::evicted)], 900u);
  EXPECT_EQ(flows.top(1000).size(), 100u);
}

// A machine boots with its clock two hours ahead, then NTP sets it back to kNow.
constexpr Time kNow = 1'700'000'000 * kSecond, kAhead = kNow + 7200 * kSecond;

TEST(FlowTable, AfterTheClockWasSetBackFlowsEndAndAreReportedAsEver) {
  struct Row {
    const char* name;
    std::vector<Time> packets;           ///< Seconds after the clock was set back.
    Time ends;                           ///< Likewise; 0: it goes on.
    std::vector<std::uint64_t> reports;  ///< New packets of each.
  };
  const std::vector<Row> table = {
      {"nothing comes any more: 60 s from the first sweep", {}, 61, {4, 0}},
      {"a packet before the first sweep, the last", {0}, 61, {5, 0}},
      {"a packet after the first sweep", {50}, 0, {4, 1}},
      {"it goes on", {0, 10, 20, 30, 40, 50, 60, 70}, 0, {6, 2, 2, 2}},
  };
  for (const Row& row : table) {
    SCOPED_TRACE(row.name);
    FlowTable flows({.report_interval = 20 * kSecond});
    for (Time t = 0; t < 4; ++t) take(flows, numbered(1), kAhead + t * kSecond);
    Time ended = 0;
    std::vector<std::uint64_t> reports;
    for (Time t = 0; t <= 75; ++t) {
      const Time now = kNow + t * kSecond;
      if (std::count(row.packets.begin(), row.packets.end(), t) > 0) take(flows, numbered(1), now);
      flows.sweep(now, 1);
      for (const FlowReport& report : flows.reports()) {
        reports.push_back(report.new_packets[0]);
        EXPECT_EQ(report.flow.first, kNow - 3 * kSecond) << "3 s before what was the last packet";
        EXPECT_LE(report.flow.last, now);
        if (report.flow.end == FlowEnd::idle) ended = t;
      }
      flows.clear_reports();
    }
    EXPECT_EQ(ended, row.ends);
    EXPECT_EQ(reports, row.reports);
    EXPECT_EQ(flows.active(), row.ends == 0 ? 1u : 0u);
  }
}

TEST(FlowTable, AfterTheClockWasSetBackNewFlowsStay) {
  FlowTable flows({.max_flows = 8});
  for (std::uint32_t n = 0; n < 8; ++n) take(flows, numbered(n), kAhead + n);
  for (std::uint32_t n = 8; n < 16; ++n) take(flows, numbered(n), kNow + n);
  std::vector<std::string> gone;
  for (const FlowReport& report : flows.reports()) {
    EXPECT_EQ(report.flow.end, FlowEnd::evicted);
    EXPECT_LE(report.flow.last, kNow + 16) << "in the time of now";
    gone.push_back(report.flow.ip[0].text());
  }
  EXPECT_EQ(gone, (std::vector<std::string>{"10.0.0.0", "10.0.0.1", "10.0.0.2", "10.0.0.3",
                                            "10.0.0.4", "10.0.0.5", "10.0.0.6", "10.0.0.7"}))
      << "those seen before, the least recently used of them first";
}

TEST(FlowTable, FramesOutOfOrderByLessThanAMinuteSetNoClockBack) {
  for (const Time ahead : {kClockSlack, kClockSlack + 1}) {
    FlowTable flows({});
    const FlowTable::Probe probe = take(flows, numbered(1), kNow + ahead);
    flows.sweep(kNow, 1);
    const bool stays = ahead == kClockSlack;
    EXPECT_EQ(flows.flow(probe.entry).last, stays ? kNow + ahead : kNow);
    EXPECT_EQ(flows.flow(probe.entry).first, stays ? kNow + ahead : kNow);
  }
}

TEST(FlowTable, AFirstFragmentFromBeforeTheClockWasSetBackIsForgotten) {
  FlowTable flows({});
  const std::vector<Buffer> parts = fragments(udp_frame({}, counting(3000)), 1000);
  take(flows, parts[0], kAhead);
  take(flows, parts[1], kAhead);
  EXPECT_EQ(flows.counters().fragments_unmatched, 0u);
  take(flows, parts[2], kNow);
  EXPECT_EQ(flows.counters().fragments_unmatched, 1u);
}

// Insertion and removal in every order must leave the index whole: against a map.
TEST(FlowTable, AgreesWithAMap) {
  FlowTable flows({.max_flows = 512, .udp = 50});
  std::map<std::uint32_t, std::pair<Time, std::uint64_t>> expected;  // Last time, packets.
  std::uint32_t random = 1;
  for (Time now = 0; now < 40000; ++now) {
    random = random * 1664525 + 1013904223;
    const std::uint32_t n = (random >> 16) % 300;
    const FlowTable::Probe probe = take(flows, numbered(n), now);
    auto& [last, packets] = expected[n];
    if (packets > 0 && now - last > 50) packets = 0;
    last = now;
    ++packets;
    ASSERT_EQ(flows.flow(probe.entry).packets[0], packets) << now;
    if (now % 3 == 0) flows.sweep(now, random % 20);
    flows.clear_reports();
  }
  EXPECT_EQ(flows.counters().ended[static_cast<int>(FlowEnd::evicted)], 0u);
}

TEST(FlowTable, FramesOfOneBatchFindEachOther) {
  FlowTable flows({});
  const Buffer bytes = udp_frame({});
  const Frame frame = frame_of(bytes, 5);
  const Packet packet = parse_packet(frame.bytes, frame.link);
  FlowTable::Probe first, second;
  flows.prepare(first, frame, packet);
  flows.prepare(second, frame, packet);
  flows.locate(first);
  flows.locate(second);
  flows.update(first, frame, packet);
  flows.update(second, frame, packet);
  EXPECT_TRUE(first.started);
  EXPECT_FALSE(second.started);
  EXPECT_EQ(first.entry, second.entry);
}

TEST(FlowTable, KeepsToItsSize) {
  EXPECT_LE(FlowTable::bytes_per_flow(1'000'000), 256u);
  EXPECT_LE(FlowTable::bytes_per_flow(262'144), 256u);
  EXPECT_EQ(sizeof(FlowTable::Entry), 192u);
}

TEST(FlowTable, TopIsByBytes) {
  FlowTable flows({});
  for (std::uint32_t n = 0; n < 20; ++n)
    for (std::uint32_t i = 0; i <= n; ++i) take(flows, numbered(n), 1);
  std::vector<std::uint64_t> packets;
  for (const std::uint32_t place : flows.top(3)) packets.push_back(flows.flow(place).packets[0]);
  EXPECT_EQ(packets, (std::vector<std::uint64_t>{20, 19, 18}));
  EXPECT_TRUE(flows.top(0).empty());
}

/// What `top` says, by the flows' numbers, which are their source addresses.
std::vector<std::uint32_t> numbers_on_top(const FlowTable& flows, std::size_t count) {
  std::vector<std::uint32_t> out;
  for (const std::uint32_t place : flows.top(count)) {
    const Flow flow = flows.flow(place);
    out.push_back(static_cast<std::uint32_t>(flow.ip[0].octets[2] << 8 | flow.ip[0].octets[3]));
  }
  return out;
}

/// Each flow has one frame; the flows of these numbers get so many more.
void play(FlowTable& flows, std::uint32_t count,
          const std::map<std::uint32_t, std::uint32_t>& more) {
  for (std::uint32_t n = 0; n < count; ++n) take(flows, numbered(n), 1);
  for (const auto& [n, times] : more)
    for (std::uint32_t i = 0; i < times; ++i) take(flows, numbered(n), 2);
}

std::size_t resident() {
  std::size_t all = 0, pages = 0;
  std::ifstream("/proc/self/statm") >> all >> pages;
  return pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

TEST(FlowTable, OneForLiveTrafficIsTouchedBeforeItsFirstPacket) {
  constexpr std::uint32_t kFlows = 1 << 20, kReady = 1 << 16;
  constexpr std::size_t kMiB = 1 << 20, kIndex = 16 * kMiB, kEntries = 12 * kMiB;
  const std::size_t before = resident();
  const FlowTable of_files({.max_flows = kFlows});
  const std::size_t with_files = resident();
  const FlowTable live({.max_flows = kFlows, .ready = kReady});
  EXPECT_LT(with_files - before, 2 * kMiB);
  EXPECT_GT(resident() - with_files, kIndex + kEntries - 2 * kMiB);
}

TEST(FlowTable, OneForLiveTrafficTakesAllItsFlows) {
  constexpr std::uint32_t kFlows = 70'000;  // Two chunks, and some.
  FlowTable flows({.max_flows = kFlows, .udp = 1000 * kSecond, .ready = 100});
  for (std::uint32_t n = 0; n < kFlows; ++n) take(flows, numbered(n), 1);
  for (std::uint32_t n = 0; n < kFlows; ++n) take(flows, numbered(n), 2);
  EXPECT_EQ(flows.active(), kFlows);
  EXPECT_EQ(flows.counters().started, kFlows);
}

TEST(FlowTable, TopOfManyIsWhatTheSweepPassed) {
  constexpr std::uint32_t kFlows = 2 * FlowTable::kCompared + 100;
  FlowTable flows({.max_flows = kFlows, .udp = 1000 * kSecond, .top = 4});
  play(flows, kFlows, {{3, 9}, {FlowTable::kCompared + 50, 8}, {kFlows - 1, 7}, {77, 6}});
  EXPECT_EQ(numbers_on_top(flows, 2).size(), 2u) << "some are told before the first turn is over";
  flows.sweep(3, kFlows);
  flows.sweep(3, kFlows);
  const std::uint32_t late = FlowTable::kCompared + 50;
  EXPECT_EQ(numbers_on_top(flows, 4), (std::vector<std::uint32_t>{3, late, kFlows - 1, 77}));
  EXPECT_EQ(numbers_on_top(flows, 100).size(), 4u) << "no more than was asked for at the start";

  // Those that were noted are told as they are now; one that grew is, once the sweep came by.
  for (int i = 0; i < 20; ++i) take(flows, numbered(77), 4);
  for (int i = 0; i < 50; ++i) take(flows, numbered(500), 4);
  EXPECT_EQ(numbers_on_top(flows, 1), std::vector<std::uint32_t>{77});
  flows.sweep(5, kFlows);
  EXPECT_EQ(numbers_on_top(flows, 2), (std::vector<std::uint32_t>{500, 77}));

  // What ended is not told, and leaves its room.
  flows.move_away(flows.top(1)[0]);
  EXPECT_EQ(numbers_on_top(flows, 4), (std::vector<std::uint32_t>{77, 3, late, kFlows - 1}));
  for (int turn = 0; turn < 3; ++turn) flows.sweep(5, kFlows);
  EXPECT_EQ(numbers_on_top(flows, 4), (std::vector<std::uint32_t>{77, 3, late, kFlows - 1}));
}

TEST(FlowTable, TopFindsTheGreatestOfAllOrders) {
  constexpr std::uint32_t kFlows = FlowTable::kCompared + 3000;
  for (const bool rising : {true, false}) {
    FlowTable flows({.max_flows = kFlows, .udp = 1000 * kSecond, .top = 10});
    std::map<std::uint32_t, std::uint32_t> more;
    for (std::uint32_t n = 0; n < kFlows; n += 10)
      more[n] = (rising ? n : kFlows - n) / 100;  // Ties, too.
    play(flows, kFlows, more);
    for (int turn = 0; turn < 2; ++turn) flows.sweep(3, kFlows);
    std::vector<std::uint64_t> packets, greatest;
    for (const std::uint32_t place : flows.top(10)) packets.push_back(flows.flow(place).packets[0]);
    for (const auto& [n, times] : more) greatest.push_back(times + 1);
    std::ranges::sort(greatest, std::greater<>());
    greatest.resize(10);
    EXPECT_EQ(packets, greatest) << rising;
  }
}

}  // namespace
}  // namespace vmirror
