// The pipeline: what becomes of each kind of frame, and that none is unaccounted for.
#include "agent/engine/worker/pipeline.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json.hpp>
#include <map>
#include <set>

#include "tests/support/encapsulate.hpp"
#include "tests/support/payloads.hpp"
#include "tests/unit/agent/engine/worker/scene.hpp"

namespace vmirror {
namespace {

using namespace test;

Buffer erspan(std::uint16_t session, Bytes frame) {
  return outer_frame(
      {}, ip_protocol::kGre,
      gre({.protocol = 0x88be, .sequence = 1}, erspan2({.session = session}, frame)));
}

TEST(Pipeline, CountsEveryFrameOnce) {
  const Buffer good = udp_frame({}, counting(2000));
  const Buffer wrapped = erspan(5, good);
  struct Row {
    const char* name;
    std::vector<Buffer> frames;
    const DecapOptions* decap;
    std::uint64_t analysed;
    std::vector<std::pair<Drop, std::uint64_t>> drops;
  };
  const std::vector<Buffer> parts = fragments(wrapped, 800);
  DecapOptions any, collector, one_session, shallow;
  collector.accept_bare = false;
  one_session.sessions.insert(6);
  shallow.max_depth = 2;
  const std::vector<Row> table = {
      {"bare", {good, good}, &any, 2, {}},
      {"cut off within the MACs", {Buffer(13)}, &any, 0, {{Drop::short_frame, 1}}},
      {"nothing at all", {Buffer()}, &any, 0, {{Drop::short_frame, 1}}},
      {"headers that make no sense", {ethernet(hex("45"), ethertype::kIpv4)}, &any, 1, {}},
      {"wrapped", {wrapped, wrapped, wrapped}, &any, 3, {}},
      {"a collector's input", {good, wrapped}, &collector, 1, {{Drop::not_mirrored, 1}}},
      {"a session that is not ours",
       {wrapped, erspan(6, good)},
       &one_session,
       1,
       {{Drop::unknown_session, 1}}},
      {"fragments of a copy are settled together", parts, &any, parts.size(), {}},
      {"the last fragment never comes",
       {parts[0], parts[1]},
       &any,
       0,
       {{Drop::fragment_incomplete, 2}}},
      {"nested past the bound",
       {erspan(1, erspan(2, erspan(3, good)))},
       &shallow,
       0,
       {{Drop::nesting_too_deep, 1}}},
  };
  for (const Row& row : table) {
    for (const std::size_t batch : {1u, 64u}) {
      SCOPED_TRACE(row.name);
      PipelineOptions options;
      options.decap = *row.decap;
      const FrameCounters frames = run(row.frames, options, batch).snapshot.frames();
      FrameCounters expected;
      expected.received = row.frames.size();
      for (const Buffer& frame : row.frames) expected.received_bytes += frame.size();
      expected.analysed = row.analysed;
      for (const auto& [kind, count] : row.drops) expected.drop(kind, count);
      EXPECT_EQ(frames.received, expected.received);
      EXPECT_EQ(frames.received_bytes, expected.received_bytes);
      EXPECT_EQ(frames.analysed, expected.analysed);
      EXPECT_EQ(frames.dropped, expected.dropped);
    }
  }
}

TEST(Pipeline, IsBalancedAtEveryCutOfEveryWrapping) {
  const Buffer frame = udp_frame({.destination_port = 53}, counting(64));
  for (const Wrapping& way : wrappings()) {
    SCOPED_TRACE(way.name);
    std::vector<Buffer> cuts;
    for (const Buffer& bytes : way.wrap(frame, 3))
      for (std::size_t size = 0; size <= bytes.size(); ++size)
        cuts.emplace_back(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    PipelineOptions options;
    options.dissectors = all_dissectors();
    options.decap.rspan_vlan = kRspanVlan;
    EXPECT_EQ(run(cuts, options, 16).snapshot.frames().received, cuts.size());
  }
}

TEST(Pipeline, FoldsWhatMessagesSay) {
  PipelineOptions options;
  options.dissectors = all_dissectors();
  const EngineSnapshot snapshot = run(scene(), options).snapshot;
  const auto records = [&](std::string_view name) {
    for (const ProtocolSnapshot& p : snapshot.protocols)
      if (p.name == name) return p.records;
    return std::uint64_t{0};
  };
  EXPECT_EQ(records("arp"), 2u);
  EXPECT_EQ(records("dns"), 4u);
  EXPECT_EQ(records("modbus"), 2u) << "one over two segments that came in disorder, one sent twice";
  EXPECT_EQ(records("lldp"), 1u);
  const auto asset = std::find_if(snapshot.assets.begin(), snapshot.assets.end(),
                                  [](const Asset& a) { return a.mac == mac("52:54:00:00:00:01"); });
  ASSERT_NE(asset, snapshot.assets.end());
  EXPECT_EQ(asset->ips.front(), ip("10.0.0.1"));
}

TEST(Pipeline, NoProtocolsMeansNoRecords) {
  const std::string none[] = {"none"};
  PipelineOptions options;
  options.dissectors = std::make_shared<const Dissectors>(Dissectors::select(none).value());
  const Analysed outcome = run(scene(), options);
  EXPECT_TRUE(outcome.snapshot.protocols.empty());
  for (const std::string& line : outcome.eve)
    EXPECT_TRUE(line.find("\"event_type\":\"flow\"") != std::string::npos ||
                line.find("\"event_type\":\"asset\"") != std::string::npos)
        << line;
  PipelineOptions all;
  all.dissectors = all_dissectors();
  EXPECT_EQ(outcome.snapshot.flows_started, run(scene(), all).snapshot.flows_started);
}

TEST(Pipeline, AGuestsOwnTunnelCountsForNoOtherGuestAndIsAnalysedHoweverItIs) {
  const Mac sender = mac("52:54:00:00:00:0a"), other = mac("52:54:00:00:00:0b");
  const auto in_vxlan = [](const Mac& from, const Buffer& frame) {
    return udp_frame({.source_mac = from, .destination_port = 4789}, vxlan(5, frame));
  };
  const Buffer inner = udp_frame({.source_mac = other, .destination_port = 53});
  const Buffer broken =
      outer_frame({}, ip_protocol::kGre, gre({.protocol = 0x88be, .sequence = 1}, {}));
  struct Row {
    const char* name;
    bool own;
    int depth;
    Buffer frame;
    std::uint64_t analysed, sender, other;
    const char* error;
  };
  for (const Row& row : {
           Row{"a mirror's", false, 4, in_vxlan(sender, inner), 1, 0, 1, nullptr},
           Row{"its own", true, 4, in_vxlan(sender, inner), 1, 1, 0, nullptr},
           Row{"left on", true, 0, in_vxlan(sender, inner), 1, 1, 0, nullptr},
           Row{"bare", true, 4, udp_frame({.source_mac = sender}), 1, 1, 0, nullptr},
           Row{"a mirror's, too deep", false, 1, in_vxlan(sender, in_vxlan(sender, inner)), 0, 0, 0,
               nullptr},
           Row{"its own, too deep", true, 1, in_vxlan(sender, in_vxlan(sender, inner)), 1, 1, 0,
               "nesting_too_deep"},
           Row{"a mirror's, broken", false, 4, broken, 0, 0, 0, "erspan_truncated"},
           Row{"its own, broken", true, 4, broken, 1, 0, 0, "erspan_truncated"},
       }) {
    SCOPED_TRACE(row.name);
    PipelineOptions options;
    options.decap.own_tunnels = row.own;
    options.decap.max_depth = row.depth;
    Pipeline pipeline(std::move(options));
    auto index = std::make_shared<MirrorIndex>();
    index->nics.set({"br0", "vnet0"}, {.mac = sender, .vm = "sender"});
    index->nics.set({"br0", "vnet1"}, {.mac = other, .vm = "other"});
    pipeline.watch(index);
    const std::vector<Frame> frames{frame_of(row.frame, kSecond)};
    pipeline.process(frames);
    const EngineSnapshot snapshot = pipeline.snapshot(0);
    EXPECT_EQ(pipeline.counters().analysed, row.analysed);
    EXPECT_TRUE(pipeline.counters().balanced());
    std::map<std::string, std::uint64_t> sent;
    for (const NicFrames& nic : snapshot.nics) sent[nic.at.port] = nic.out;
    EXPECT_EQ(sent["vnet0"], row.sender);
    EXPECT_EQ(sent["vnet1"], row.other);
    const bool told = std::ranges::any_of(snapshot.errors, [&](const NamedCount& e) {
      return row.error != nullptr && std::string_view(e.name) == row.error;
    });
    EXPECT_EQ(told, row.error != nullptr);
  }
}

TEST(Pipeline, CountsWhatTheSourceLost) {
  Pipeline pipeline({});
  std::array<std::uint64_t, kDropKinds> dropped{};
  dropped[0] = 3;
  pipeline.source_dropped(dropped);
  pipeline.source_dropped(dropped);
  EXPECT_EQ(pipeline.counters().received, 3u) << "a sum, not news";
  pipeline.source_reopened();
  dropped[0] = 2;
  pipeline.source_dropped(dropped);
  EXPECT_EQ(pipeline.counters().dropped[0], 5u);
  EXPECT_TRUE(pipeline.counters().balanced());
}

TEST(Pipeline, CountsWatchedNicsAndNamesTheirGuests) {
  Pipeline pipeline({});
  auto index = std::make_shared<MirrorIndex>();
  const Mac guest = mac("52:54:00:00:00:01");
  index->nics.set({"br0", "vnet0"}, {.mac = guest, .vm = "dc"});
  pipeline.watch(index);
  std::vector<Frame> frames;
  const std::vector<Buffer> buffers = scene();
  for (const Buffer& bytes : buffers) frames.push_back(frame_of(bytes, kSecond));
  pipeline.process(frames);
  const EngineSnapshot snapshot = pipeline.snapshot(0);
  ASSERT_EQ(snapshot.nics.size(), 1u);
  EXPECT_GT(snapshot.nics[0].in, 5u);
  EXPECT_GT(snapshot.nics[0].out, 5u);
  EXPECT_EQ(snapshot.assets[0].vm, "dc");
  EXPECT_EQ(snapshot.duplicates, 1u) << "the segment that was sent twice, byte for byte";
}

TEST(Pipeline, EveryEventSaysWhoWroteItAndWhoseItIs) {
  EveFile eve;
  PipelineOptions options;
  options.dissectors = all_dissectors();
  options.findings.emplace().learning = 0;
  options.eve.sinks = eve.sinks();
  options.eve.host = "kvm7";
  {
    Pipeline pipeline(std::move(options));
    auto index = std::make_shared<MirrorIndex>();
    const PortKey at{"br0", "vnet3"};
    index->nics.set(at, {.at = at, .mac = mac("52:54:00:00:00:01"), .vm = "dc"});
    pipeline.watch(index);
    const std::vector<Buffer> buffers = scene();
    std::vector<Frame> frames;
    for (const Buffer& bytes : buffers) frames.push_back(frame_of(bytes, kSecond));
    pipeline.process(frames);
    pipeline.flush();
  }
  std::map<std::string, std::set<std::string>> told;  // By type of event what `vmirror` says.
  for (const std::string& line : eve.whole_lines()) {
    const boost::json::object event = boost::json::parse(line).as_object();
    EXPECT_EQ(event.at("host"), "kvm7") << line;
    const auto* mirror = event.if_contains("vmirror");
    std::string whose = "nobody's";
    if (mirror != nullptr && mirror->get_object().contains("vm")) {
      const boost::json::object& m = mirror->get_object();
      EXPECT_EQ(m.at("vm"), "dc") << line;
      EXPECT_EQ(m.at("nic"), "vnet3") << line;
      const auto* direction = m.if_contains("direction");
      whose = direction == nullptr ? "dc's" : direction->as_string().c_str();
    }
    told[event.at("event_type").as_string().c_str()].insert(whose);
  }
  const std::set<std::string> both{"in", "out"};
  EXPECT_EQ(told["modbus"], both);
  EXPECT_EQ(told["dns"], std::set<std::string>{"nobody's"}) << "of two hosts that are no guests";
  EXPECT_TRUE(told["flow"].contains("out"));
  EXPECT_TRUE(told["asset"].contains("dc's"));
  EXPECT_TRUE(told["asset"].contains("nobody's"));
  EXPECT_TRUE(told["alert"].contains("out")) << "a new device, which is the guest";
}

TEST(Pipeline, NamesItsLimitsAndTheirUse) {
  PipelineOptions options;
  options.dissectors = all_dissectors();
  options.flows.max_flows = 2;
  options.inventory.max_assets = 2;
  options.max_streams = 1;
  const EngineSnapshot snapshot = run(scene(), options).snapshot;
  const auto limit = [&](std::string_view name) {
    for (const Limit& l : snapshot.limits)
      if (l.name == name) return l;
    ADD_FAILURE() << "no limit " << name;
    return Limit{};
  };
  EXPECT_EQ(limit("flows").limit, 2u);
  EXPECT_GT(limit("flows").overflow, 0u);
  EXPECT_EQ(limit("assets").used, 2u);
  EXPECT_GT(limit("assets").overflow, 0u);
  EXPECT_GT(limit("asset_ips").used, 0u);
  EXPECT_GT(limit("fields").used, limit("records").used);
  for (const char* name : {"streams", "segments", "messages", "large_messages", "requests",
                           "fragments", "fragment_bytes", "sessions", "asset_ips", "asset_vlans",
                           "asset_properties", "fields", "records", "facts", "text_bytes"}) {
    EXPECT_GT(limit(name).limit, 0u) << name;
    EXPECT_LE(limit(name).used, limit(name).limit) << name;
  }
}

TEST(Pipeline, AScanTakesNoStreams) {
  constexpr std::uint8_t kSyn = tcp_flag::kSyn, kAck = tcp_flag::kAck;
  std::vector<Buffer> frames;
  for (std::uint16_t port = 1; port <= 100; ++port)
    frames.push_back(tcp_frame({.destination_port = port}, {.sequence = 9, .flags = kSyn}));
  const Ends up{.source_port = 40123, .destination_port = 502};
  const Buffer& request = payload("modbus", "read holding registers");
  const auto half = static_cast<std::uint16_t>(request.size() / 2);
  frames.push_back(tcp_frame(up, {.sequence = 99, .flags = kSyn}));
  frames.push_back(tcp_frame(up.reversed(), {499, 100, kSyn | kAck}));
  // The second half first: that it isn't the beginning is known from the answer to the SYN.
  frames.push_back(tcp_frame(up, {100u + half, 500}, Bytes(request).subspan(half)));
  frames.push_back(tcp_frame(up, {100, 500}, Bytes(request).first(half)));
  PipelineOptions options;
  options.dissectors = all_dissectors();
  options.max_streams = 1;
  const EngineSnapshot snapshot = run(frames, options).snapshot;
  for (const Limit& limit : snapshot.limits)
    if (limit.name == "streams") {
      EXPECT_EQ(limit.overflow, 0u);
    }
  for (const NamedCount& count : snapshot.streams)
    if (count.name == "midstream") {
      EXPECT_EQ(count.count, 0u);
    }
  for (const ProtocolSnapshot& p : snapshot.protocols)
    if (p.name == "modbus") {
      EXPECT_EQ(p.records, 1u);
    }
}

}  // namespace
}  // namespace vmirror
