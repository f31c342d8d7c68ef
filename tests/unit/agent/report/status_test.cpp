// What the API and the metrics say of given snapshots.
#include "agent/report/status.hpp"

#include <gtest/gtest.h>

#include "agent/report/explain.hpp"

namespace vmirror {
namespace {

struct View {
  View() {
    SessionStatus s;
    s.name = "vnet0@local";
    s.state = SessionState::active;
    s.reason = "copies move";
    s.since = 60 * kSecond;
    s.policy = "a+b";
    s.switch_name = "br0";
    s.port = "vnet0";
    s.vm = "dc-1";
    s.target = "local";
    s.mirror = "vmirror-local";
    s.output = "vmr-br0";
    s.in_place = true;
    s.copied_frames = 7;
    s.port_frames = 9;
    control.sessions = {{s.name, s}};
    control.policies_known = true;
    control.observed = std::make_shared<const Observed>();
    control.policies = {{"a", PolicyState::in_force, "1 session", 1},
                        {"b", PolicyState::in_force, "1 session", 1}};
    control.history = {{0, {61 * kSecond, "vnet0@local", "pending -> active: copies move"}},
                       {1, {62 * kSecond, "vnet1@local", "somebody else's"}},
                       {2, {63 * kSecond, "switch", "create mirror br0/vmirror-local"}}};
    for (const char* name : {"a", "b"}) {
      Policy p;
      p.name = name;
      folder.files.push_back({std::string("/p/") + name + ".yaml", p, {}});
    }
    InputSnapshot input;
    input.name = "local";
    input.frames.received = 12;
    input.frames.analysed = 10;
    input.frames.drop(Drop::kernel, 2);
    engine.inputs = {input};
  }
  DaemonView view() const {
    return {"kvm7", driver, 100 * kSecond, 40 * kSecond, control, engine, folder, {}, {}};
  }
  std::optional<std::string> driver = "ovs";
  ControlSnapshot control;
  EngineSnapshot engine;
  PolicyFolder folder;
};

TEST(Status, APeerThatIsACollectorShowsWhatItTookIn) {
  View v;
  DaemonView view = v.view();
  view.peers = PeersStatus{};
  for (const char* host : {"sensor", "kvm8"}) view.peers->peers.emplace_back().host = host;
  Collector sensor{.host = "sensor", .linked = true, .since = 1, .told_at = kSecond, .report = {}};
  sensor.report.sessions[{Encapsulation::erspan2, 5, *IpAddress::parse("192.0.2.1")}] = {70, 1, 0};
  sensor.report.sessions[{Encapsulation::erspan2, 6, *IpAddress::parse("192.0.2.2")}] = {30, 2, 0};
  sensor.report.left_out = 1;
  Collector quiet = sensor;
  quiet.host = "kvm8";
  quiet.told_at = 0;
  view.collectors[*IpAddress::parse("192.0.2.9")] = std::make_shared<const Collector>(sensor);
  view.collectors[*IpAddress::parse("192.0.2.8")] = std::make_shared<const Collector>(quiet);
  const auto status = status_json(view);
  const auto& hosts = status.at("peers").at("hosts").as_array();
  const auto& copies = hosts[0].at("copies");
  EXPECT_EQ(copies.at("sessions"), 3);
  EXPECT_EQ(copies.at("received"), 100);
  EXPECT_EQ(copies.at("lost"), 3);
  EXPECT_TRUE(copies.at("told_at").as_string().starts_with("1970-01-01T00:00:01"));
  EXPECT_TRUE(hosts[1].at("copies").is_null()) << "it has told of nothing";
}

TEST(Status, HoldsBothFlows) {
  const auto status = status_json(View().view());
  EXPECT_EQ(status.at("host"), "kvm7");
  EXPECT_EQ(status.at("uptime_seconds"), 60);
  EXPECT_EQ(status.at("switch").at("state"), "connected");
  EXPECT_EQ(status.at("sessions").at(0).at("state"), "active");
  EXPECT_EQ(status.at("reconcile").at("in_sync"), true);
  EXPECT_EQ(status.at("frames").at("received"), 12);
  EXPECT_EQ(status.at("frames").at("dropped").at("kernel"), 2);
  EXPECT_TRUE(status.at("policy_error").is_null());
}

TEST(Status, AFileThatWentBadIsShownBesideThePolicyThatStaysInForce) {
  View v;
  v.folder.files[0].policy.reset();
  v.folder.files[0].error = Error{Error::Kind::invalid, "unknown key `x`", "/p/a.yaml:4", ""};
  const auto status = status_json(v.view());
  const auto& rows = status.at("policies").as_array();
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(rows[0].at("state"), "bad");
  EXPECT_EQ(rows[0].at("reason"), "/p/a.yaml:4: unknown key `x`");
  EXPECT_EQ(rows[1].at("name"), "b");
  EXPECT_EQ(rows[1].at("state"), "in force");
  EXPECT_EQ(rows[2].at("name"), "a");
  EXPECT_EQ(rows[2].at("reason"), "1 session; still in force as it was before it went bad");
  EXPECT_EQ(status.at("policy_error").at("where"), "/p/a.yaml:4");
}

/// "flows 1/9 (2)": used, bound, and how often it was hit.
std::vector<std::string> limit_lines(const boost::json::object& status) {
  std::vector<std::string> out;
  for (const boost::json::value& limit : status.at("limits").as_array()) {
    const auto number = [&](const char* key) {
      return std::to_string(limit.at(key).to_number<std::uint64_t>());
    };
    out.push_back(std::string(limit.at("name").as_string()) + " " + number("used") + "/" +
                  number("limit") + " (" + number("overflow") + ")");
  }
  return out;
}

TEST(Status, ListsTheBoundsOfBothFlows) {
  View v;
  v.engine.limits = {{"flows", "flows", 9, 1, 2}};
  v.driver.reset();
  EXPECT_EQ(limit_lines(status_json(v.view())), std::vector<std::string>{"flows 1/9 (2)"});
  v.driver = "ovs";
  DaemonView view = v.view();
  view.locations_gone = 1024;
  view.locations_overflow = 3;
  view.following = FollowingStatus{};
  view.following->handovers_waiting = 8;
  view.following->handovers_refused = 4;
  view.libvirt = LibvirtStatus{};
  view.libvirt->events_waiting = 5;
  view.libvirt->events_lost = 6;
  view.guests = {7, 8};
  view.hook.remembered = 9;
  view.hook.forgotten = 10;
  EXPECT_EQ(limit_lines(status_json(view)),
            (std::vector<std::string>{"flows 1/9 (2)", "locations 1024/1024 (3)",
                                      "handovers 8/8 (4)", "libvirt_events 5/16384 (6)",
                                      "announced_guests 7/1024 (8)", "hook_guests 9/4096 (10)"}));
  EXPECT_NE(
      prometheus_text(metrics(view)).find("vmirror_limit_overflow_total{limit=\"locations\"} 3\n"),
      std::string::npos);
}

TEST(Status, TellsOfTheHypervisorTheOtherAgentsAndMigrations) {
  const auto alone = status_json(View().view());
  EXPECT_EQ(alone.at("libvirt").at("state"), "none");
  EXPECT_TRUE(alone.at("peers").is_null());
  EXPECT_TRUE(alone.at("migrations").is_null());
  EXPECT_TRUE(alone.at("hook").is_null());

  View v;
  v.folder.files[0].policy->require = true;
  DaemonView view = v.view();
  view.libvirt = LibvirtStatus{};
  view.libvirt->error = "no libvirtd";
  view.hook.missed = 1;
  view.hook.last_missed = "dc1";
  view.peers = PeersStatus{};
  view.peers->peers.emplace_back().host = "kvm8";
  view.following = FollowingStatus{};
  view.following->tracker.finished[MigrationState::done] = 3;
  view.following->gap_frames = 2;
  const auto status = status_json(view);
  EXPECT_EQ(status.at("libvirt").at("state"), "unreachable");
  EXPECT_EQ(status.at("libvirt").at("error"), "no libvirtd");
  EXPECT_EQ(status.at("hook").at("error"), "guest dc1 began without it: see `vmirror hook status`");
  view.hook_file_error = Error{Error::Kind::refused, "no room", "requirements", ""};
  EXPECT_EQ(status_json(view).at("hook").at("error"),
            "it goes by older policies: requirements: no room");
  EXPECT_EQ(status.at("peers").at("hosts").at(0).at("state"), "down");
  EXPECT_EQ(status.at("migrations").at("finished").at("done"), 3);
  EXPECT_EQ(status.at("migrations").at("finished").at("lost"), 0);
  const std::string text = prometheus_text(metrics(view));
  for (const char* line :
       {"vmirror_migrations_total{state=\"done\"} 3\n", "vmirror_migration_gap_frames_total 2\n",
        "vmirror_hook_missed_total 1\n", "vmirror_hypervisor_up 0\n",
        "vmirror_peer_up{host=\"kvm8\"} 0\n"})
    EXPECT_NE(text.find(line), std::string::npos) << line;
}

TEST(Metrics, WhatFinishedMigrationsCameTo) {
  View v;
  DaemonView view = v.view();
  view.following = FollowingStatus{};
  MigrationRecord record;
  record.state = MigrationState::done;
  record.source.duplicates = 2;
  record.destination.duplicates = 1;
  record.source.suspended = 10 * kSecond;
  record.destination.resumed = 10 * kSecond + 250 * kMillisecond;
  record.clock_offset = 0;
  record.handover.state = HandoverResult::State::failed;
  count(*view.following, record);
  record.clock_offset.reset();  // Its downtime is not known.
  record.handover.state = HandoverResult::State::taken;
  count(*view.following, record);
  const std::string text = prometheus_text(metrics(view));
  for (const char* line :
       {"vmirror_migration_duplicates_total 6\n", "vmirror_migration_downtimes_total 1\n",
        "vmirror_migration_downtime_seconds_total 0.25\n",
        "vmirror_migration_gap_unknown_total 2\n",
        "vmirror_migration_handovers_total{state=\"failed\"} 1\n",
        "vmirror_migration_handovers_total{state=\"taken\"} 1\n",
        "vmirror_migration_handovers_total{state=\"none\"} 0\n"})
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
}

TEST(Locations, ThoseThatAreGoneHaveNoSessions) {
  Location here;
  here.switch_name = "br0";
  here.port = "vnet0";
  here.vm_name = "dc-1";
  here.labels = {{"role", "dc"}};
  Location gone = here;
  gone.presence = Presence::gone;
  ControlSnapshot control;
  control.locations.set({"br0", "vnet0"}, {here, 2, 7 * kSecond});
  const auto rows = locations_json({{here, 5 * kSecond}, {gone, 3 * kSecond}}, control)
                        .at("locations")
                        .as_array();
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].at("presence"), "active");
  EXPECT_EQ(rows[0].at("sessions"), 2);
  EXPECT_EQ(rows[0].at("mirrored_since"), boost::json::value(format_time(7 * kSecond)));
  EXPECT_EQ(rows[0].at("labels").at("role"), "dc");
  EXPECT_EQ(rows[1].at("presence"), "gone");
  EXPECT_EQ(rows[1].at("sessions"), 0);
  EXPECT_TRUE(rows[1].at("mirrored_since").is_null());
}

