// The command line as a whole: help, exit codes, and the commands that need no daemon. (Those that
// ask one are tested against a real one in tests/system.)
#include "agent/cli/command.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <sstream>

#include "tests/support/captures.hpp"

namespace vmirror {
namespace {

namespace json = boost::json;
using namespace test;

struct Outcome {
  int exit = 0;
  std::string out, err;
};

Outcome run(std::vector<std::string> arguments) {
  std::ostringstream out, err;
  CommandContext context{.out = out, .err = err};
  const int exit = run_command_line(std::move(arguments), context);
  return {exit, out.str(), err.str()};
}

/// A ping and its answer, bare and as ERSPAN II.
std::string capture(const TempDir& folder) {
  std::vector<Captured> frames;
  const Buffer ping = ping_frame({}), pong = ping_frame(Ends{}.reversed(), 1, true);
  frames.push_back({1 * kSecond, ping, 0});
  frames.push_back({2 * kSecond, pong, 0});
  frames.push_back(
      {3 * kSecond,
       outer_frame({}, ip_protocol::kGre,
                   gre({.protocol = 0x88be, .sequence = 1}, erspan2({.session = 7}, ping))),
       0});
  return folder.write("mirror.pcap", pcap(frames));
}

TEST(CommandLine, EveryCommandHasHelpWithAnExample) {
  for (const char* name : {"status", "sessions", "locations", "migrations", "assets", "flows",
                           "explain", "plan", "apply", "dissect", "analyze", "drivers"}) {
    const Outcome o = run({name, "--help"});
    EXPECT_EQ(o.exit, kOk) << name;
    EXPECT_NE(o.out.find("Example: vmirror " + std::string(name)), std::string::npos) << o.out;
    EXPECT_NE(o.out.find("--json"), std::string::npos) << name;
  }
}

TEST(CommandLine, AWrongOneIsAUsageError) {
  EXPECT_EQ(run({}).exit, kUsage);
  EXPECT_EQ(run({"stauts"}).exit, kUsage);
  EXPECT_EQ(run({"status", "--josn"}).exit, kUsage);
  EXPECT_EQ(run({"explain"}).exit, kUsage);
  EXPECT_EQ(run({"apply"}).exit, kUsage);
  EXPECT_EQ(run({"analyze"}).exit, kUsage);
}

TEST(CommandLine, WithoutADaemonSaysWhereItLooked) {
  const Outcome o = run({"status", "--socket", "/nonexistent/control.sock"});
  EXPECT_EQ(o.exit, kFailed);
  EXPECT_EQ(o.out, "");
  EXPECT_NE(o.err.find("/nonexistent/control.sock"), std::string::npos);
  EXPECT_NE(o.err.find("is vmirrord running?"), std::string::npos);
}

TEST(CommandLine, DriversNamesWhatIsNotSupported) {
  const Outcome o = run({"drivers", "--json"});
  EXPECT_EQ(o.exit, kOk);
  const json::value answer = json::parse(o.out);
  for (const json::value& driver : answer.at("drivers").as_array())
    EXPECT_EQ(driver.at("supported").as_bool(), driver.at("name").as_string() == "ovs");
}

TEST(CommandLine, AnalyzeTellsWhatItCounted) {
  const TempDir folder;
  const Outcome o = run({"analyze", "--json", capture(folder)});
  ASSERT_EQ(o.exit, kOk) << o.err;
  const json::value report = json::parse(o.out);
  EXPECT_EQ(report.at("packets").to_number<int>(), 3);
  EXPECT_EQ(report.at("flows").to_number<int>(), 1) << "the copy is of the same flow";
  EXPECT_EQ(report.at("assets").to_number<int>(), 2);
  EXPECT_EQ(report.at("decapsulated").at("erspan").to_number<int>(), 1);
  EXPECT_TRUE(report.at("dropped").as_object().empty());
  EXPECT_EQ(report.at("protocols").at("icmp").to_number<int>(), 3);
  EXPECT_GE(report.at("cpu_seconds").to_number<double>(), 0.0);
}

TEST(CommandLine, AnalyzeTakesSessionsAndProtocolsAsAsked) {
  const TempDir folder;
  const std::string file = capture(folder);
  const Outcome o = run(
      {"analyze", "--json", "--protocols", "none", "--encapsulated-only", "--session", "8", file});
  ASSERT_EQ(o.exit, kOk) << o.err;
  const json::value report = json::parse(o.out);
  EXPECT_EQ(report.at("dropped").at("not_mirrored").to_number<int>(), 2);
  EXPECT_EQ(report.at("dropped").at("unknown_session").to_number<int>(), 1);
  EXPECT_TRUE(report.at("protocols").as_object().empty());
  const Outcome wrong = run({"analyze", "--protocols", "dns,modbsu", file});
  EXPECT_EQ(wrong.exit, kFailed);
  EXPECT_NE(wrong.err.find("modbsu"), std::string::npos);
}

TEST(CommandLine, AnalyzeWritesEvents) {
  const TempDir folder;
  const std::string eve = folder / "eve.json";
  ASSERT_EQ(run({"analyze", "--eve", eve, capture(folder)}).exit, kOk);
  std::ifstream in(eve);
  std::map<std::string, int> types;
  for (std::string line; std::getline(in, line);)
    ++types[std::string(json::parse(line).at("event_type").as_string())];
  EXPECT_EQ(types["icmp"], 3);
  EXPECT_EQ(types["flow"], 1);
  EXPECT_EQ(types["asset"], 4) << "when it is first seen, and at the end";
}

TEST(CommandLine, AnalyzeRefusesWhatIsNoCapture) {
  const TempDir folder;
  const Outcome o = run({"analyze", folder / "missing.pcap"});
  EXPECT_EQ(o.exit, kFailed);
  EXPECT_NE(o.err.find("missing.pcap"), std::string::npos);
  EXPECT_EQ(run({"analyze", folder.write("empty.pcap", {})}).exit, kFailed);
}

TEST(CommandLine, DissectShowsEachFrameAndWhatWasTakenOff) {
  const TempDir folder;
  const Outcome text = run({"dissect", capture(folder)});
  ASSERT_EQ(text.exit, kOk) << text.err;
  EXPECT_NE(text.out.find("10.0.0.1 > 10.0.0.2"), std::string::npos) << text.out;
  EXPECT_NE(text.out.find("out of {\"encapsulation\":\"erspan2\""), std::string::npos) << text.out;
  const Outcome lines = run({"dissect", "--json", capture(folder)});
  std::istringstream in(lines.out);
  std::vector<json::value> frames;
  for (std::string line; std::getline(in, line);) frames.push_back(json::parse(line));
  ASSERT_EQ(frames.size(), 3u);
  EXPECT_EQ(frames[2].at("origin").at("session").to_number<int>(), 7);
  EXPECT_EQ(frames[1].at("records").at(0).at("icmp").at("name").as_string(), "echo_reply");
}

}  // namespace
}  // namespace vmirror
