// Golden captures: each cases/NAME.pcap through the production pipeline; what it says must be
// cases/NAME.golden. VMIRROR_UPDATE_GOLDEN=1 writes that file instead. README.md says how to add
// one.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "agent/engine/worker/json.hpp"
#include "tests/golden/captures.hpp"
#include "tests/support/encapsulate.hpp"
#include "tests/support/source_tree.hpp"

namespace vmirror {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using Lines = std::vector<std::string>;

const fs::path kCases = VMIRROR_GOLDEN_CASES;

std::string bytes_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

Lines lines_of(const fs::path& path) {
  Lines out;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) out.push_back(line);
  return out;
}

/// Every *.pcap of the cases and of the protocols, by name.
std::vector<std::string> names() {
  std::vector<std::string> out;
  const auto add = [&](const fs::path& folder) {
    for (const auto& entry : fs::directory_iterator(folder))
      if (entry.path().extension() == ".pcap") out.push_back(entry.path().stem());
  };
  add(kCases);
  for (const auto& protocol : fs::directory_iterator(test::source_tree() / "tests/protocols"))
    add(protocol.path());
  std::sort(out.begin(), out.end());
  return out;
}

json::object counts_of(const std::vector<NamedCount>& counts) {
  json::object out;
  for (const NamedCount& count : counts)
    if (count.count > 0) out[count.name] = count.count;
  return out;
}

/// Counters, one object a line; those that are zero are left out.
void add_counters(Lines& out, const EngineSnapshot& snapshot) {
  const auto add = [&](const char* what, json::object object) {
    if (!object.empty()) out.push_back(json::serialize(json::object{{what, std::move(object)}}));
  };
  const InputSnapshot& input = snapshot.inputs.front();
  add("frames", to_json(input.frames));
  json::object decapsulated;
  for (std::size_t i = 0; i < input.decapsulated.size(); ++i)
    if (input.decapsulated[i] > 0)
      decapsulated[to_text(static_cast<Encapsulation>(i))] = input.decapsulated[i];
  add("decapsulated", std::move(decapsulated));
  for (const SessionCounters& session : input.sessions) add("session", to_json(session));
  for (const ProtocolSnapshot& p : snapshot.protocols)
    if (p.records + p.malformed + p.cut > 0)
      add(p.name.c_str(), {{"records", p.records}, {"malformed", p.malformed}, {"cut", p.cut}});
  for (const Finding& finding : snapshot.findings) add("finding", to_json(finding));
  add("errors", counts_of(snapshot.errors));
  add("streams", counts_of(snapshot.streams));
  add("flows", {{"started", snapshot.flows_started}});
  for (std::string warning : input.warnings) {
    if (const std::size_t at = warning.find(".pcap"); at != warning.npos)
      warning.erase(0, warning.rfind('/', at) + 1);
    add("warning", {{"text", warning}});
  }
  if (input.error) add("error", {{"what", input.error->what}});
}

/// All that the engine says of a capture.
Lines told(const fs::path& capture) {
  const test::TempDir folder;
  const std::string eve = folder / "eve.json";
  const std::string all[] = {"all"};
  SinkOptions to_file{FileOutput{.path = eve, .max_bytes = 0}};
  to_file.drain = std::chrono::minutes(1);
  auto sink = LineSinks::open({to_file}).value();
  PipelineOptions options;
  options.input_name = "golden";
  options.decap.rspan_vlan = test::kRspanVlan;
  options.dissectors = std::make_shared<const Dissectors>(Dissectors::select(all).value());
  options.eve.sinks = sink.get();
  if (capture.stem().string().starts_with(test::kFinding)) {
    options.findings.emplace();
    options.findings->learning = test::kFindingsLearn;
  }
  const std::string files[] = {capture};
  const auto report = analyze(files, std::move(options));
  if (!report) return {report.error().text()};
  sink->stop();
  EXPECT_EQ(sink->status().front().lost_total(), 0u);
  EXPECT_TRUE(report->snapshot.frames().balanced());
  Lines out = lines_of(eve);
  add_counters(out, report->snapshot);
  return out;
}

/// The first line that differs, with the two before it, and where the two begin to part; empty
/// where all are the same.
std::string difference(const Lines& expected, const Lines& actual) {
  const auto at = static_cast<std::size_t>(
      std::mismatch(expected.begin(), expected.end(), actual.begin(), actual.end()).first -
      expected.begin());
  if (at == expected.size() && at == actual.size()) return {};
  std::string out = "line " + std::to_string(at + 1) + ":\n";
  for (std::size_t i = at < 2 ? 0 : at - 2; i < at; ++i) out += "  " + expected[i] + "\n";
  const std::string before = at < expected.size() ? expected[at] : "(the end)";
  const std::string now = at < actual.size() ? actual[at] : "(the end)";
  out += "- " + before + "\n+ " + now + "\n";
  const auto part = static_cast<std::size_t>(
      std::mismatch(before.begin(), before.end(), now.begin(), now.end()).first - before.begin());
  return out + "from there on: `" + before.substr(part, 60) + "`, now `" + now.substr(part, 60) +
         "`\n";
}

class Golden : public testing::TestWithParam<std::string> {};

TEST_P(Golden, SaysTheSame) {
  const std::string place = test::place_of(GetParam());
  const fs::path golden = place + ".golden";
  const Lines actual = told(place + ".pcap");
  if (std::getenv("VMIRROR_UPDATE_GOLDEN") != nullptr) {
    std::ofstream file(golden);
    for (const std::string& line : actual) file << line << "\n";
    ASSERT_TRUE(file.flush()) << golden;
    return;
  }
  ASSERT_TRUE(fs::exists(golden)) << "no " << golden << " (VMIRROR_UPDATE_GOLDEN=1 writes it)";
  const std::string found = difference(lines_of(golden), actual);
  EXPECT_TRUE(found.empty()) << GetParam() << ".golden, " << found
                             << "(VMIRROR_UPDATE_GOLDEN=1 writes what the engine says now)";
}

INSTANTIATE_TEST_SUITE_P(Captures, Golden, testing::ValuesIn(names()),
                         [](const auto& info) { return info.param; });

TEST(Captures, AreThoseThatTheBuildersMake) {
  std::vector<std::string> made;
  for (const test::Capture& capture : test::golden_captures()) {
    made.push_back(capture.name);
    EXPECT_TRUE(bytes_of(test::place_of(capture.name).string() + ".pcap") ==
                std::string(capture.file.begin(), capture.file.end()))
        << capture.name << ".pcap is not what is made now (make_golden writes it)";
  }
  std::sort(made.begin(), made.end());
  EXPECT_EQ(names(), made);
}

TEST(Difference, ShowsTheFirstLineThatDiffers) {
  EXPECT_EQ(difference({"a", "b"}, {"a", "b"}), "");
  EXPECT_EQ(difference({"a", "b", "c", "d 1"}, {"a", "b", "c", "d 2", "e"}),
            "line 4:\n  b\n  c\n- d 1\n+ d 2\nfrom there on: `1`, now `2`\n");
  EXPECT_EQ(difference({"a"}, {"a", "b"}),
            "line 2:\n  a\n- (the end)\n+ b\nfrom there on: `(the end)`, now `b`\n");
  EXPECT_EQ(difference({"a"}, {}),
            "line 1:\n- a\n+ (the end)\nfrom there on: `a`, now `(the end)`\n");
}

}  // namespace
}  // namespace vmirror
