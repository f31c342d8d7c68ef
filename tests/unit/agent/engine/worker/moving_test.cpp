// A guest moves between two hosts while it talks. Whatever the moment, the two engines together
// tell what one engine that saw it all would have told: every record once, every flow once.
#include <gtest/gtest.h>

#include <algorithm>
#include <regex>

#include "agent/engine/worker/pipeline.hpp"
#include "tests/support/payloads.hpp"
#include "tests/unit/agent/engine/worker/scene.hpp"

namespace vmirror {
namespace {

using namespace test;
using namespace tcp_flag;

const Ends kModbus{.source_port = 40123, .destination_port = 502};
const std::vector<Mac> kMoving = {mac("52:54:00:00:00:01")};

/// The guest's conversations: TCP with a message over two segments that come in disorder, messages
/// of DNS over TCP in small pieces, UDP, ping, ARP; opened and closed on the way.
std::vector<Buffer> talk() {
  std::vector<Buffer> out = scene();
  const auto fragment = [](const Buffer& b) {
    return parse_packet(b, LinkType::ethernet).fragment;
  };
  std::erase_if(out, fragment);  // Their ports are not handed over.
  std::erase_if(out, [](const Buffer& b) {
    const Packet p = parse_packet(b, LinkType::ethernet);
    return p.source_mac(b) != kMoving[0] && p.destination_mac(b) != kMoving[0];
  });
  const Ends up{.source_port = 41000, .destination_port = 53};
  const auto piecewise = [&](const Ends& ends, const Buffer& message, std::uint32_t from,
                             std::uint32_t acknowledged) {
    for (std::size_t i = 0; i < message.size(); i += 20) {
      const std::size_t size = std::min<std::size_t>(20, message.size() - i);
      out.push_back(tcp_frame(ends, {from + static_cast<std::uint32_t>(i), acknowledged, kAck},
                              Bytes(message).subspan(i, size)));
    }
    return from + static_cast<std::uint32_t>(message.size());
  };
  std::uint32_t mine = 101, theirs = 901;
  out.push_back(tcp_frame(up, {100, 0, kSyn}));
  out.push_back(tcp_frame(up.reversed(), {900, 101, kSyn | kAck}));
  for (const Payload& p : payloads_of("dns/tcp")) {
    if (p.to_server) {
      mine = piecewise(up, p.bytes, mine, theirs);
    } else {
      theirs = piecewise(up.reversed(), p.bytes, theirs, mine);
    }
  }
  return out;
}

Time time_of(std::size_t frame) {
  return kSecond + static_cast<Time>(frame) * kMillisecond;
}

PipelineOptions options_of(EveFile& eve) {
  static std::uint32_t hosts = 0;
  PipelineOptions options;
  options.flows.first_number = ++hosts * 1000;
  options.dissectors = all_dissectors();
  options.flows.max_flows = 1024;
  options.eve.sinks = eve.sinks();
  options.eve.assets = false;
  return options;
}

/// One host's engine, fed by hand.
struct PipelineHost {
  EveFile eve;
  Pipeline pipeline{options_of(eve)};

  Time ahead = 0;  ///< Its clock.

