// What an agent writes of its host: news only, at a bounded pace, and only what the server knows.
#include "agent/control/store/report.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "agent/control/store/kept.hpp"
#include "agent/control/store/link.hpp"
#include "tests/unit/agent/control/store/rows.hpp"

namespace vmirror {
namespace {

SessionStatus session(const std::string& name, SessionState state, const std::string& reason) {
  SessionStatus out;
  out.name = name;
  out.state = state;
  out.reason = reason;
  out.policy = "p+q";
  out.port = "vnet0";
  out.since = 5 * kSecond;
  return out;
}

ControlSnapshot control_of(const std::vector<SessionStatus>& sessions) {
  ControlSnapshot out;
  out.observed = std::make_shared<Observed>();
  for (const SessionStatus& s : sessions) out.sessions.set(s.name, s);
  return out;
}

HostReport report(const ControlSnapshot& control, std::int64_t generation = 3) {
  return report_of({.host = "a",
                    .driver = "ovs",
                    .version = "1",
                    .control = control,
                    .policies = {},
                    .generation = generation});
}

/// "insert Host", "write Session state", ...
std::vector<std::string> told(const ovsdb::Transaction& transaction) {
  const auto tables = store::schema().tables;
  std::vector<std::string> out;
  for (const ovsdb::Operation& operation : transaction) {
    if (const auto* o = std::get_if<ovsdb::Insert>(&operation))
      out.push_back("insert " + tables[o->table].name);
    if (const auto* o = std::get_if<ovsdb::Write>(&operation)) {
      out.push_back("write " + tables[o->table].name);
      for (const auto& [column, value] : o->columns)
        out.back() += " " + tables[o->table].columns[column].name;
    }
    if (const auto* o = std::get_if<ovsdb::Delete>(&operation))
      out.push_back("delete " + tables[o->table].name);
  }
  return out;
}

using Texts = std::vector<std::string>;

TEST(Report, NewsAreWrittenAndNumbersAreNone) {
  const auto pending = session("s", SessionState::pending, "port moved 12 frames, 9%");
  struct Case {
    const char* what;
    std::vector<SessionStatus> then;
    std::int64_t generation;
    Texts writes;
  };
  auto later = pending;
  later.reason = "port moved 2345 frames, 71%";
  later.since = 9 * kSecond;
  later.port_frames = 99;
  later.copied_frames = 98;
  auto otherwise = pending;
  otherwise.reason = "port moved 12 packets";
  auto active = pending;
  active.state = SessionState::active;
  const Case cases[] = {
      {"nothing", {pending}, 3, {}},
      {"counters and times", {later}, 3, {}},
      {"another reason", {otherwise}, 3, {"write Session reason"}},
      {"another state", {active}, 3, {"write Session state proof"}},
      {"another generation", {pending}, 4, {"write Host generation"}},
      {"gone", {}, 3, {"delete Session"}},
      {"one more", {pending, session("t", SessionState::ready, "")}, 3, {"insert Session"}},
  };
  for (const Case& c : cases) {
    test::StoreRows rows;
    rows.carry_out(changes(report(control_of({pending})), rows.snapshot()));
    EXPECT_EQ(told(changes(report(control_of(c.then), c.generation), rows.snapshot())), c.writes)
        << c.what;
  }
}

TEST(Report, ASwitchThatWasNotReadYetIsNoWordOfItsSessions) {
  test::StoreRows rows;
  rows.carry_out(
      changes(report(control_of({session("s", SessionState::active, "")})), rows.snapshot()));
  ControlSnapshot started = control_of({});
  started.observed = nullptr;
  EXPECT_EQ(told(changes(report(started), rows.snapshot())), Texts{"write Host fault"});
}

TEST(Report, OtherHostsRowsAreLeftAlone) {
  test::StoreRows rows;
  rows.add(store::kHost, {{store::host::kName, ovsdb::Datum("b")}});
  rows.add(store::kSession, {{store::session::kHost, ovsdb::Datum("b")},
                             {store::session::kName, ovsdb::Datum("s")}});
  EXPECT_EQ(told(changes(report(control_of({})), rows.snapshot())), Texts{"insert Host"});
}

TEST(Report, AColumnThatAnOlderServerLacksIsNotWrittenAndIsNoNews) {
  test::StoreRows rows;
  rows.without(store::kSession, store::session::kProof);
  rows.without(store::kHost, store::host::kCapabilities);
  const HostReport is = report(control_of({session("s", SessionState::active, "")}));
  const auto first = changes(is, rows.snapshot());
  ASSERT_EQ(told(first), (Texts{"insert Host", "insert Session"}));
  for (const ovsdb::Operation& operation : first) {
    const auto& insert = std::get<ovsdb::Insert>(operation);
    const std::size_t lacks = insert.table == store::kHost ? std::size_t{store::host::kCapabilities}
                                                           : std::size_t{store::session::kProof};
    for (const auto& [column, value] : insert.columns) EXPECT_NE(column, lacks);
  }
  rows.carry_out(first);
  EXPECT_TRUE(changes(is, rows.snapshot()).empty());
}

TEST(Report, TellsAllPoliciesOfASessionAndWhyTheHostDoesNotFollow) {
  auto control = control_of({session("s", SessionState::active, "x")});
  HostReport is = report(control);
  EXPECT_EQ(is.sessions.at("s").policies, (std::set<std::string>{"p", "q"}));
  EXPECT_EQ(is.host.fault, "");
  EXPECT_EQ(is.host.generation, 3);
  control.observe_error = Error{Error::Kind::unreachable, "gone", "", ""};
  EXPECT_NE(report(control).host.fault.find("gone"), std::string::npos);
  const PolicyFile bad{place_in_store("q"), {}, Error{Error::Kind::invalid, "no", "", ""}};
  is = report_of({.host = "a",
                  .driver = "",
                  .version = "",
                  .control = control,
                  .policies = {&bad, 1},
                  .generation = 1,
                  .drained = true});
  EXPECT_EQ(is.host.refused.size(), 1U);
  EXPECT_TRUE(is.host.refused.contains("q"));
  EXPECT_TRUE(is.host.fault.starts_with("drained"));
}

TEST(Report, WhatAGuestNamesIsValidAndBounded) {
  const std::string name = "vnet\xff";
  auto odd = session(name, SessionState::failed, std::string(2000, 'x'));
  odd.vm = "\xc3";
  const HostReport is = report(control_of({odd}));
  const SessionRow& row = is.sessions.begin()->second;
  EXPECT_EQ(row.name, "vnet\\xff");
  EXPECT_EQ(row.vm, "\\xc3");
  EXPECT_EQ(row.reason.size(), kMostReasonBytes + 3);

  std::vector<SessionStatus> many;
  for (std::size_t i = 0; i < kMostReportedSessions + 2; ++i)
    many.push_back(session("s" + std::to_string(i), SessionState::ready, ""));
  const HostReport full = report(control_of(many));
  EXPECT_EQ(full.sessions.size(), kMostReportedSessions);
  EXPECT_EQ(full.left_out, 2U);
}

TEST(ReportPace, ABurstOncePerSecondAndThenSeldom) {
  ReportPace pace;
  Time now = 1000 * kSecond;
  int written = 0;
  for (int tick = 0; tick < 600; ++tick, now += kSecond / 2) {
    if (!pace.may_write(now)) continue;
    pace.wrote(now);
    ++written;
  }
  // 300 s: the burst, and one in 8 s.
  EXPECT_GE(written, ReportPace::kBurst + 300 / 8 - 2);
  EXPECT_LE(written, ReportPace::kBurst + 300 / 8 + 2);
  EXPECT_TRUE(pace.may_write(now - 900 * kSecond)) << "the clock was set back";
}

TEST(KeptPolicies, AreReadAsTheyWereSaved) {
  char folder[] = "/tmp/vmirror-kept-XXXXXX";
  ASSERT_NE(::mkdtemp(folder), nullptr);
  const std::string path = kept_path(folder);
  const auto none = read_kept(path);
  ASSERT_TRUE(none && !*none);
  const KeptPolicies kept{{4, {{"a", "policy: a\n\"\x01", 3, "root@a", "2026-01-01T00:00:00Z"}}},
                          1700000000 * kSecond};
  ASSERT_TRUE(save_kept(path, kept));
  const auto again = read_kept(path);
  ASSERT_TRUE(again && *again) << again.error().text();
  EXPECT_EQ(**again, kept);
  std::filesystem::remove_all(folder);
}

TEST(KeptPolicies, AnythingElseIsAnErrorThatNamesTheFile) {
  for (const char* text : {"", "[]", "{}", "{\"policies\": 1}", "{\"policies\": ["}) {
    const auto is = parse_kept(text, "/s/store.json");
    ASSERT_FALSE(is) << text;
    EXPECT_EQ(is.error().where, "/s/store.json");
  }
  EXPECT_TRUE(parse_kept(R"({"policies": [1, {"name": 2}], "more": {}})", "f"));
}

TEST(StoreOptions, WhatCanBeToldWithoutAConnection) {
  struct Case {
    StoreOptions options;
    const char* says;  ///< Empty: it is good.
  };
  const Case cases[] = {
      {{.servers = {}}, "no server"},
      {{.servers = {"unix:/run/s"}}, ""},
      {{.servers = {"unix:/run/s", "elsewhere"}}, "`elsewhere`"},
      {{.servers = {"tcp:192.0.2.1:6651"}}, "not encrypted"},
      {{.servers = {"tcp:192.0.2.1:6651"}, .insecure = true}, ""},
      {{.servers = {"ssl:192.0.2.1:6651"}}, "private key"},
      {{.servers = {"unix:/run/s"}, .relays = {"unix:/run/r"}}, ""},
      {{.servers = {"unix:/run/s"}, .relays = {"elsewhere"}}, "store.relays"},
      {{.servers = {"unix:/run/s"}, .relays = {"unix:/run/s"}}, "named as a server"},
      {{.servers = {}, .relays = {"unix:/run/r"}}, "no server"},
      {{.servers = {"unix:/run/s"}, .relays = {"tcp:192.0.2.1:6651"}}, "not encrypted"},
      {{.servers = {"ssl:192.0.2.1:6651"},
        .private_key = "k",
        .certificate = "c",
        .ca_certificate = "a"},
       ""},
  };
  for (const Case& c : cases) {
    const auto is = check(c.options);
    EXPECT_EQ(is.has_value(), *c.says == '\0') << c.says;
    if (!is) {
      EXPECT_NE(is.error().text().find(c.says), std::string::npos) << is.error().text();
    }
  }
}

TEST(RivalWatch, WhoIsNone) {
  constexpr Time kMinute = 60 * kSecond, kNow = 1000 * kMinute;
  RivalWatch watch;
  watch.saw("me", "", kNow);
  EXPECT_EQ(watch.last(kNow), 0) << "no row yet";
  watch.saw("me", "before", kNow);
  EXPECT_EQ(watch.last(kNow), 0) << "of the agent before this one";
  watch.saw("me", "me", kNow + kMinute);
  EXPECT_EQ(watch.last(kNow + kMinute), 0);
  watch.saw("me", "", kNow + kMinute);
  EXPECT_EQ(watch.last(kNow + kMinute), 0) << "somebody forgot the host";
  watch.saw("me", "other", kNow + 2 * kMinute);
  EXPECT_EQ(watch.last(kNow + 2 * kMinute), kNow + 2 * kMinute);
  watch.saw("me", "me", kNow + 3 * kMinute);
  EXPECT_NE(watch.last(kNow + 3 * kMinute), 0) << "the row flips";
  EXPECT_EQ(watch.last(kNow + 4 * kMinute), 0) << "it has gone";
  watch.saw("me", "other", kNow + 5 * kMinute);
  EXPECT_EQ(watch.last(kNow), 0) << "the clock was set back";
}

}  // namespace
}  // namespace vmirror
