// Each check with evidence that trips it, evidence that does not, and evidence that tells nothing.
#include "agent/report/check.hpp"

#include <gtest/gtest.h>

#include <set>

namespace vmirror {
namespace {

namespace json = boost::json;

/// `status` is what is counted at the end; with "uptime_seconds" it is a daemon's.
CheckEvidence evidence(const std::string& status, const char* flows = "[]",
                       const char* assets = "[]", const char* before = "{}") {
  return {json::parse(before).as_object(), json::parse(status).as_object(),
          json::parse(flows).as_array(), json::parse(assets).as_array()};
}

CheckEvidence expecting(std::vector<std::string> protocols, const char* status) {
  CheckEvidence out = evidence(status);
  out.expected = std::move(protocols);
  return out;
}

CheckFinding find(const std::string& id, const CheckEvidence& from) {
  for (CheckFinding& finding : run_checks(from))
    if (finding.id == id) return finding;
  return {};
}

const char* const kRefused =
    R"({"clocks": [{"ip": "10.0.0.7", "source": "krb5.error_code", "readings": 0, "offset_ns": null,
                    "refused": 3, "refused_by": "10.0.0.2"}]})";

/// One NTP server so far off.
std::string clocks(double offset_ns) {
  return R"({"clocks": [{"ip": "10.0.0.2", "source": "ntp.transmit_time", "readings": 4,
                         "offset_ns": )" +
         std::to_string(static_cast<std::int64_t>(offset_ns)) +
         R"(, "refused": 0, "refused_by": null}]})";
}

/// A daemon whose one input, with 2 workers, reads a NIC without a fault, but for `members`.
std::string nic(const char* members) {
  json::object out{{"interface", "eth1"},
                   {"driver", "ixgbe"},
                   {"ring", {{"now", 4096}, {"most", 4096}}},
                   {"queues", {{"now", 8}, {"most", 8}}},
                   {"combined", true},
                   {"merging", json::array()},
                   {"received", 1000},
                   {"missed", 0}};
  const json::value other = json::parse("{" + std::string(members) + "}");
  for (const auto& [key, value] : other.get_object()) out[key] = value;
  return json::serialize(
      json::object{{"uptime_seconds", 9},
                   {"inputs", json::array{{{"workers", 2}, {"nics", json::array{out}}}}}});
}

struct Case {
  const char* id;
  const char* verdict;
  CheckEvidence from;
};

const char* const kOneWay =
    R"([{"protocol": 6, "client": {"ip": "10.0.0.1", "mac": "02:00:00:00:00:01", "packets": 9},
         "server": {"ip": "10.0.0.2", "mac": "02:00:00:00:00:02", "port": 88, "packets": 0}}])";
const char* const kBothWays =
    R"([{"protocol": 6, "app_proto": "ldap",
         "client": {"ip": "10.0.0.1", "mac": "02:00:00:00:00:01", "packets": 9},
         "server": {"ip": "10.0.0.2", "mac": "02:00:00:00:00:02", "port": 389, "packets": 8}}])";
const char* const kBroadcast =
    R"([{"client": {"mac": "02:00:00:00:00:01", "packets": 5},
         "server": {"mac": "ff:ff:ff:ff:ff:ff", "packets": 0}}])";

