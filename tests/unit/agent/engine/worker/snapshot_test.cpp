// Merging the snapshots of workers; capture files through analyze; the JSON of both.
#include "agent/engine/worker/snapshot.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "agent/engine/worker/json.hpp"
#include "tests/support/captures.hpp"
#include "tests/unit/agent/engine/worker/scene.hpp"

namespace vmirror {
namespace {

using namespace test;

EngineCounters part(const char* input, std::uint64_t bytes) {
  EngineCounters s;
  s.time = static_cast<Time>(bytes);
  InputSnapshot& in = s.inputs.emplace_back();
  in.name = input;
  in.frames.received = in.frames.analysed = bytes;
  SessionCounters session;
  session.session = 5;
  session.received = bytes;
  in.sessions.push_back(session);
  s.flows_started = 1;
  s.protocols.push_back({"dns", bytes, 1, 0});
  s.errors.push_back({"ip_version", bytes});
  s.limits.push_back({"flows", "flows", 100, bytes, 1});
  s.limits.push_back({"asset_ips", "IP addresses of an asset", 32, bytes, 1, true});
  return s;
}

/// As workers hand it out.
template <typename Slice>
std::shared_ptr<const Slice> of(Slice slice) {
  return std::make_shared<const Slice>(std::move(slice));
}

TEST(Snapshot, MergesWorkersByInput) {
  const std::shared_ptr<const EngineCounters> parts[] = {of(part("mon0", 10)), of(part("mon1", 30)),
                                                         of(part("mon0", 20))};
  const EngineCounters all = merge(parts);
  EXPECT_EQ(all.time, 10) << "all of it is of then or later";
  ASSERT_EQ(all.inputs.size(), 2u);
  EXPECT_EQ(all.inputs[0].frames.received, 30u);
  EXPECT_EQ(all.inputs[0].workers, 2);
  ASSERT_EQ(all.inputs[0].sessions.size(), 1u);
  EXPECT_EQ(all.inputs[0].sessions[0].received, 30u);
  EXPECT_EQ(all.frames().received, 60u);
  EXPECT_EQ(all.flows_started, 3u);
  EXPECT_EQ(all.protocols, (std::vector<ProtocolSnapshot>{{"dns", 60, 3, 0}}));
  EXPECT_EQ(all.errors, (std::vector<NamedCount>{{"ip_version", 60}}));
  ASSERT_EQ(all.limits.size(), 2u);
  EXPECT_EQ(all.limits[0].limit, 300u);
  EXPECT_EQ(all.limits[0].used, 60u);
  EXPECT_EQ(all.limits[1].limit, 32u) << "each worker's asset may have so many";
  EXPECT_EQ(all.limits[1].used, 30u);
  EXPECT_EQ(all.limits[1].overflow, 3u);
}

TEST(Snapshot, MergesTheGreatestFlows) {
  const auto with = [](std::vector<std::uint64_t> bytes, Time from, Time to) {
    TopFlows out{from, to, {}, 0};
    for (const std::uint64_t n : bytes) out.flows.emplace_back().bytes[1] = n;
    return of(std::move(out));
  };
  const std::shared_ptr<const TopFlows> parts[] = {with({30, 10}, 5, 6), nullptr,
                                                   with({20, 5}, 3, 9)};
  const TopFlows all = merge(parts, 3);
  ASSERT_EQ(all.flows.size(), 3u);
  EXPECT_EQ(all.flows[0].bytes[1], 30u);
  EXPECT_EQ(all.flows[1].bytes[1], 20u);
  EXPECT_EQ(all.flows[2].bytes[1], 10u);
  EXPECT_EQ(all.from, 3);
  EXPECT_EQ(all.to, 9);
  EXPECT_EQ(all.workers_missing, 1);
}

TEST(Snapshot, MergesAssetsByMac) {
  const auto asset = [](const char* mac_text, std::uint64_t packets) {
    Asset out;
    out.mac = mac(mac_text);
    out.first = out.last = static_cast<Time>(packets);
    out.ips = {ip("10.0.0.1")};
    out.vlans = {static_cast<std::uint16_t>(packets)};
    out.packets = packets;
    return out;
  };
  constexpr const char *kOne = "52:54:00:00:00:01", *kTwo = "52:54:00:00:00:02";
  const std::shared_ptr<const AssetList> parts[] = {
      of(AssetList{4, 5, {asset(kTwo, 7), asset(kOne, 10)}, 0}),
      of(AssetList{1, 2, {asset(kOne, 30)}, 0}), nullptr,
      // It gave way and came back while the worker told: its later state alone.
      of(AssetList{1, 2, {asset(kOne, 5), asset(kOne, 20)}, 0})};
  const AssetList all = merge(parts);
  ASSERT_EQ(all.assets.size(), 2u);
  EXPECT_EQ(all.assets[0].packets, 60u);
  EXPECT_EQ(all.assets[0].ips.size(), 1u);
  EXPECT_EQ(all.assets[0].vlans, (std::vector<std::uint16_t>{10, 20, 30}));
  EXPECT_EQ(all.assets[0].first, 10);
  EXPECT_EQ(all.assets[0].last, 30);
  EXPECT_EQ(all.assets[1].packets, 7u);
  EXPECT_EQ(all.from, 1);
  EXPECT_EQ(all.to, 5);
  EXPECT_EQ(all.workers_missing, 1);
  const std::shared_ptr<const KnownAssets> macs[] = {
      of(KnownAssets{{{mac(kOne)}, {mac(kTwo)}}}), nullptr,
      of(KnownAssets{{{mac(kTwo)}, {mac(kTwo), 1}}})};
  EXPECT_EQ(distinct(macs), 3u) << "one MAC of two scopes is two assets";
}

TEST(Snapshot, ClaimsNoLossWhereWorkersShareASendersNumbers) {
  const auto with = [](std::uint32_t session, SequenceRule rule) {
    EngineCounters s = part("mon0", 10);
    SessionCounters& counters = s.inputs[0].sessions[0];
    counters = {};
    counters.encapsulation = Encapsulation::erspan2;
    counters.session = session;
    counters.rule = rule;
    counters.sequence.lost = 7;
    return of(std::move(s));
  };
  const struct {
    const char* name;
    std::vector<std::shared_ptr<const EngineCounters>> workers;
    SequenceRule rule;  ///< Of all sessions.
  } cases[] = {
      {"one worker", {with(1, SequenceRule::session)}, SequenceRule::session},
      {"one session, two workers",
       {with(1, SequenceRule::session), with(1, SequenceRule::session)},
       SequenceRule::open},
      {"a session each",
       {with(1, SequenceRule::session), with(2, SequenceRule::session)},
       SequenceRule::open},
      {"the other's has no numbers",
       {with(1, SequenceRule::none), with(1, SequenceRule::session)},
       SequenceRule::session},
      {"no numbers",
       {with(1, SequenceRule::none), with(1, SequenceRule::none)},
       SequenceRule::none},
  };
  for (const auto& c : cases) {
    const EngineCounters merged = merge(c.workers);
    for (const SessionCounters& s : merged.inputs[0].sessions) EXPECT_EQ(s.rule, c.rule) << c.name;
  }
}

/// A capture file that goes with the test.
struct File {
  std::string path;
  explicit File(Bytes bytes, const char* name = "a")
      : path((std::filesystem::temp_directory_path() /
              ("vmirror-analyze-" + std::to_string(getpid()) + name))
                 .string()) {
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
  }
  ~File() { std::filesystem::remove(path); }
};

std::vector<Captured> captured(Time start) {
  std::vector<Captured> out;
  for (const Buffer& bytes : scene()) out.push_back({start += kMillisecond, bytes, 0});
  return out;
}

TEST(Analyze, ReadsFilesInOrderAsOne) {
  const File first(pcap(captured(kSecond)), "a"), second(pcap(captured(2 * kSecond)), "b");
  PipelineOptions options;
  options.dissectors = all_dissectors();
  const std::string one[] = {first.path}, two[] = {first.path, second.path};
  const auto single = analyze(one, options), both = analyze(two, options);
  ASSERT_TRUE(single && both);
  EXPECT_EQ(single->packets, scene().size());
  EXPECT_EQ(both->packets, 2 * scene().size());
  EXPECT_LT(both->flows, 2 * single->flows) << "flows go on over the files";
  EXPECT_EQ(both->snapshot.flows_active, 0u);

  const boost::json::object json = to_json(*both);
  EXPECT_EQ(json.at("packets"), both->packets);
  EXPECT_EQ(json.at("bytes"), both->bytes);
  EXPECT_EQ(json.at("flows"), both->flows);
  EXPECT_EQ(json.at("assets"), both->snapshot.assets.size());
  EXPECT_EQ(json.at("protocols").at("modbus"), 4u);
  EXPECT_EQ(json.at("dropped"), boost::json::object{});
  EXPECT_EQ(json.at("decapsulated"),
            (boost::json::object{
                {"erspan", 0u}, {"gre", 0u}, {"vxlan", 0u}, {"geneve", 0u}, {"rspan", 0u}}));
  EXPECT_GT(json.at("cpu_seconds").as_double(), 0);
}

TEST(Analyze, TellsOfAFileThatBreaksOff) {
  Buffer bytes = pcap(captured(kSecond));
  bytes.resize(bytes.size() - 5);
  const File file(bytes);
  const std::string files[] = {file.path};
  const auto report = analyze(files, {});
  ASSERT_TRUE(report);
  EXPECT_EQ(report->packets, scene().size());
  const FrameCounters frames = report->snapshot.frames();
  EXPECT_EQ(frames.dropped[static_cast<std::size_t>(Drop::capture_truncated)], 1u);
  EXPECT_TRUE(frames.balanced());
  EXPECT_EQ(to_json(*report).at("dropped"), (boost::json::object{{"capture_truncated", 1u}}));
}

TEST(Analyze, RefusesWhatIsNoCapture) {
  const File text(test::text("this is no capture, whatever its name"));
  for (const std::string& path : {text.path, std::string("/nonexistent.pcap")}) {
    const std::string files[] = {path};
    const auto report = analyze(files, {});
    ASSERT_FALSE(report);
    EXPECT_NE(report.error().text().find(path), std::string::npos) << "the file is named";
  }
}

TEST(Json, SnapshotHasEveryPart) {
  PipelineOptions options;
  options.dissectors = all_dissectors();
  const boost::json::object json = to_json(run(scene(), options).snapshot);
  for (const char* key : {"time", "last_frame", "frames", "inputs", "flows", "assets", "protocols",
                          "errors", "streams", "nics", "duplicates", "limits"})
    EXPECT_TRUE(json.contains(key)) << key;
  EXPECT_EQ(json.at("inputs").at(0).at("name"), "input");
  EXPECT_EQ(json.at("assets").at(0).at("mac"), "52:54:00:00:00:01");
  EXPECT_EQ(json.at("protocols").at("arp").at("records"), 2u);
}

}  // namespace
}  // namespace vmirror
