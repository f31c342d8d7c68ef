// The command line as a whole: help, exit codes, and the commands that need no daemon. (Those that
// ask one are tested against a real one in tests/system.)
#include "agent/cli/command.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <span>
#include <sstream>

#include "agent/cli/offline.hpp"
#include "tests/support/captures.hpp"
#include "tests/unit/agent/cli/command_line.hpp"

namespace vmirror {
namespace {

namespace json = boost::json;
using namespace test;

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

/// The words of every command that there is, "hook install" as "hook", "install".
void collect(const CLI::App& app, std::vector<std::string> words,
             std::vector<std::vector<std::string>>& out) {
  for (const CLI::App* command : app.get_subcommands(nullptr)) {
    words.push_back(command->get_name());
    out.push_back(words);
    collect(*command, words, out);
    words.pop_back();
  }
}

TEST(CommandLine, EveryCommandHasHelpWithAnExample) {
  CLI::App app;
  std::ostringstream none;
  CommandContext context{.out = none, .err = none};
  int exit = 0;
  for (const AddCommand add : commands()) add(app, context, exit);
  std::vector<std::vector<std::string>> all;
  collect(app, {}, all);
  const std::vector<std::string> of_two{"hook", "install"};
  ASSERT_NE(std::ranges::find(all, of_two), all.end());
  for (std::vector<std::string> words : all) {
    std::string line = "vmirror";
    for (const std::string& word : words) line += " " + word;
    const bool does = std::ranges::none_of(all, [&](const auto& other) {
      return other.size() > words.size() &&
             std::ranges::equal(words, std::span(other).first(words.size()));
    });
    words.emplace_back("--help");
    const CommandOutcome o = run(words);
    EXPECT_EQ(o.exit, kOk) << line;
    EXPECT_NE(o.out.find("Example: " + line), std::string::npos) << o.out;
    EXPECT_TRUE(!does || o.out.find("--json") != std::string::npos) << line;
  }
}

TEST(CommandLine, HelpTellsEveryCommandThatHasAnExitCodeOfItsOwn) {
  const CommandOutcome o = run({"--help"});
  EXPECT_EQ(o.exit, kOk);
  for (const char* command :
       {"(sessions, status, policies, plan, apply, check, get, wait)", "(diff)", "(hook status)",
        "(cluster status)", "(pki list)", "70 a fault of vmirror"})
    EXPECT_NE(o.out.find(command), std::string::npos) << o.out;
}

TEST(CommandLine, ApplyDoesOneThing) {
  struct Case {
    std::vector<std::string> words;
    const char* why;
  };
  for (const Case& c :
       {Case{{"apply", "--remove", "dc", "--prune"}, "--remove excludes --prune"},
        Case{{"apply", "dc.yaml", "--prune"}, "FILE excludes --prune"},
        Case{{"apply", "--config", "vmirrord.yaml"}, "--config requires --prune"},
        Case{{"apply", "dc.yaml", "--config", "vmirrord.yaml"}, "--config requires --prune"},
        Case{{"apply", "--dry-run"}, "--dry-run requires FILE"},
        Case{{"apply"}, "name a policy's FILE, --remove NAME, or --prune"}}) {
    const CommandOutcome o = run(c.words);
    EXPECT_EQ(o.exit, kUsage) << c.why;
    EXPECT_NE(o.err.find(c.why), std::string::npos) << o.err;
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

TEST(CommandLine, AWrongOneSaysWhatWasMeant) {
  for (const auto& [words, meant] :
       {std::pair<std::vector<std::string>, const char*>{{"stauts"}, "status"},
        {{"sessions", "--filer", "a"}, "--filter"},
        {{"apply", "--dryrun", "x"}, "--dry-run"}}) {
    const CommandOutcome o = run(words);
    EXPECT_EQ(o.exit, kUsage);
    EXPECT_NE(o.err.find("did you mean `" + std::string(meant) + "`?"), std::string::npos) << o.err;
  }
  EXPECT_EQ(run({"xyzzy"}).err.find("did you mean"), std::string::npos);
}

TEST(CommandLine, AWrongOneNamesItsCommandAndTheWayOn) {
  for (const auto& [words, says] :
       {std::pair<std::vector<std::string>, std::string>{
            {"analyze"}, "vmirror analyze: FILE is required (see `vmirror analyze --help`)\n"},
        {{"status", "x"},
         "vmirror status: The following argument was not expected: x (see `vmirror status "
         "--help`)\n"},
        {{"sessions", "-o", "yaml"},
         "vmirror sessions: --output: `yaml` is not known: write `table`, `wide` or `json` (see "
         "`vmirror sessions --help`)\n"}})
    EXPECT_EQ(run(words).err, says);
}

TEST(CommandLine, DrainWithoutADaemonNamesTheOtherWay) {
  const CommandOutcome o = run({"drain", "--socket", "/nonexistent/c.sock"});
  EXPECT_EQ(o.exit, kFailed);
  EXPECT_NE(o.err.find("`vmirror drain --config FILE`"), std::string::npos) << o.err;
  EXPECT_EQ(run({"drain", "--undo", "--socket", "/nonexistent/c.sock"}).err.find("--config"),
            std::string::npos);
}

TEST(CommandLine, WaitSaysOnceWhyItIsNotAnswered) {
  const CommandOutcome o =
      run({"wait", "plc", "--timeout", "0.3", "--socket", "/nonexistent/c.sock"});
  EXPECT_EQ(o.exit, kFailed);
  const std::size_t first = o.err.find("; asking again\n");
  EXPECT_NE(first, std::string::npos) << o.err;
  EXPECT_EQ(o.err.find("; asking again\n", first + 1), std::string::npos) << o.err;
}

TEST(CommandLine, HelpIsACommandToo) {
  for (const std::string command : {"", "sessions", "hook"}) {
    std::vector<std::string> help{"help"}, option{"--help"};
    if (!command.empty()) help.push_back(command), option.insert(option.begin(), command);
    EXPECT_EQ(run(help).exit, kOk);
    EXPECT_EQ(run(help).out, run(option).out);
    EXPECT_NE(run(help).out.find("Example: "), std::string::npos);
  }
}

TEST(CommandLine, AnUnknownCommandIsCalledSo) {
  for (const auto& [words, says] :
       {std::pair<std::vector<std::string>, const char*>{
            {"bogus"}, "vmirror: unknown command `bogus` (`vmirror --help` lists"},
        {{"stauts", "--json"}, "unknown command `stauts`"},
        {{"hook", "bogus"}, "`vmirror hook --help`"},
        {{"hook", "instal"}, "did you mean `install`?"}}) {
    const CommandOutcome o = run(words);
    EXPECT_EQ(o.exit, kUsage);
    EXPECT_NE(o.err.find(says), std::string::npos) << o.err;
    EXPECT_EQ(o.err.find("subcommand is required"), std::string::npos) << o.err;
  }
}

TEST(CommandLine, AValueThatIsNoneIsAUsageErrorInASentence) {
  const struct {
    std::vector<std::string> words;
    const char* says;
  } cases[] = {
      {{"check", "--for", "-1"}, "`-1` is no number of seconds from 0"},
      {{"check", "--for", "inf"}, "`inf` is no number of seconds"},
      {{"check", "--expect", "htpp"}, "unknown protocol `htpp`"},
      {{"status", "--watch", "0"}, "`0` is no number of seconds above 0"},
      {{"flows", "--limit", "-1"}, "`-1` is no whole number"},
      {{"capture", "plc", "--count", "-1"}, "`-1` is no whole number"},
      {{"capture", "plc", "--for", "1e300"}, "`1e300` is no number of seconds"},
      {{"analyze", "x.pcap", "--learn", "-1"}, "`-1` is no whole number"},
      {{"analyze", "x.pcap", "--protocols", "htpp"}, "unknown protocol `htpp`"},
      {{"dissect", "x.pcap", "--protocols", "htpp"}, "unknown protocol `htpp`"},
      {{"analyze", "x.pcap", "--filter", "udp prt 53"}, "--filter: `udp prt 53`"},
      {{"wait", "plc", "--timeout", "-1"}, "`-1` is no number of seconds"},
      {{"apply", "x.yaml", "--wait", "nan"}, "`nan` is no number of seconds"},
      {{"explain", ""}, "the text is empty"},
      {{"capture", ""}, "the text is empty"},
      {{"delete", ""}, "the text is empty"},
      {{"wait", ""}, "the text is empty"},
      {{"migrations", ""}, "the text is empty"},
  };
  for (const auto& c : cases) {
    const CommandOutcome o = run(c.words);
    EXPECT_EQ(o.exit, kUsage) << c.words.front() << ": " << o.err;
    EXPECT_NE(o.err.find(c.says), std::string::npos) << o.err;
    EXPECT_LT(o.err.size(), 2000U);
  }
}

TEST(CommandLine, AFolderIsAppliedWholeAndAllItsErrorsAreTold) {
  const TempDir folder;
  const auto put = [&](const char* name, const char* text) {
    std::ofstream(folder / name) << text;
  };
  put("a.yaml", "policy: a\nselect: [{vm: plc}]\ntargets: [local]\nsnapln: 5\n");
  put("b.yaml", "policy: b\nselect: [{vm: plc}]\ntargets: [local]\n");
  put("c.yaml", "policy: c # caf\xe9\nselect: [{vm: plc}]\ntargets: [local]\n");
  put("d.yaml", "policy: d\nselect: [{vm: *}]\ntargets: [local]\n");
  for (const char* command : {"apply", "plan", "diff"}) {
    const CommandOutcome o =
        run({command, folder / "", "--json", "--socket", "/nonexistent/c.sock"});
    EXPECT_EQ(o.exit, kFailed) << command;
    const json::value said = json::parse(o.out);
    EXPECT_EQ(said.at("errors").as_array().size(), 3U) << o.out;
    EXPECT_EQ(said.at("error"), said.at("errors").at(0));
    for (const char* text : {"a.yaml:4: unknown key `snapln`", "c.yaml:1: a character that is not",
                             "d.yaml:2: not YAML"})
      EXPECT_NE(o.err.find(text), std::string::npos) << text << " in\n" << o.err;
  }
}

TEST(CommandLine, AServerThatIsMissingIsInNoCluster) {
  const TempDir folder;
  const CommandOutcome o = run({"cluster", "status", "--folder", folder / "none", "--json"});
  EXPECT_EQ(o.exit, kNotWatched) << o.err;
  EXPECT_TRUE(json::parse(o.out).as_object().contains("error")) << o.out;
}

TEST(CommandLine, AnErrorIsAnObjectWhereJsonIsAskedFor) {
  for (const auto& words : {std::vector<std::string>{"status", "--json"},
                            {"sessions", "-o", "json"},
                            {"apply", "--json"},
                            {"delete", "--json"},
                            {"explain", "-o", "json"},
                            {"stauts", "--json"}}) {
    std::vector<std::string> all = words;
    if (words.front() == "status" || words.front() == "sessions")
      all.insert(all.end(), {"--socket", "/nonexistent/c.sock"});
    const CommandOutcome o = run(all);
    EXPECT_NE(o.exit, kOk);
    EXPECT_NE(o.err, "");
    const json::value said = json::parse(o.out);
    EXPECT_FALSE(said.at("error").at("what").as_string().empty()) << o.out;
  }
}

TEST(CommandLine, WithoutADaemonSaysWhereItLooked) {
  const CommandOutcome o = run({"status", "--socket", "/nonexistent/control.sock"});
  EXPECT_EQ(o.exit, kFailed);
  EXPECT_EQ(o.out, "");
  EXPECT_NE(o.err.find("/nonexistent/control.sock"), std::string::npos);
  EXPECT_NE(o.err.find("is vmirrord running?"), std::string::npos);
}

/// `vmirror status` against a daemon that answers this.
std::string status_text(const std::string& answer) {
  const CommandOutcome o = run_against({{200, "application/json", answer}}, {"status"});
  return o.err + o.out;
}

TEST(CommandLine, AChangeIsAskedForAgainWhileTheStoreHasNoLeader) {
  const auto error = [](int status, const char* kind) {
    return HttpResponse{status, "application/json",
                        std::string(R"({"error": {"kind": ")") + kind + R"(", "what": "w"}})"};
  };
  const HttpResponse no_leader = error(503, "unreachable"), missing = error(404, "missing"),
                     bad = error(400, "invalid"),
                     done{200, "application/json", R"({"policy": "plc"})"};
  const struct {
    const char* name;
    std::vector<HttpResponse> answers;
    std::chrono::milliseconds patience;
    int exit;
    std::size_t calls;
  } cases[] = {
      {"done", {done}, std::chrono::seconds(30), kOk, 1},
      {"done after an election", {no_leader, no_leader, done}, std::chrono::seconds(30), kOk, 3},
      {"the lost attempt had done it", {no_leader, missing}, std::chrono::seconds(30), kOk, 2},
      {"nothing to delete", {missing}, std::chrono::seconds(30), kFailed, 1},
      {"another error", {no_leader, bad}, std::chrono::seconds(30), kFailed, 2},
      {"no leader for too long", {no_leader}, std::chrono::seconds(0), kFailed, 1},
  };
  for (const auto& c : cases) {
    const CommandOutcome o = run_against(c.answers, {"delete", "plc"}, c.patience);
    EXPECT_EQ(o.exit, c.exit) << c.name << ": " << o.err;
    EXPECT_EQ(o.calls, c.calls) << c.name;
  }
}

TEST(CommandLine, StatusTellsWhatIsWrongBesideTheSwitch) {
  const std::string text = status_text(R"({"host": "kvm7",
      "libvirt": {"uri": "qemu:///system", "state": "unreachable", "guests": 0,
                  "error": "no libvirtd"},
      "hook": {"calls": 3, "refused": 1, "missed": 2, "error": null},
      "migrations": {"finished": {"done": 1, "aborted": 0, "lost": 0}, "gap_frames": 0,
                     "gap_unknown": 4, "journal_error": "no room"},
      "sensor": {"vm": "sensor1", "decision": "stays", "error": "it can't be migrated"}})");
  for (const char* line :
       {"libvirt qemu:///system unreachable, 0 guests: no libvirtd\n",
        "libvirt's hook: 3 calls, 1 refused, 2 missed\n", "gap 0 frames, unknown for 4\n",
        "migrations can't be kept: no room\n", "sensor sensor1 stays: it can't be migrated\n"})
    EXPECT_NE(text.find(line), std::string::npos) << line << "in\n" << text;
}

TEST(CommandLine, StatusCountsByGrammarAndTellsThatItLearns) {
  const std::string text = status_text(R"({"host": "kvm7",
      "libvirt": {"uri": "qemu:///system", "state": "connected", "guests": 1, "error": null},
      "findings": {"begun": 1, "kinds": {}, "learning": true,
                   "learns_until": "2026-01-02T03:04:05.000000Z"}})");
  for (const char* line : {"connected, 1 guest\n", "1 finding: see `vmirror findings`\n",
                           "learning until 2026-01-02T03:04:05Z: "})
    EXPECT_NE(text.find(line), std::string::npos) << line << "in\n" << text;
}

TEST(CommandLine, FindingsOfTheFirstDayAreNotJustNone) {
  const CommandOutcome o = run_against(
      {{200, "application/json", R"({"findings": []})"},
       {200, "application/json",
        R"({"findings": {"learning": true, "learns_until": "2026-01-02T03:04:05.000000Z"}})"}},
      {"findings"});
  EXPECT_EQ(o.exit, kOk) << o.err;
  EXPECT_TRUE(o.out.starts_with("none\nlearning until 2026-01-02T03:04:05Z: ")) << o.out;
}

TEST(CommandLine, AssetsAndFlowsOfACaptureFile) {
  const TempDir folder;
  const std::string file = capture(folder);
  struct Case {
    std::vector<std::string> arguments;
    std::vector<const char*> says;
  };
  for (const Case& c : {
           Case{{"assets", file}, {"MAC", "10.0.0.1", "10.0.0.2"}},
           Case{{"assets", file, "-o", "netbox"}, {"address,status", "10.0.0.1/32"}},
           Case{{"assets", file, "--filter", "ips=10.0.0.1", "--json"}, {R"("error":null)"}},
           Case{{"flows", file}, {"CLIENT", "10.0.0.1", "ICMP"}},
           Case{{"flows", file, file, "--json"}, {R"("packets":)", R"("flows_left_out":0)"}},
       }) {
    const CommandOutcome o = run(c.arguments);
    EXPECT_EQ(o.exit, kOk) << c.arguments[0] << o.err;
    for (const char* word : c.says) EXPECT_NE(o.out.find(word), o.out.npos) << word << o.out;
  }
  for (const char* command : {"assets", "flows"}) {
    EXPECT_EQ(run({command, file + ".none"}).exit, kFailed);
    EXPECT_EQ(run({command, file, "--watch", "1"}).exit, kUsage);
    // What came before a fault is told.
    std::ifstream in(file, std::ios::binary);
    Buffer bytes(std::istreambuf_iterator<char>(in), {});
    const CommandOutcome cut =
        run({command, folder.write("cut.pcap", Bytes(bytes).first(bytes.size() - 5)), "--json"});
    EXPECT_EQ(cut.exit, kOk);
    EXPECT_NE(cut.out.find("10.0.0.1"), cut.out.npos) << cut.out;
    EXPECT_NE(cut.err.find("ends within a record"), cut.err.npos) << cut.err;
    bytes.insert(bytes.end(), 64, 0xff);
    const CommandOutcome corrupt = run({command, folder.write("corrupt.pcap", bytes), "--json"});
    EXPECT_EQ(corrupt.exit, kFailed);
    EXPECT_NE(corrupt.out.find("10.0.0.1"), corrupt.out.npos) << corrupt.out;
    EXPECT_NE(corrupt.out.find(R"("error":{)"), corrupt.out.npos) << corrupt.out;
  }
}

TEST(CommandLine, TheLargestFlowsOfAFileAreKept) {
  const TempDir folder;
  Ends other;
  other.source_port = 50000;
  const Buffer small = udp_frame({}), large = udp_frame(other, std::vector<std::uint8_t>(500));
  const std::vector<Captured> frames{{1 * kSecond, small, 0}, {2 * kSecond, large, 0}};
  const std::string file = folder.write("two.pcap", pcap(frames));
  const auto all = flows_of_files({file}), one = flows_of_files({file}, 1);
  ASSERT_TRUE(all && one);
  ASSERT_EQ(all->at("flows").as_array().size(), 2U);
  EXPECT_EQ(all->at("flows").at(0).at("src_port"), 50000) << "that of the most bytes first";
  EXPECT_EQ(one->at("flows").as_array().size(), 1U);
  EXPECT_EQ(one->at("flows").at(0), all->at("flows").at(0));
  EXPECT_EQ(one->at("flows_left_out"), 1);
}

TEST(CommandLine, MigrationsOfNobodySaySo) {
  const HttpResponse none{200, "application/json", R"({"migrations": []})"},
      places{200, "application/json",
             R"({"locations": [{"vm": "plc", "vm_uuid": "8f0c"}, {"vm": null}]})"};
  for (const auto& [vm, exit] : {std::pair{"plc", kOk},
                                 {"8f0c", kOk},
                                 {"cccccccc-0000-4000-8000-000000000001", kOk},
                                 {"plx", kFailed},
                                 {"nosuch", kFailed}}) {
    const CommandOutcome o = run_against({none, places}, {"migrations", vm});
    EXPECT_EQ(o.exit, exit) << vm << o.err;
    EXPECT_EQ(o.out, exit == kOk ? "none\n" : "") << vm;
  }
  EXPECT_NE(run_against({none, places}, {"migrations", "plx"}).err.find("did you mean `plc`?"),
            std::string::npos);
}

TEST(CommandLine, APlanOfASwitchThatCannotBeReadIsNotWell) {
  const HttpResponse error{503, "application/json",
                           R"({"error": {"kind": "unreachable", "what": "w"}})"},
      bad{200, "application/json", R"({"verdict": {"well": false}})"},
      well{200, "application/json", R"({"verdict": {"well": true}})"};
  EXPECT_EQ(run_against({error, bad}, {"plan"}).exit, kNotWatched);
  EXPECT_EQ(run_against({error, well}, {"plan"}).exit, kFailed);
  EXPECT_EQ(run({"plan", "--socket", "/nonexistent/c.sock"}).exit, kFailed) << "nobody knows";
}

TEST(CommandLine, StatusSaysNothingOfWhatIsNotThere) {
  const std::string text = status_text(R"({"host": "kvm7", "libvirt": {"state": "none"},
      "hook": null, "peers": null, "migrations": null, "sensor": {"vm": null}})");
  for (const char* word : {"libvirt", "hook", "migrations", "sensor"})
    EXPECT_EQ(text.find(word), std::string::npos) << text;
}

TEST(CommandLine, DriversNamesEach) {
  const CommandOutcome o = run({"drivers", "--json"});
  EXPECT_EQ(o.exit, kOk);
  const json::value answer = json::parse(o.out);
  std::string names;
  for (const json::value& driver : answer.at("drivers").as_array())
    names += driver.at("name").as_string().c_str() + std::string(" ");
  EXPECT_EQ(names, "ovs vsphere hyperv ");
}

TEST(CommandLine, AnalyzeTellsWhatItCounted) {
  const TempDir folder;
  const CommandOutcome o = run({"analyze", "--json", capture(folder)});
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
  const CommandOutcome o = run(
      {"analyze", "--json", "--protocols", "none", "--encapsulated-only", "--session", "8", file});
  ASSERT_EQ(o.exit, kOk) << o.err;
  const json::value report = json::parse(o.out);
  EXPECT_EQ(report.at("dropped").at("not_mirrored").to_number<int>(), 2);
  EXPECT_EQ(report.at("dropped").at("unknown_session").to_number<int>(), 1);
  EXPECT_TRUE(report.at("protocols").as_object().empty());
  const CommandOutcome wrong = run({"analyze", "--protocols", "dns,modbsu", file});
  EXPECT_EQ(wrong.exit, kUsage);
  EXPECT_NE(wrong.err.find("modbsu"), std::string::npos);
}

TEST(CommandLine, AnalyzeReadsTheFramesThatTheFilterTakes) {
  const TempDir folder;
  const std::string file = capture(folder);
  const struct {
    const char* filter;
    int packets;
  } cases[] = {{"icmp", 2}, {"proto gre", 1}, {"udp port 53", 0}};
  for (const auto& c : cases) {
    const CommandOutcome o = run({"analyze", "--json", "--filter", c.filter, file});
    ASSERT_EQ(o.exit, kOk) << o.err;
    EXPECT_EQ(json::parse(o.out).at("packets").to_number<int>(), c.packets) << c.filter;
  }
  const CommandOutcome wrong = run({"analyze", "--filter", "udp prt 53", file});
  EXPECT_EQ(wrong.exit, kUsage);
  EXPECT_NE(wrong.err.find("--filter: `udp prt 53`"), std::string::npos) << wrong.err;
}

TEST(CommandLine, AnalyzeTakesAnIdentity) {
  const TempDir folder;
  const std::string file = capture(folder);
  const auto flows = [&](const char* identity) {
    const CommandOutcome o = run({"analyze", "--json", "--identity", identity, file});
    return o.exit == kOk ? json::parse(o.out).at("flows").to_number<int>() : -1;
  };
  EXPECT_EQ(flows("vlan,overlay"), 1);
  EXPECT_EQ(flows("vlan,session"), 2) << "the copy's session";
  EXPECT_EQ(flows("vni"), -1);
}

TEST(CommandLine, DissectShowsTheFramesOfTheProtocolsThatAreNamed) {
  const TempDir folder;
  const std::string file = capture(folder);
  EXPECT_EQ(run({"dissect", "--protocols", "dns", file}).out, "");
  EXPECT_NE(run({"dissect", "--protocols", "icmp", file}).out.find("icmp"), std::string::npos);
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
  const CommandOutcome o = run({"analyze", folder / "missing.pcap"});
  EXPECT_EQ(o.exit, kFailed);
  EXPECT_NE(o.err.find("missing.pcap"), std::string::npos);
  EXPECT_EQ(run({"analyze", folder.write("empty.pcap", {})}).exit, kFailed);
}

TEST(CommandLine, DissectShowsEachFrameAndWhatWasTakenOff) {
  const TempDir folder;
  const CommandOutcome text = run({"dissect", capture(folder)});
  ASSERT_EQ(text.exit, kOk) << text.err;
  EXPECT_NE(text.out.find("10.0.0.1 > 10.0.0.2"), std::string::npos) << text.out;
  EXPECT_NE(text.out.find("out of {\"encapsulation\":\"erspan2\""), std::string::npos) << text.out;
  const CommandOutcome lines = run({"dissect", "--json", capture(folder)});
  std::istringstream in(lines.out);
  std::vector<json::value> frames;
  for (std::string line; std::getline(in, line);) frames.push_back(json::parse(line));
  ASSERT_EQ(frames.size(), 3u);
  EXPECT_EQ(frames[2].at("origin").at("session").to_number<int>(), 7);
  EXPECT_EQ(frames[1].at("records").at(0).at("icmp").at("name").as_string(), "echo_reply");
}

TEST(CommandLine, DissectNumbersFramesAsTheFileDoes) {
  const TempDir folder;
  std::vector<Captured> captured = {{0, udp_frame({}, counting(10)), 0}};
  const Buffer copy =
      outer_frame({}, ip_protocol::kGre, gre({.protocol = 0x6558}, udp_frame({}, counting(99))));
  for (const Buffer& part : fragments(copy, 40)) captured.push_back({1, part, 0});
  captured.push_back({2, hex("0102"), 0});
  captured.push_back({3, udp_frame({}, counting(10)), 0});
  const std::string file = folder.write("parts.pcap", pcap(captured));
  std::istringstream in(run({"dissect", "--json", file}).out);
  std::vector<std::size_t> numbers;
  for (std::string line; std::getline(in, line);)
    numbers.push_back(json::parse(line).at("frame").to_number<std::size_t>());
  const std::size_t last_part = captured.size() - 2;
  EXPECT_EQ(numbers, (std::vector<std::size_t>{1, last_part, captured.size()}));
}

}  // namespace
}  // namespace vmirror