TEST(Check, EachTripsOnWhatItIsFor) {
  const std::vector<Case> cases{
      {"switch-readable", "fail",
       evidence(R"({"uptime_seconds": 9, "switch": {"state": "unreachable"}})")},
      {"switch-readable", "pass",
       evidence(R"({"uptime_seconds": 9, "switch": {"state": "connected", "version": "x"}})")},
      {"switch-readable", "not told", evidence("{}")},
      {"all-watched", "fail",
       evidence(R"({"uptime_seconds": 9, "verdict": {"well": false, "not_watched": ["a is"]}})")},
      {"all-watched", "pass",
       evidence(R"({"uptime_seconds": 9, "verdict": {"well": true, "summary": "1 session"}})")},
      {"all-watched", "not told", evidence("{}")},
      {"copies-proven", "warn",
       evidence(R"({"uptime_seconds": 9, "verdict": {"well": true, "not_proven": ["a is"]}})")},
      {"copies-proven", "pass", evidence(R"({"uptime_seconds": 9, "verdict": {"well": true}})")},
      {"coverage", "fail", evidence(R"({"uptime_seconds": 9, "coverage":
                    [{"port": "p", "ratio": 0.9, "received": 9, "counted": 10}]})")},
      {"coverage", "pass",
       evidence(R"({"uptime_seconds": 9, "coverage": [{"port": "p", "ratio": 0.995}]})")},
      {"coverage", "not told",
       evidence(R"({"uptime_seconds": 9, "coverage": [{"port": "p", "ratio": null}]})")},
      {"session-warnings", "warn", evidence(R"({"uptime_seconds": 9, "sessions":
                    [{"name": "a", "warnings": ["its copies need an MTU of 1550"]}]})")},
      {"session-warnings", "pass",
       evidence(R"({"uptime_seconds": 9, "sessions": [{"name": "a", "warnings": []}]})")},
      {"session-warnings", "not told", evidence(R"({"uptime_seconds": 9, "sessions": []})")},
      {"traffic", "fail", evidence(R"({"frames": {"analysed": 0}})")},
      {"traffic", "fail",
       evidence(R"({"frames": {"analysed": 7}})", "[]", "[]", R"({"frames": {"analysed": 7}})")},
      {"traffic", "pass", evidence(R"({"frames": {"analysed": 7}})")},
      {"unicast", "fail", evidence("{}", kBroadcast)},
      {"unicast", "pass", evidence("{}", kBothWays)},
      {"unicast", "not told", evidence("{}")},
      {"both-directions", "fail", evidence("{}", kOneWay)},
      {"both-directions", "pass", evidence("{}", kBothWays)},
      {"both-directions", "not told", evidence("{}", kBroadcast)},
      {"dc-both-directions", "fail", evidence("{}", kOneWay)},
      {"dc-both-directions", "pass", evidence("{}", kBothWays)},
      {"dc-both-directions", "not told", evidence("{}", kBroadcast)},
      {"duplicates", "warn",
       evidence(R"({"uptime_seconds": 9, "frames": {"analysed": 100}, "duplicates": 2})")},
      {"duplicates", "pass",
       evidence(R"({"uptime_seconds": 9, "frames": {"analysed": 100}, "duplicates": 1})")},
      {"duplicates", "not told", evidence(R"({"frames": {"analysed": 100}})")},
      {"truncation", "warn",
       evidence(R"({"inputs": [{"sessions": [{"received": 9, "truncated": 1}]}]})")},
      {"truncation", "warn", evidence(R"({"protocols": {"dns": {"cut": 1}}})")},
      {"truncation", "pass",
       evidence(R"({"inputs": [{"sessions": [{"received": 9, "truncated": 0}]}]})")},
      {"sequence-loss", "fail",
       evidence(R"({"inputs": [{"sessions": [{"received": 90, "lost": 10}]}]})")},
      {"sequence-loss", "warn",
       evidence(R"({"inputs": [{"sessions": [{"received": 9999, "lost": 1}]}]})")},
      {"sequence-loss", "pass",
       evidence(R"({"inputs": [{"sessions": [{"received": 90, "lost": 0}]}]})")},
      {"sequence-loss", "not told",
       evidence(R"({"inputs": [{"sessions": [{"received": 90, "lost": null}]}]})")},
      {"drops", "warn", evidence(R"({"frames": {"dropped": {"kernel": 3}}})")},
      {"drops", "pass", evidence(R"({"frames": {"dropped": {"filtered": 3}}})")},
      {"drops", "pass",
       evidence(R"({"frames": {"dropped": {"kernel": 3}}})", "[]", "[]",
                R"({"frames": {"dropped": {"kernel": 3}}})")},
      {"inputs", "fail", evidence(R"({"inputs": [{"name": "eth1", "error": "gone"}]})")},
      {"inputs", "warn", evidence(R"({"inputs": [{"name": "eth1", "warnings": ["gro is on"]}]})")},
      {"inputs", "pass", evidence(R"({"inputs": [{"name": "eth1", "warnings": []}]})")},
      {"inputs", "not told", evidence("{}")},
      {"monitor-nic", "fail", evidence(nic(R"("received": 90, "missed": 10)"))},
      {"monitor-nic", "warn", evidence(nic(R"("received": 9999, "missed": 1)"))},
      {"monitor-nic", "pass",
       evidence(nic(R"("received": 9999, "missed": 1)"), "[]", "[]",
                nic(R"("received": 9990, "missed": 1)").c_str())},
      {"monitor-nic", "warn", evidence(nic(R"("ring": {"now": 256, "most": 4096})"))},
      {"monitor-nic", "warn", evidence(nic(R"("queues": {"now": 1, "most": 8})"))},
      {"monitor-nic", "pass", evidence(nic(R"("queues": {"now": 1, "most": 1})"))},
      {"monitor-nic", "warn", evidence(nic(R"("merging": ["generic-receive-offload"])"))},
      {"monitor-nic", "pass", evidence(nic(""))},
      {"monitor-nic", "not told", evidence(nic(R"("ring": null)"))},
      {"monitor-nic", "not told", evidence(nic(R"("ring": null, "queues": null)"))},
      {"monitor-nic", "not told", evidence(R"({"uptime_seconds": 9, "inputs": []})")},
      {"monitor-nic", "not told", evidence(R"({"inputs": [{"name": "eth1"}]})")},
      {"clock-skew", "fail", evidence(clocks(301e9))},
      {"clock-skew", "fail", evidence(clocks(-301e9))},
      {"clock-skew", "warn", evidence(clocks(299e9))},
      {"clock-skew", "pass", evidence(clocks(-0.9e9))},
      {"clock-skew", "not told", evidence(R"({"clocks": []})")},
      {"clock-skew", "fail", evidence(kRefused)},
      {"clock-skew", "not told", evidence(kRefused, "[]", "[]", kRefused)},
      {"vlans", "pass", evidence("{}", "[]", R"([{"vlans": [10]}])")},
      {"vlans", "not told", evidence("{}")},
      {"devices", "fail", evidence("{}")},
      {"devices", "warn", evidence("{}", "[]", R"([{"ips": ["10.0.0.1"]}])")},
      {"devices", "pass",
       evidence("{}", "[]", R"([{"ips": ["10.0.0.1"]}, {"ips": ["10.0.1.1"]}, {"ips": []}])")},
      {"protocols", "warn", evidence("{}", kOneWay)},
      {"protocols", "pass", evidence("{}", kBothWays)},
      {"protocols", "not told", evidence("{}")},
      {"expected-protocols", "fail",
       expecting({"modbus"}, R"({"protocols": {"modbus": {"records": 0}}})")},
      {"expected-protocols", "fail",
       expecting({"modbus"}, R"({"protocols": {"dns": {"records": 1}}})")},
      {"expected-protocols", "pass",
       expecting({"modbus"}, R"({"protocols": {"modbus": {"records": 1}}})")},
      {"expected-protocols", "not told", evidence(R"({"protocols": {"modbus": {"records": 1}}})")},
      {"limits", "warn", evidence(R"({"limits": [{"name": "flows", "overflow": 1}]})")},
      {"limits", "pass", evidence(R"({"limits": [{"name": "flows", "overflow": 0}]})")},
      {"clocks", "fail", evidence(R"({"uptime_seconds": 9, "peers": {"hosts": [{"host": "b",
                    "clock_offset_ns": -301000000000}]}})")},
      {"clocks", "warn", evidence(R"({"uptime_seconds": 9, "peers": {"hosts": [{"host": "b",
                    "clock_offset_ns": 2000000000}]}})")},
      {"clocks", "pass", evidence(R"({"uptime_seconds": 9, "peers": {"hosts": [{"host": "b",
                    "clock_offset_ns": 1000}]}})")},
      {"clocks", "not told", evidence(R"({"uptime_seconds": 9, "peers": null})")},
      {"foreign-mirrors", "warn", evidence(R"({"uptime_seconds": 9, "switch": {"state": "connected",
                    "foreign_mirrors": [{"switch": "br0", "mirror": "ids", "all": true,
                                         "sources": [], "output": "port eth2"}]}})")},
      {"foreign-mirrors", "pass", evidence(R"({"uptime_seconds": 9, "switch": {"state": "connected",
                    "foreign_mirrors": []}})")},
      {"foreign-mirrors", "not told",
       evidence(R"({"uptime_seconds": 9, "switch": {"state": "none"}})")},
      {"foreign-changes", "warn",
       evidence(R"({"uptime_seconds": 9, "reconcile": {"drifts": 3}})", "[]", "[]",
                R"({"reconcile": {"drifts": 2}})")},
      {"foreign-changes", "pass",
       evidence(R"({"uptime_seconds": 9, "reconcile": {"drifts": 3}})", "[]", "[]",
                R"({"reconcile": {"drifts": 3}})")},
  };
  std::set<std::string> tripped, passed;
  for (const Case& c : cases) {
    const CheckFinding finding = find(c.id, c.from);
    EXPECT_STREQ(to_text(finding.verdict), c.verdict) << c.id << ": " << finding.evidence;
    EXPECT_FALSE(finding.evidence.empty()) << c.id;
    const bool trips =
        finding.verdict == CheckVerdict::warn || finding.verdict == CheckVerdict::fail;
    EXPECT_EQ(finding.remedy.empty(), !trips) << c.id;
    if (trips) tripped.insert(c.id);
    if (finding.verdict == CheckVerdict::pass) passed.insert(c.id);
  }
  std::set<std::string> all;
  for (const std::string& id : check_ids()) all.insert(id);
  EXPECT_EQ(passed, all) << "each has evidence that does not trip it";
  all.erase("vlans");  // It only tells.
  EXPECT_EQ(tripped, all) << "each has evidence that trips it";
}