TEST(Migrations, AreFoundByNameOrUuid) {
  MigrationRecord a, b;
  a.vm_name = "dc1";
  a.vm_uuid = "uuid-1";
  b.vm_name = "web";
  b.vm_uuid = "uuid-2";
  const auto count = [&](const std::string& vm) {
    return migrations_json({a, b}, vm).at("migrations").as_array().size();
  };
  EXPECT_EQ(count(""), 2U);
  EXPECT_EQ(count("dc1"), 1U);
  EXPECT_EQ(count("uuid-2"), 1U);
  EXPECT_EQ(count("nobody"), 0U);
}

std::vector<std::string> lines_of(const Result<boost::json::object>& answer) {
  std::vector<std::string> lines;
  if (!answer) return {answer.error().text()};
  for (const auto& line : answer->at("lines").as_array()) lines.emplace_back(line.as_string());
  return lines;
}

TEST(Explain, FromThePolicyToTheLastEvent) {
  View v;
  v.control.apply_error = Error{Error::Kind::refused, "no", "br0", ""};
  EXPECT_EQ(lines_of(explain_json(v.view(), {}, "vnet0@local")),
            (std::vector<std::string>{
                "vnet0@local is active, not proven since 1970-01-01T00:01:00Z: copies move",
                "policy   a+b mirrors both directions of port br0/vnet0 (dc-1) to local",
                "file     /p/a.yaml",
                "file     /p/b.yaml",
                "mirror   vmirror-local -> vmr-br0, on the switch as asked",
                "counted  port 9, mirror 7 frames",
                "1970-01-01T00:01:01Z  pending -> active: copies move",
                "1970-01-01T00:01:03Z  create mirror br0/vmirror-local",
                "error    br0: no",
            }));
}