  void see(const std::vector<Buffer>& frames, std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < to; ++i) {
      const Frame frame = frame_of(frames[i], time_of(i) + ahead);
      pipeline.process(std::span(&frame, 1));
    }
  }
  /// As it goes over the link.
  std::string take() {
    Handover handover = pipeline.take(kMoving, {});
    handover.macs = kMoving;
    return encode(handover);
  }
  std::shared_ptr<Adoption> give(const std::string& bytes, Time now = 1000 * kSecond) {
    const auto decoded =
        decode({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
    EXPECT_TRUE(decoded) << (decoded ? "" : decoded.error().text());
    const auto adoption = std::make_shared<Adoption>(decoded.value_or(Handover{}), now);
    adoption->enter();
    pipeline.adopt(adoption);
    return adoption;
  }
  std::uint64_t count(std::string_view name) {
    const EngineSnapshot snapshot = pipeline.snapshot(0);
    for (const auto* list : {&snapshot.adopted, &snapshot.streams})
      for (const NamedCount& count : *list)
        if (count.name == name) return count.count;
    ADD_FAILURE() << "no count " << name;
    return 0;
  }
};

/// What the hosts' EVE says in the end, in any order: without the flows that moved, and the ids.
std::vector<std::string> told(std::initializer_list<PipelineHost*> hosts,
                              const std::string& only = "") {
  static const std::regex id("\"flow_id\":[0-9]+,");
  std::vector<std::string> out;
  for (PipelineHost* host : hosts) {
    host->pipeline.flush();
    for (const std::string& line : host->eve.lines())
      if (line.find("\"reason\":\"moved\"") == line.npos && line.find(only) != line.npos)
        out.push_back(std::regex_replace(line, id, ""));
  }
  std::sort(out.begin(), out.end());
  return out;
}

/// The lines that only one has; empty: they say the same.
std::string difference(const std::vector<std::string>& is,
                       const std::vector<std::string>& expected) {
  std::vector<std::string> only;
  std::string out;
  std::set_difference(is.begin(), is.end(), expected.begin(), expected.end(),
                      std::back_inserter(only));
  for (const std::string& line : std::exchange(only, {})) out += "is:       " + line + "\n";
  std::set_difference(expected.begin(), expected.end(), is.begin(), is.end(),
                      std::back_inserter(only));
  for (const std::string& line : only) out += "expected: " + line + "\n";
  return out;
}

std::vector<std::string> told_by_one(const std::vector<Buffer>& frames,
                                     const std::string& only = "") {
  PipelineHost host;
  host.see(frames, 0, frames.size());
  return told({&host}, only);
}

TEST(Moving, AtAnyFrameTwoEnginesTellWhatOneWouldHave) {
  const std::vector<Buffer> frames = talk();
  const std::vector<std::string> expected = told_by_one(frames);
  for (std::size_t cut = 0; cut <= frames.size(); ++cut) {
    SCOPED_TRACE("moved before frame " + std::to_string(cut));
    PipelineHost source, destination;
    source.see(frames, 0, cut);
    destination.give(source.take());
    source.pipeline.let_go(kMoving);
    destination.see(frames, cut, frames.size());
    EXPECT_EQ(destination.count("gaps"), 0u);
    EXPECT_EQ(difference(told({&source, &destination}), expected), "");
  }
}

TEST(Moving, StateThatComesLateStillMakesOneFlow) {
  const std::vector<Buffer> frames = talk();
  const std::string flow = "\"event_type\":\"flow\"";
  const std::vector<std::string> expected = told_by_one(frames, flow);
  for (const std::size_t late : {1u, 2u, 5u, 20u}) {
    for (std::size_t cut = 0; cut <= frames.size(); ++cut) {
      SCOPED_TRACE("moved before frame " + std::to_string(cut) + ", state came " +
                   std::to_string(late) + " frames later");
      PipelineHost source, destination;
      source.see(frames, 0, cut);
      const std::size_t given = std::min(cut + late, frames.size());
      destination.see(frames, cut, given);
      destination.give(source.take());
      source.pipeline.let_go(kMoving);
      destination.see(frames, given, frames.size());
      EXPECT_EQ(difference(told({&source, &destination}, flow), expected), "");
    }
  }
}

TEST(Moving, NothingIsChangedWhereTheMigrationIsAborted) {
  const std::vector<Buffer> frames = talk();
  const std::vector<std::string> expected = told_by_one(frames);
  PipelineHost source, destination;
  source.see(frames, 0, 20);
  destination.give(source.take());
  destination.pipeline.let_go(kMoving);
  source.see(frames, 20, frames.size());
  EXPECT_EQ(difference(told({&source, &destination}), expected), "");
  EXPECT_GT(destination.count("forgotten"), 0u);
}

/// A request of Modbus in two segments, the first of which the source saw.
struct Split {
  Buffer request = payload("modbus", "read holding registers");
  std::vector<Buffer> frames = {
      tcp_frame(kModbus, {100, 0, kSyn}),
      tcp_frame(kModbus.reversed(), {500, 101, kSyn | kAck}),
      tcp_frame(kModbus, {101, 501, kAck}, Bytes(request).first(5)),
      tcp_frame(kModbus, {106, 501, kAck}, Bytes(request).subspan(5)),
  };
};

std::uint64_t records(const Pipeline& pipeline, std::string_view protocol) {
  for (const ProtocolSnapshot& p : pipeline.snapshot(0).protocols)
    if (p.name == protocol) return p.records;
  return 0;
}

TEST(Moving, AMessageThatIsSplitIsReadOnTheDestination) {
  const Split split;
  PipelineHost source, destination;
  source.see(split.frames, 0, 3);
  EXPECT_EQ(records(source.pipeline, "modbus"), 0u);
  destination.give(source.take());
  destination.see(split.frames, 3, 4);
  EXPECT_EQ(records(destination.pipeline, "modbus"), 1u);
  EXPECT_EQ(destination.count("midstream"), 0u);
  EXPECT_EQ(destination.count("gaps"), 0u);
  EXPECT_EQ(destination.count("continued"), 1u);
  EXPECT_EQ(destination.count("streams"), 1u);
}

TEST(Moving, WithoutStateItIsAFlowWhoseMiddleIsFirstSeen) {
  const Split split;
  PipelineHost destination;
  destination.see(split.frames, 3, 4);
  EXPECT_EQ(records(destination.pipeline, "modbus"), 0u);
  EXPECT_EQ(destination.count("midstream"), 1u);
}

TEST(Moving, BytesThatNobodySawAreAGap) {
  const Buffer request = payload("modbus", "read holding registers");
  const auto next = static_cast<std::uint32_t>(101 + request.size());
  const std::vector<Buffer> frames = {
      tcp_frame(kModbus, {100, 0, kSyn}),
      tcp_frame(kModbus.reversed(), {500, 101, kSyn | kAck}),
      tcp_frame(kModbus, {101, 501, kAck}, request),
      tcp_frame(kModbus, {next + 30, 501, kAck}, request),  // 30 bytes went by in between.
      tcp_frame(kModbus.reversed(), {501, next + 30, kAck}),
  };
  PipelineHost source, destination;
  source.see(frames, 0, 3);
  destination.give(source.take());
  destination.see(frames, 3, 5);
  EXPECT_EQ(destination.count("gap_bytes"), 30u);
  EXPECT_EQ(records(destination.pipeline, "modbus"), 1u);
}

TEST(Moving, TheFlowKeepsItsId) {
  const Split split;
  PipelineHost source, destination;
  const std::vector<Buffer> another = {ping_frame({.source = ip("10.0.0.9")})};
  destination.see(another, 0, 1);
  source.see(split.frames, 0, 3);
  const std::uint64_t id = source.pipeline.snapshot(0).top_flows.at(0).id;
  destination.give(source.take());
  destination.see(split.frames, 3, 4);
  const std::vector<Flow> flows = destination.pipeline.snapshot(0).top_flows;
  ASSERT_EQ(flows.size(), 2u);
  EXPECT_EQ(flows[0].id, id);
  EXPECT_EQ(flows[0].packets, (std::array<std::uint64_t, 2>{3, 1}));
  EXPECT_EQ(flows[0].first, time_of(0));
  EXPECT_STREQ(flows[0].application, "modbus");
  EXPECT_NE(flows[1].id, id);
}

TEST(Moving, TheSourceSaysThatTheFlowMoved) {
  const Split split;
  PipelineHost source;
  source.see(split.frames, 0, 3);
  source.pipeline.let_go(kMoving);
  EXPECT_EQ(source.pipeline.snapshot(0).flows_active, 0u);
  EXPECT_EQ(source.pipeline.snapshot(0).flows_ended[static_cast<std::size_t>(FlowEnd::moved)], 1u);
  source.pipeline.flush();
  const std::vector<std::string> lines = source.eve.lines();
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_NE(lines[0].find("\"reason\":\"moved\""), std::string::npos) << lines[0];
}

TEST(Moving, AFlowWhoseOtherEndIsWatchedHereStays) {
  const Split split;
  PipelineHost source;
  auto index = std::make_shared<MirrorIndex>();
  const Mac guest = mac("52:54:00:00:00:02");
  index->nics.set({"br0", "vnet0"}, {.mac = guest});
  source.pipeline.watch(index);
  source.see(split.frames, 0, 3);
  source.pipeline.let_go(kMoving);
  EXPECT_EQ(source.pipeline.snapshot(0).flows_active, 1u);
  source.pipeline.let_go({{kMoving[0], mac("52:54:00:00:00:02")}});
  EXPECT_EQ(source.pipeline.snapshot(0).flows_active, 0u) << "both ends are the guest's";
}

TEST(Moving, WhatBothSawIsNotAddedUp) {
  std::vector<Buffer> frames;
  for (std::uint16_t i = 0; i < 3000; ++i) frames.push_back(ping_frame({}, i));
  PipelineHost source, destination;  // The other end is mirrored on the destination.
  source.see(frames, 0, 2900);
  destination.see(frames, 0, 2900);
  destination.give(source.take());
  destination.see(frames, 2900, 3000);
  EXPECT_EQ(destination.pipeline.snapshot(0).top_flows.at(0).packets[0], 3000u);
  EXPECT_EQ(destination.count("both"), 1u);
}

TEST(Moving, AFlowThatDoesNotGoOnEndsInItsOwnTime) {
  const Split split;
  struct Row {
    const char* name;
    std::vector<Buffer> seen;
    Time idle;
    const char* reason;
  };
  const FlowTableOptions times;
  const std::vector<Row> table = {
      {"TCP", {split.frames.begin(), split.frames.begin() + 3}, times.tcp_established, "timeout"},
      {"UDP", {udp_frame({})}, times.udp, "timeout"},
      {"closed TCP", {tcp_frame({}, {1, 0, kRst})}, times.tcp_closed, "timeout"},
  };
  for (const Row& row : table) {
    SCOPED_TRACE(row.name);
    PipelineHost source, destination;
    source.see(row.seen, 0, row.seen.size());
    const auto adoption = destination.give(source.take());
    const Time last = time_of(row.seen.size() - 1);
    destination.pipeline.tick(last + row.idle);
    EXPECT_EQ(adoption->waiting(), 1u);
    destination.pipeline.tick(last + row.idle + kSecond);
    EXPECT_EQ(adoption->waiting(), 0u);
    EXPECT_EQ(destination.count("idle"), 1u);
    EXPECT_EQ(adoption.use_count(), 1) << "nobody holds it";
    const std::vector<std::string> lines = told({&destination});
    ASSERT_EQ(lines.size(), 1u);
    EXPECT_NE(lines[0].find(std::string("\"reason\":\"") + row.reason), std::string::npos);
  }
}

/// Hours ahead, until the guest came or while its flows wait: they neither wait for the clock nor
/// are taken for flows that both hosts saw.
TEST(Moving, AClockThatIsSetBack) {
  const Split split;
  constexpr Time kAhead = 7200 * kSecond;
  const FlowTableOptions times;
  for (const bool before : {true, false})
    for (const bool goes_on : {true, false}) {
      SCOPED_TRACE(std::string(before ? "before it came" : "after it came") +
                   (goes_on ? ", and it goes on" : ""));
      PipelineHost source, destination;
      source.ahead = kAhead;
      source.see(split.frames, 0, 3);
      const Time came = time_of(3);
      const auto adoption = destination.give(source.take(), before ? came : came + kAhead);
      if (!before) destination.pipeline.tick(came + kAhead);
      destination.pipeline.tick(came + kSecond);
      EXPECT_EQ(adoption->waiting(), 1u);
      if (goes_on) {
        destination.ahead = kSecond;
        destination.see(split.frames, 3, 4);
        EXPECT_EQ(destination.count("continued"), 1u);
        EXPECT_EQ(destination.pipeline.snapshot(0).top_flows.at(0).packets[0], 3u);
        EXPECT_EQ(records(destination.pipeline, "modbus"), 1u);
      } else {
        destination.pipeline.tick(came + times.tcp_established + 2 * kSecond);
        EXPECT_EQ(destination.count("idle"), 1u);
        EXPECT_EQ(adoption->waiting(), 0u);
      }
    }
}

TEST(Moving, AnotherConnectionWithTheSamePortsIsAnotherFlow) {
  const Ends up{.destination_port = 8080};
  const std::vector<Buffer> frames = {tcp_frame(up, {100, 0, kSyn}), tcp_frame(up, {101, 0, kRst}),
                                      tcp_frame(up, {900, 0, kSyn})};
  PipelineHost source, destination;
  source.see(frames, 0, 2);
  destination.give(source.take());
  source.pipeline.let_go(kMoving);
  destination.see(frames, 2, 3);
  EXPECT_EQ(destination.count("over"), 1u);
  EXPECT_EQ(destination.pipeline.snapshot(0).top_flows.at(0).packets[0], 1u);
  EXPECT_EQ(difference(told({&source, &destination}), told_by_one(frames)), "");
}

TEST(Moving, TheDestinationKnowsTheAsset) {
  const std::vector<Buffer> frames = talk();
  PipelineHost all, source, destination;
  all.see(frames, 0, frames.size());
  source.see(frames, 0, 25);
  destination.give(source.take());
  source.pipeline.let_go(kMoving);
  destination.see(frames, 25, frames.size());
  all.pipeline.flush();
  destination.pipeline.flush();
  const auto asset = [](PipelineHost& host) {
    for (const Asset& asset : host.pipeline.snapshot(0).assets)
      if (asset.mac == kMoving[0]) return asset;
    return Asset{};
  };
  EXPECT_EQ(asset(destination), asset(all));
}

TEST(Moving, WhereProtocolsDifferTheFlowStillGoesOn) {
  const Split split;
  PipelineHost source, destination;
  source.see(split.frames, 0, 3);
  PipelineOptions none;
  none.flows.max_flows = 16;
  Pipeline blind(none);
  const std::string bytes = source.take();
  const auto adoption = std::make_shared<Adoption>(
      decode({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}).value(),
      time_of(3));
  adoption->enter();
  blind.adopt(adoption);
  const Frame frame = frame_of(split.frames[3], time_of(3));
  blind.process(std::span(&frame, 1));
  EXPECT_EQ(blind.snapshot(0).top_flows.at(0).packets[0], 3u);
}

}  // namespace
}  // namespace vmirror