TEST(Check, TheRemedyOfNoTrafficFitsWhoIsAsked) {
  const auto remedy = [](const char* status) { return find("traffic", evidence(status)).remedy; };
  EXPECT_NE(remedy(R"({"uptime_seconds": 9, "switch": {"state": "connected"}})").find("selected"),
            std::string::npos);
  EXPECT_NE(remedy(R"({"uptime_seconds": 9, "switch": {"state": "none"}})").find("at the sender"),
            std::string::npos);
  EXPECT_NE(remedy("{}").find("capture again"), std::string::npos) << "a capture file";
}

TEST(Check, AClockIsNamedWithItsHostAndTheRemedyFitsWhoIsOff) {
  const char* const assets =
      R"([{"ips": ["10.0.0.2"], "vm": "dc-1"},
          {"ips": ["10.0.0.7"], "properties": [{"attribute": "host_name", "value": "hmi"}]}])";
  const auto clock = [](const char* ip, const char* offset) {
    return json::value{
        {"ip", ip}, {"source", "ntp.transmit_time"}, {"offset_ns", json::parse(offset)}};
  };
  const auto told = [&](json::array clocks) {
    return find("clock-skew", evidence(json::serialize(json::object{{"clocks", std::move(clocks)}}),
                                       "[]", assets));
  };
  EXPECT_EQ(told({clock("10.0.0.2", "412000000000")}).evidence,
            "10.0.0.2 (dc-1) is 412.0 s ahead by ntp.transmit_time");
  EXPECT_EQ(find("clock-skew", evidence(kRefused, "[]", assets)).evidence,
            "10.0.0.7 (hmi) is refused by 10.0.0.2 (dc-1), as too far off for Kerberos, 3 times");
  const auto remedy = [&](const char* a, const char* b) {
    return told({clock("10.0.0.2", a), clock("10.0.0.7", b)}).remedy.substr(0, 11);
  };
  EXPECT_EQ(remedy("-7000000000", "-7100000000"), "all are off");
  EXPECT_EQ(remedy("-7000000000", "7000000000"), "set these c");
  EXPECT_EQ(remedy("-7000000000", "1000"), "set these c");
}

