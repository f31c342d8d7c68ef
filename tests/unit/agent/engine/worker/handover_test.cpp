// A handover's bytes: what is written is read again, what is broken is refused in words, what is
// too much is left out and counted.
#include "agent/engine/worker/handover.hpp"

#include <gtest/gtest.h>

#include "tests/support/frames.hpp"

namespace vmirror {
namespace {

using namespace test;

Bytes bytes_of(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

HandedFlow flow_of(std::uint16_t port, Time last) {
  HandedFlow out;
  FlowKey& key = out.flow.key;
  key.version = 4;
  key.protocol = ip_protocol::kTcp;
  key.ethertype = ethertype::kIpv4;
  key.vlan = 7;
  key.scope = overlay_scope(Encapsulation::vxlan, 9);
  key.ports = 40000u << 16 | port;
  key.address = {0x0100000a, 0, 0x0200000a, 0};
  out.flow.lesser_side = 1;
  Flow& flow = out.flow.flow;
  describe(key, out.flow.lesser_side, flow);
  flow.id = 0x0102030405060708;
  flow.mac = {mac("52:54:00:00:00:02"), mac("52:54:00:00:00:01")};
  flow.packets = {3, 4};
  flow.bytes = {300, 400};
  flow.first = kSecond;
  flow.last = last;
  flow.tcp_flags = {0x12, 0x1b};
  flow.tcp = TcpState::established;
  flow.origin.session = 5;
  out.flow.reported_packets = {1, 2};
  out.flow.reported_bytes = {100, 200};
  return out;
}

HandedFlow with_stream(HandedFlow flow, std::size_t waiting = 6) {
  flow.application = "modbus";
  flow.requests = {{9, {kSecond, 1, 2}}, {10, {2 * kSecond, 0, 0}}};
  HandedStream& stream = flow.stream.emplace();
  stream.failures = 3;
  stream.innermost = "s7comm";
  flow.memory.states = {{"cotp", Carrier::stream, 7, counting(4)},
                        {"", Carrier::stream, 9, text("s7comm")}};
  flow.memory.joins = {{{"cotp", Carrier::stream, 8, counting(11)}, false, true}};
  stream.tcp[0] = {true, 106, 120, kSecond, {{120, 5, counting(5)}, {130, 9, {}}}};
  stream.tcp[1] = {true, 0xffffffff, std::nullopt, 0, {}};
  stream.messages[0] = {counting(waiting), static_cast<std::uint32_t>(waiting + 6),
                        static_cast<std::uint32_t>(waiting + 6), 0, false};
  stream.messages[1] = {{}, 0, 0, 77, true};
  return flow;
}

Asset asset() {
  Asset out;
  out.mac = mac("52:54:00:00:00:01");
  out.ips = {ip("10.0.0.1"), ip("fd00::1")};
  out.scope = overlay_scope(Encapsulation::vxlan, 9);
  out.vlans = {7, 9};
  out.properties = {{Attribute::host_name, "plc-7", "dhcp.host_name", 3 * kSecond}};
  out.router = true;
  out.first = kSecond;
  out.last = 4 * kSecond;
  out.packets = 12;
  out.bytes = 1200;
  return out;
}

Handover full() {
  Handover out;
  out.time = 5 * kSecond;
  out.macs = {mac("52:54:00:00:00:01"), mac("52:54:00:00:00:11")};
  out.flows = {with_stream(flow_of(502, 4 * kSecond)), flow_of(503, 3 * kSecond)};
  out.flows[1].probed = 2;
  out.assets = {asset()};
  out.left_out = {1, 2, 3};
  out.workers_missing = 1;
  return out;
}

TEST(Handover, IsReadAsItWasWritten) {
  struct Row {
    const char* name;
    Handover handover;
  };
  Handover udp = full();
  udp.flows.resize(1);
  udp.flows[0] = flow_of(53, kSecond);
  udp.flows[0].flow.key.protocol = ip_protocol::kUdp;
  udp.flows[0].flow.flow.tcp = TcpState::none;
  describe(udp.flows[0].flow.key, 1, udp.flows[0].flow.flow);
  for (const Row& row : {Row{"nothing", {}}, Row{"all", full()}, Row{"UDP", udp}}) {
    SCOPED_TRACE(row.name);
    const auto decoded = decode(bytes_of(encode(row.handover)));
    ASSERT_TRUE(decoded) << decoded.error().text();
    EXPECT_EQ(*decoded, row.handover);
  }
}

TEST(Handover, SizesAreWhatIsWritten) {
  const Handover all = full();
  Handover without = all;
  without.flows.clear();
  without.assets.clear();
  std::size_t size = encode(without).size();
  for (const HandedFlow& flow : all.flows) size += encoded_size(flow);
  for (const Asset& each : all.assets) size += encoded_size(each);
  EXPECT_EQ(encode(all).size(), size);
}

TEST(Handover, EveryCutIsRefused) {
  const std::string whole = encode(full());
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto decoded = decode(bytes_of(whole.substr(0, size)));
    ASSERT_FALSE(decoded) << "the first " << size << " bytes";
    EXPECT_EQ(decoded.error().kind,
              size >= 4 && size < 6 ? Error::Kind::unsupported : Error::Kind::invalid);
  }
  EXPECT_FALSE(decode(bytes_of(whole + "x")));
}

TEST(Handover, SaysWhatItDoesNotTake) {
  struct Row {
    const char* name;
    std::function<void(Handover&)> change;
    HandoverLimits limits;
    Error::Kind kind;
    const char* says;
  };
  using enum Error::Kind;
  const std::vector<Row> table = {
      {"too many flows",
       [](Handover&) {},
       {.flows = 1},
       exhausted,
       "2 flows are over the bound of 1"},
      {"too many bytes", [](Handover&) {}, {.bytes = 99}, exhausted, "over the bound of 99"},
      {"an IP version that is none",
       [](Handover& h) { h.flows[1].flow.key.version = 0xff; },
       {},
       invalid,
       "flow 2"},
      {"a side that is none",
       [](Handover& h) { h.flows[0].flow.lesser_side = 2; },
       {},
       invalid,
       "flow 1"},
      {"more reported than counted",
       [](Handover& h) { h.flows[0].flow.reported_bytes[1] = 401; },
       {},
       invalid,
       "flow 1"},
      {"a flow that ends before it begins",
       [](Handover& h) { h.flows[0].flow.flow.last = 0; },
       {},
       invalid,
       "flow 1"},
      {"a time out of all bounds",
       [](Handover& h) { h.flows[0].flow.flow.last = -1; },
       {},
       invalid,
       "flow 1"},
      {"UDP with a TCP state",
       [](Handover& h) { h.flows[0].flow.key.protocol = ip_protocol::kUdp; },
       {},
       invalid,
       "flow 1"},
      {"an address that is none",
       [](Handover& h) { h.assets[0].ips[0].version = 5; },
       {},
       invalid,
       "asset 1"},
      {"an attribute that is not known",
       [](Handover& h) { h.assets[0].properties[0].attribute = Attribute::count_; },
       {},
       invalid,
       "asset 1"},
      {"assets without NICs",
       [](Handover& h) { h.macs.clear(); },
       {},
       invalid,
       "more assets than NICs"},
  };
  for (const Row& row : table) {
    SCOPED_TRACE(row.name);
    Handover handover = full();
    row.change(handover);
    const auto decoded = decode(bytes_of(encode(handover)), row.limits);
    ASSERT_FALSE(decoded);
    EXPECT_EQ(decoded.error().kind, row.kind);
    EXPECT_NE(decoded.error().text().find(row.says), std::string::npos) << decoded.error().text();
  }
  std::string other = encode(full());
  other[5] = 9;
  EXPECT_EQ(decode(bytes_of(other)).error().text(),
            "handover: version 9 (run the same version of vmirror on both hosts)");
}

TEST(Handover, ALaterVersionMayAppendToAFlow) {
  const Handover all = full();
  std::string text = encode(all);
  const std::size_t head = 16 + 2 * 6 + 26 + 4;
  const std::size_t size = encoded_size(all.flows[0]);
  text.insert(head + size, "new");
  text[head + 3] = static_cast<char>(text[head + 3] + 3);
  const auto decoded = decode(bytes_of(text));
  ASSERT_TRUE(decoded) << decoded.error().text();
  EXPECT_EQ(*decoded, all);
}

TEST(Handover, LeavesOutWhatIsQuietForLongest) {
  Handover part;
  for (std::uint16_t i = 0; i < 100; ++i)
    part.flows.push_back(with_stream(flow_of(i, 200 * kSecond - i), i == 0 ? 5000 : 100));
  const std::size_t small = encoded_size(part.flows[1]);
  struct Row {
    const char* name;
    HandoverLimits limits;
    LeftOut left_out;
    std::size_t first_port;
  };
  const std::vector<Row> table = {
      {"all", {}, {}, 0},
      {"ten flows", {.flows = 10}, {.flows = 90}, 0},
      {"few bytes: the long one goes without its stream",
       {.bytes = 1600 + encoded_size(flow_of(0, 0)) + 6 + 3 * small},
       {.flows = 96, .streams = 1},
       0},
  };
  for (const Row& row : table) {
    SCOPED_TRACE(row.name);
    const Handover merged = merge({part}, row.limits);
    EXPECT_EQ(merged.left_out, row.left_out);
    EXPECT_EQ(merged.flows.size(), 100 - row.left_out.flows);
    EXPECT_LE(encode(merged).size(), row.limits.bytes);
    EXPECT_EQ(merged.flows[0].flow.flow.port[1], 40000u);
    EXPECT_EQ(merged.flows.back().flow.flow.last,
              200 * kSecond - static_cast<Time>(merged.flows.size() - 1));
  }
}

TEST(Handover, JoinsTheHalvesOfAFlowThatTwoWorkersSaw) {
  Handover one, other;
  one.flows = {with_stream(flow_of(502, 2 * kSecond))};
  one.flows[0].flow.flow.packets[1] = 0;
  one.assets = {asset()};
  other.flows = {flow_of(503, 3 * kSecond), flow_of(502, 4 * kSecond)};
  other.assets = {asset()};
  const Handover merged = merge({one, other}, {});
  ASSERT_EQ(merged.flows.size(), 2u);
  EXPECT_EQ(merged.flows[0].flow.flow.packets, (std::array<std::uint64_t, 2>{6, 4}));
  EXPECT_EQ(merged.flows[0].flow.flow.last, 4 * kSecond);
  EXPECT_TRUE(merged.flows[0].stream);
  ASSERT_EQ(merged.assets.size(), 1u);
  EXPECT_EQ(merged.assets[0].packets, 24u);
}

TEST(Handover, TimesFollowTheOtherClock) {
  Handover handover = full();
  shift(handover, -kSecond / 2);
  EXPECT_EQ(handover.time, 9 * kSecond / 2);
  EXPECT_EQ(handover.flows[0].flow.flow.first, kSecond / 2);
  EXPECT_EQ(handover.flows[0].requests[0].request.time, kSecond / 2);
  EXPECT_EQ(handover.flows[0].stream->tcp[0].since, kSecond / 2);
  EXPECT_EQ(handover.flows[0].stream->tcp[1].since, 0) << "no time stays none";
  EXPECT_EQ(handover.assets[0].properties[0].last, 5 * kSecond / 2);
  shift(handover, std::numeric_limits<Time>::min());
  EXPECT_EQ(handover.flows[0].flow.flow.last, 0);
}

TEST(Handover, SaysWhatIsNotInIt) {
  EXPECT_EQ(result_of({}, HandoverResult::State::sent, 0).reason, "");
  const HandoverResult result = result_of(full(), HandoverResult::State::taken, 99);
  EXPECT_EQ(result.flows, 2u);
  EXPECT_EQ(result.streams, 1u);
  EXPECT_EQ(result.assets, 1u);
  EXPECT_EQ(result.bytes, 99u);
  EXPECT_EQ(result.reason,
            "1 flow left out: over the handover's bound; 2 flows without what was read of them: "
            "over the handover's bytes; 3 assets left out: over the handover's bytes; 1 worker did "
            "not answer in time");
}

}  // namespace
}  // namespace vmirror