TEST(Explain, LeavesOutWhatOthersDidOnASharedMirror) {
  View v;
  const char* const about = "vmirror-local: in {";
  v.control.history = {};
  std::size_t number = 0;
  for (const char* ports : {"vnet0", "vnet1", "vnet00, vnet1", "vnet1, vnet0", "vnet1 and 7 more"})
    v.control.history.set(number++, {61 * kSecond, "switch",
                                     std::string("change mirror br0/") + about + ports + "}"});
  std::vector<std::string> shown;
  for (const std::string& line : lines_of(explain_json(v.view(), {}, "vnet0@local")))
    if (const auto at = line.find(about); at != line.npos) shown.push_back(line.substr(at + 19));
  EXPECT_EQ(shown, (std::vector<std::string>{"vnet0}", "vnet1, vnet0}", "vnet1 and 7 more}"}));
}

TEST(Explain, ADrainedDaemonSaysSoOfEachNic) {
  View v;
  v.control.sessions = {};
  LocationRow row;
  row.location.port = "vnet0";
  row.location.switch_name = "br0";
  for (const bool drained : {true, false}) {
    DaemonView view = v.view();
    view.drained = drained;
    EXPECT_NE(
        lines_of(explain_json(view, {row}, "vnet0"))
            .front()
            .find(drained ? "all is drained: `vmirror drain --undo`" : "no policy asks for it"),
        std::string::npos);
  }
}

