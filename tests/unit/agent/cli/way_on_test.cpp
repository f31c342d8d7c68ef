// What an answer that is not well, or not proven, tells a person to do next.
#include <gtest/gtest.h>

#include <fstream>

#include "tests/unit/agent/cli/command_line.hpp"

namespace vmirror {
namespace {

namespace json = boost::json;
using namespace test;

/// What the daemon tells of policy plc's one session, by the verdict's arrays.
HttpResponse told_of_plc(const std::string& state, const std::string& verdict) {
  return {200, "application/json",
          R"({"policy": "plc", "file": "/p/plc.yaml", "state": "in force", "in_sync": true,
              "summary": "1 NIC: )" +
              state + R"(", "sessions": [{"name": "vnet0@local", "state": ")" + state +
              R"("}], "steps": [], "unmatched": [], "policies": [], "verdict": )" + verdict + "}"};
}

constexpr const char *kFaulty = R"({"well": false, "missing": [], "not_proven": [],
    "not_watched": ["a text in any words"], "explain": "vnet0@local"})",
                     *kAbsent = R"({"well": false, "not_watched": [], "not_proven": [],
    "missing": ["a text in any words"], "explain": "plc"})",
                     *kUnreadable = R"({"well": false, "not_watched": [], "not_proven": [],
    "missing": ["policy x is not what this is about"], "explain": null})",
                     *kUnproven = R"({"well": true, "not_watched": [], "missing": [],
    "not_proven": ["vnet0@local is ready, not traced: silent"], "explain": null})",
                     *kProven = R"({"well": true, "not_watched": [], "missing": [],
    "not_proven": [], "explain": null})";

TEST(WayOn, EveryAnswerThatIsNotWellNamesTheWayOn) {
  const TempDir folder;
  const std::string file = folder / "plc.yaml";
  std::ofstream(file) << "policy: plc\nselect: [{vm: plc}]\ntargets: [local]\n";
  for (const auto& words :
       {std::vector<std::string>{"sessions"}, {"status"}, {"policies"}, {"plan"}, {"apply", file}})
    for (const auto& [verdict, way] : {std::pair{kFaulty, "see `vmirror explain vnet0@local`\n"},
                                       {kAbsent, "see `vmirror explain plc`\n"},
                                       {kUnreadable, ""},
                                       {kProven, ""}}) {
      const CommandOutcome o = run_against({told_of_plc("failed", verdict)}, words);
      EXPECT_EQ(o.exit, verdict == kProven ? kOk : kNotWatched) << words.front() << o.err;
      EXPECT_NE(o.out.find(way), std::string::npos) << words.front() << ":\n" << o.out;
      EXPECT_EQ(o.out.find("vmirror explain") == std::string::npos, *way == 0) << o.out;
      std::vector<std::string> as_json = words;
      as_json.emplace_back("--json");
      EXPECT_NO_THROW(
          (void)json::parse(run_against({told_of_plc("failed", verdict)}, as_json).out));
    }
}

TEST(WayOn, ApplySaysThatTheProofIsOpenAndWaitsForItWhereAsked) {
  const TempDir folder;
  const std::string file = folder / "plc.yaml";
  std::ofstream(file) << "policy: plc\nselect: [{vm: plc}]\ntargets: [local]\n";
  const HttpResponse pending = told_of_plc("pending", kUnproven),
                     ready = told_of_plc("ready", kUnproven),
                     proven = told_of_plc("active", kProven);
  const std::string way = "`vmirror apply --proven --wait 60 " + file + "` waits for the proof";
  const struct {
    const char* name;
    std::vector<HttpResponse> answers;
    std::vector<std::string> more;
    int exit;
    std::size_t calls;
    bool says;
  } cases[] = {
      {"ends before the proof", {ready}, {}, kOk, 1, true},
      {"is proven", {proven}, {}, kOk, 1, false},
      {"the time ends while it waits", {pending}, {"--wait", "0"}, kOk, 1, true},
      {"waits for the proof", {pending, ready, proven}, {"--proven"}, kOk, 3, false},
      {"no proof in time", {ready}, {"--proven", "--wait", "0"}, kNotWatched, 1, true},
  };
  for (const auto& c : cases) {
    std::vector<std::string> words{"apply", file};
    words.insert(words.end(), c.more.begin(), c.more.end());
    const CommandOutcome o = run_against(c.answers, words);
    EXPECT_EQ(o.exit, c.exit) << c.name << o.err;
    EXPECT_EQ(o.calls, c.calls) << c.name;
    EXPECT_EQ(o.out.find("1 session is not proven yet") != std::string::npos, c.says) << o.out;
    EXPECT_EQ(o.out.find(way) != std::string::npos, c.says) << c.name << o.out;
  }
  const CommandOutcome store = run({"apply", "--proven", "--store", folder / "store.yaml", file});
  EXPECT_EQ(store.exit, kUsage);
  EXPECT_NE(store.err.find("vmirror wait plc --for proven"), std::string::npos) << store.err;
}

TEST(WayOn, APlanTellsTheRemedyOfWhatIsRefused) {
  const TempDir folder;
  const std::string file = folder / "plc.yaml";
  std::ofstream(file) << "policy: plc\nselect: [{vm: plc}]\ntargets: [local]\n";
  const CommandOutcome o =
      run_against({{200, "application/json",
                    R"({"well": false, "policies": [], "goes": [], "steps": [], "sessions": [
            {"name": "a@x", "change": "refused", "reason": "no", "remedy": "write it anew"},
            {"name": "b@x", "change": "refused", "reason": "no", "remedy": "write it anew"},
            {"name": "c@x", "change": "new", "reason": "", "remedy": null}]})"}},
                  {"plan", file});
  const std::string line = "remedy of a@x: write it anew\n";
  EXPECT_NE(o.out.find(line), std::string::npos) << o.out;
  EXPECT_EQ(o.out.find("remedy of b@x"), std::string::npos) << "told once\n" << o.out;
}

}  // namespace
}  // namespace vmirror