TEST(Check, OfAMonitorNicItNamesTheCommand) {
  const auto told = [](const char* members) { return find("monitor-nic", evidence(nic(members))); };
  EXPECT_EQ(told(R"("ring": {"now": 256, "most": 4096})").evidence,
            "eth1: its ring has 256 of at most 4096 descriptors");
  EXPECT_EQ(told(R"("ring": {"now": 256, "most": 4096})").remedy, "`ethtool -G eth1 rx 4096`");
  EXPECT_EQ(told(R"("queues": {"now": 1, "most": 8})").evidence, "eth1: 1 queue for 2 workers");
  EXPECT_EQ(told(R"("queues": {"now": 1, "most": 8})").remedy, "`ethtool -L eth1 combined 2`");
  EXPECT_EQ(told(R"("queues": {"now": 1, "most": 8}, "combined": false)").remedy,
            "`ethtool -L eth1 rx 2`");
  EXPECT_EQ(told(R"("merging": ["generic-receive-offload", "large-receive-offload"])").remedy,
            "`ethtool -K eth1 generic-receive-offload off large-receive-offload off`, or "
            "`offloads_off: true` of the input");
  EXPECT_EQ(told(R"("ring": null, "driver": "veth")").evidence,
            "eth1: 0 frames missed since it was made, ring not available: the driver veth has none "
            "to tell of, "
            "queues 8 of at most 8, no offload merges frames");
}

TEST(Check, IsWellWithoutAFailure) {
  const auto told = [](CheckVerdict verdict) {
    return to_json({{"traffic", CheckVerdict::pass, "7 frames", ""}, {"drops", verdict, "3", "x"}});
  };
  EXPECT_EQ(told(CheckVerdict::warn).at("well"), true);
  EXPECT_EQ(told(CheckVerdict::fail).at("well"), false);
  EXPECT_EQ(told(CheckVerdict::fail).at("fail"), 1);
  EXPECT_TRUE(told(CheckVerdict::fail).at("findings").at(0).at("remedy").is_null());
}

}  // namespace
}  // namespace vmirror