TEST(Status, APolicyThatIsNotInForceSaysWhy) {
  struct Case {
    bool drives, drained, read;
    const char* why;
  };
  for (const Case& c : {Case{false, false, false, "this daemon drives no switch"},
                        Case{true, true, true, "all is drained"},
                        Case{true, false, false, "the switch was not read yet"},
                        Case{true, false, true, "not in force yet"}}) {
    View v;
    v.control.policies = {};
    if (!c.drives) v.driver = {};
    if (!c.read) v.control.observed = nullptr;
    DaemonView view = v.view();
    view.drained = c.drained;
    const json::object status = status_json(view);
    EXPECT_EQ(status.at("policies").at(0).at("reason").as_string().find(c.why), 0U) << c.why;
  }
}

TEST(Explain, TakesEveryNameThatLeadsToASession) {
  View v;
  LocationRow row;
  row.location.switch_name = "br0";
  row.location.port = "vnet0";
  row.location.vm_name = "dc-1";
  row.location.vm_uuid = "6f0c1d6e-0000-4000-8000-000000000001";
  row.location.mac = *Mac::parse("52:54:00:00:00:01");
  for (const char* name : {"vnet0@local", "vnet0", "dc-1", "6F0C1D6E-0000-4000-8000-000000000001",
                           "52:54:00:00:00:01", "a"}) {
    const auto lines = lines_of(explain_json(v.view(), {row}, name));
    EXPECT_NE(std::ranges::find(lines, "counted  port 9, mirror 7 frames"), lines.end()) << name;
  }
  EXPECT_EQ(lines_of(explain_json(v.view(), {}, "a")).front(), "policy a is in force: 1 session");
}

TEST(Explain, KeepsTheHistoryOfASessionThatWent) {
  View v;
  LocationRow row;
  row.location.switch_name = "br0";
  row.location.port = "vnet1";
  row.location.vm_name = "web";
  row.location.presence = Presence::gone;
  row.since = 62 * kSecond;
  for (const char* name : {"vnet1@local", "vnet1", "web"}) {
    const auto lines = lines_of(explain_json(v.view(), {row}, name));
    ASSERT_GE(lines.size(), 2U) << name;
    EXPECT_EQ(lines[lines.size() - 2], "vnet1@local is gone; what it was:") << name;
    EXPECT_EQ(lines.back(), "1970-01-01T00:01:02Z  somebody else's") << name;
  }
}

TEST(Explain, AnUnknownNameHasTheNearestAsRemedy) {
  EXPECT_EQ(explain_json(View().view(), {}, "vnet0@locl").error().remedy,
            "did you mean `vnet0@local`?");
  EXPECT_EQ(explain_json(View().view(), {}, "nothing-of-the-kind").error().remedy,
            "see `vmirror sessions` and `vmirror locations`");
}

TEST(Metrics, FramesSessionsAndHealth) {
  const std::string text = prometheus_text(metrics(View().view()));
  for (const char* line :
       {"vmirror_frames_received_total{input=\"local\"} 12\n",
        "vmirror_frames_dropped_total{input=\"local\",kind=\"kernel\"} 2\n",
        "vmirror_sessions{state=\"active\",proof=\"none\"} 1\n",
        "vmirror_sessions{state=\"active\",proof=\"sent\"} 0\n",
        "vmirror_sessions{state=\"failed\",proof=\"\"} 0\n", "vmirror_in_sync 1\n",
        "vmirror_policies_good 1\n", "vmirror_uptime_seconds 60\n"})
    EXPECT_NE(text.find(line), std::string::npos) << line << "\n" << text;
}

}  // namespace
}  // namespace vmirror
