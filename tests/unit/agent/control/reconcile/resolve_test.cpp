// What policies ask of this host: a table of policies and the sessions that come of them.
#include "agent/control/reconcile/resolve.hpp"

#include <gtest/gtest.h>

namespace vmirror {
namespace {

Location nic(const std::string& port, const std::string& vm, const std::string& mac = {}) {
  Location at;
  at.host = "host-a";
  at.switch_name = "br0";
  at.port = port;
  at.vm_name = vm;
  if (!mac.empty()) at.mac = *Mac::parse(mac);
  return at;
}

Policy policy(const std::string& name, Selector select, std::vector<Target> targets) {
  Policy p;
  p.name = name;
  p.select = {std::move(select)};
  p.targets = std::move(targets);
  return p;
}

Selector by_port(const std::string& glob) {
  Selector s;
  s.port = glob;
  return s;
}
Selector by_vm(const std::string& glob) {
  Selector s;
  s.vm = glob;
  return s;
}

/// "vnet0@local a+b both" for each session.
std::vector<std::string> lines(const Resolved& resolved) {
  std::vector<std::string> out;
  for (const Session& s : resolved.desired.sessions)
    out.push_back(s.name + " " + s.policy + " " + std::string(to_text(s.direction)) +
                  (s.snaplen != 0 ? " " + std::to_string(s.snaplen) : "") +
                  (s.vlans.empty() ? "" : " " + std::to_string(s.vlans.size()) + " vlans") +
                  (s.filter.empty() ? "" : " " + to_text(s.filter)));
  return out;
}
/// "a in force 1" for each policy.
std::vector<std::string> states(const Resolved& resolved) {
  std::vector<std::string> out;
  for (const PolicyStatus& p : resolved.policies)
    out.push_back(p.name + ": " + to_text(p.state) + ": " + p.reason);
  return out;
}
using Lines = std::vector<std::string>;

const Locations kNics = {nic("vnet0", "dc-1", "52:54:00:00:00:01"), nic("vnet1", "web"),
                         nic("eth0", "")};

TEST(Selects, EveryPartMustMatch) {
  Location at = nic("vnet0", "dc-1", "52:54:00:AA:00:01");
  at.vm_uuid = "6f0c1d6e-8d7a-4f35-9a55-0a2f6b1c7d10";
  at.labels = {{"role", "dc"}, {"site", "north"}};
  const struct {
    Selector selector;
    bool expected;
  } table[] = {
      {{.vm = "dc-*", .uuid = "", .mac = "", .port = "", .labels = {}}, true},
      {{.vm = "dc-?", .uuid = "", .mac = "", .port = "", .labels = {}}, true},
      {{.vm = "DC-1", .uuid = "", .mac = "", .port = "", .labels = {}}, false},
      {{.vm = "web", .uuid = "", .mac = "", .port = "", .labels = {}}, false},
      {{.vm = "", .uuid = "6F0C*", .mac = "", .port = "", .labels = {}}, true},
      {{.vm = "", .uuid = "7*", .mac = "", .port = "", .labels = {}}, false},
      {{.vm = "", .uuid = "", .mac = "52:54:00:aa:*", .port = "", .labels = {}}, true},
      {{.vm = "", .uuid = "", .mac = "52:54:00:bb:*", .port = "", .labels = {}}, false},
      {{.vm = "", .uuid = "", .mac = "", .port = "vnet[0-3]", .labels = {}}, true},
      {{.vm = "", .uuid = "", .mac = "", .port = "", .labels = {{"role", "dc"}}}, true},
      {{.vm = "", .uuid = "", .mac = "", .port = "", .labels = {{"role", "d?"}}}, true},
      {{.vm = "", .uuid = "", .mac = "", .port = "", .labels = {{"tier", "*"}}}, false},
      {{.vm = "dc-*", .uuid = "", .mac = "", .port = "eth*", .labels = {}}, false},
      {{.vm = "dc-*", .uuid = "", .mac = "", .port = "v*", .labels = {{"site", "*"}}}, true},
  };
  for (const auto& row : table)
    EXPECT_EQ(selects(row.selector, at), row.expected)
        << row.selector.vm << row.selector.uuid << row.selector.mac << row.selector.port;
}

TEST(Selects, AnyVmIsAVmAndAnUnknownMacIsNone) {
  EXPECT_FALSE(selects(by_vm("*"), nic("eth0", "")));
  Selector s;
  s.mac = "*";
  EXPECT_FALSE(selects(s, nic("eth0", "")));
  EXPECT_TRUE(selects(by_port("*"), nic("eth0", "")));
}

TEST(Desired, OneSessionForEachNicAndTarget) {
  const Resolved resolved = resolve(
      std::vector{policy("all", by_port("vnet*"), {LocalTarget{}, RspanTarget{100}})}, kNics, 0);
  EXPECT_EQ(lines(resolved), (Lines{"vnet0@local all both", "vnet0@rspan-100 all both",
                                    "vnet1@local all both", "vnet1@rspan-100 all both"}));
  EXPECT_EQ(states(resolved), Lines{"all: in force: 4 sessions"});
  EXPECT_EQ(resolved.where.at("vnet0@local").vm(), "dc-1");
}

TEST(Desired, ANicSelectedTwiceByOnePolicyHasOneSession) {
  Policy p = policy("a", by_port("vnet0"), {LocalTarget{}});
  p.select.push_back(by_vm("dc-*"));
  EXPECT_EQ(lines(resolve(std::vector{p}, kNics, 0)), Lines{"vnet0@local a both"});
}

TEST(Desired, SelectingNothingIsAState) {
  const Resolved resolved =
      resolve(std::vector{policy("a", by_vm("none"), {LocalTarget{}})}, kNics, 0);
  EXPECT_TRUE(resolved.desired.sessions.empty());
  EXPECT_EQ(states(resolved),
            Lines{"a: selects nothing: no NIC on this host matches its selectors"});
}

TEST(Desired, ExpiryIsTheFirstMomentWithout) {
  Policy p = policy("a", by_port("vnet0"), {LocalTarget{}});
  p.expires = 100 * kSecond;
  EXPECT_EQ(lines(resolve(std::vector{p}, kNics, 100 * kSecond - 1)), Lines{"vnet0@local a both"});
  const Resolved resolved = resolve(std::vector{p}, kNics, 100 * kSecond);
  EXPECT_TRUE(resolved.desired.sessions.empty());
  EXPECT_EQ(states(resolved), Lines{"a: expired: it expired at 1970-01-01T00:01:40Z"});
}

TEST(Desired, OverlappingPoliciesShareASession) {
  Policy a = policy("a", by_port("vnet0"), {LocalTarget{}});
  Policy b = policy("b", by_vm("dc-*"), {LocalTarget{}});
  a.direction = Direction::in;
  b.direction = Direction::out;
  EXPECT_EQ(lines(resolve(std::vector{b, a}, kNics, 0)), Lines{"vnet0@local a+b both"});
  b.direction = Direction::in;
  EXPECT_EQ(lines(resolve(std::vector{b, a}, kNics, 0)), Lines{"vnet0@local a+b in"});
}

TEST(Desired, TheHighestPriorityDecidesSnaplenVlansAndFilter) {
  Policy a = policy("a", by_port("vnet0"), {LocalTarget{}});
  Policy b = a;
  b.name = "b";
  a.snaplen = 64;
  b.snaplen = 128;
  b.vlans = {10, 20};
  b.filter.only = {{.carried = {{0, 6}}}};
  b.priority = 1;
  const Resolved resolved = resolve(std::vector{a, b}, kNics, 0);
  EXPECT_EQ(lines(resolved), Lines{"vnet0@local b+a both 128 2 vlans [{protocol: tcp}]"});
  EXPECT_EQ(states(resolved), (Lines{"a: in force: 1 session", "b: in force: 1 session"}));
}

TEST(Desired, AContradictionAtOnePriorityRefusesTheLaterByName) {
  Policy a = policy("a", by_port("vnet*"), {LocalTarget{}});
  Policy b = policy("b", by_port("vnet0"), {LocalTarget{}});
  b.snaplen = 128;
  b.direction = Direction::in;
  a.direction = Direction::out;
  const Resolved resolved = resolve(std::vector{b, a}, kNics, 0);
  EXPECT_EQ(lines(resolved), (Lines{"vnet0@local a out", "vnet1@local a out"}));
  ASSERT_EQ(resolved.refused.size(), 1U);
  EXPECT_EQ(resolved.refused[0].session.name, "vnet0@local/b");
  EXPECT_EQ(states(resolved), (Lines{"a: in force: 2 sessions",
                                     "b: refused: vnet0@local: snaplen 128 contradicts policy `a` "
                                     "(snaplen 0) at the same priority (give one of them a higher "
                                     "priority)"}));
}

/// A driver that has no filters, and takes no snaplen under 64.
Realisation realise(const Desired& wanted, const Observed&) {
  Realisation out;
  for (const Session& s : wanted.sessions) {
    Verdict& v = out.verdicts.emplace_back(Verdict{s.name, s.switch_name, "m", "out", {}, {}});
    if (!s.filter.empty()) v.refused = Error{Error::Kind::unsupported, "no filter here", "br0", ""};
    if (s.snaplen != 0 && s.snaplen < 64)
      v.refused = Error{Error::Kind::invalid, "too short", "br0", ""};
  }
  return out;
}

TEST(Desired, APolicyThatTheDriverRefusesDisplacesNone) {
  Policy works = policy("works", by_port("vnet0"), {LocalTarget{}});
  Policy filters = policy("filters", by_port("vnet*"), {LocalTarget{}});
  filters.filter.only = {{.carried = {{0, 6}}}};
  filters.priority = 1;
  Policy cuts = policy("cuts", by_port("vnet0"), {LocalTarget{}});
  cuts.snaplen = 20;
  cuts.priority = 2;
  const auto agreed = [](std::vector<Policy> policies) {
    return agree(policies, kNics, 0, {}, {}, realise).resolved;
  };
  EXPECT_EQ(lines(agreed({works, filters})),
            (Lines{"vnet0@local works both", "vnet1@local filters both [{protocol: tcp}]"}));
  EXPECT_EQ(states(agreed({works, filters})),
            (Lines{"filters: refused: br0: snaplen 0, filter [{protocol: tcp}] can't be had: no "
                   "filter here; "
                   "policy `works` (snaplen 0) decides",
                   "works: in force: 1 session"}));
  const Resolved three = agreed({works, filters, cuts});
  EXPECT_EQ(lines(three)[0], "vnet0@local works both");
  ASSERT_EQ(three.refused.size(), 2u);
  EXPECT_EQ(three.refused[0].session.name, "vnet0@local/cuts");
  EXPECT_EQ(three.refused[1].session.name, "vnet0@local/filters");
  EXPECT_EQ(lines(agreed({cuts, filters}))[0], "vnet0@local cuts+filters both 20")
      << "where none can be served the first decides, and the driver's verdict says why";

  filters.priority = cuts.priority = 0;
  EXPECT_EQ(lines(agreed({works, filters, cuts}))[0], "vnet0@local works both")
      << "at one priority, too";
}

TEST(Desired, WhatTheDriverRefusedIsAskedForAgain) {
  Policy works = policy("works", by_port("vnet0"), {LocalTarget{}});
  Policy filters = policy("filters", by_port("vnet0"), {LocalTarget{}});
  filters.filter.only = {{.carried = {{0, 6}}}};
  filters.priority = 1;
  PolicyResolver resolver({});
  resolver.set_policies({works, filters});
  LocationMap at;
  at.set({"br0", "vnet0"}, kNics[0]);
  bool can = false;
  const auto decides = [&](Time now) {
    resolver.update(at, now);
    for (;;) {
      Verdict v;
      if (const auto& s = resolver.sessions().at("vnet0@local"); !can && !s.filter.empty())
        v.refused = Error{Error::Kind::unsupported, "no filter here", "br0", ""};
      PersistentMap<std::string, Verdict> verdicts;
      verdicts.set("vnet0@local", v);
      if (!resolver.heed(verdicts)) return resolver.sessions().at("vnet0@local").policy;
    }
  };
  EXPECT_EQ(decides(kSecond), "works");
  can = true;
  EXPECT_EQ(decides(2 * kSecond), "works");
  EXPECT_EQ(decides(kSecond + kRefusedManner + 1), "filters+works");
  can = false;
  EXPECT_EQ(decides(20 * kSecond), "works");
  at.set({"br0", "vnet0"}, nic("vnet0", "dc-2"));
  can = true;
  EXPECT_EQ(decides(20 * kSecond + 1), "filters+works") << "another guest's NIC";
}

TEST(Desired, NamesStayApart) {
  const IpAddress collector = *IpAddress::parse("192.0.2.9");
  Locations two = {nic("vnet0", "a"), nic("vnet0", "b")};
  two[1].switch_name = "br1";
  EXPECT_EQ(lines(resolve(std::vector{policy("p", by_port("*"), {LocalTarget{}})}, two, 0)),
            (Lines{"br0/vnet0@local p both", "br1/vnet0@local p both"}));
  EXPECT_EQ(lines(resolve(
                std::vector{policy("p", by_port("vnet1"),
                                   {ErspanTarget{collector, 2, 5}, ErspanTarget{collector, 3, 6}})},
                kNics, 0)),
            (Lines{"vnet1@erspan-192.0.2.9 p both", "vnet1@erspan-192.0.2.9~2 p both"}));
}

TEST(Desired, LocalIsTheAppliancesMonitorNicThere) {
  const Mac monitor = *Mac::parse("52:54:00:00:00:99");
  const Resolved resolved =
      resolve(std::vector{policy("p", by_port("vnet1"), {LocalTarget{}})}, kNics, 0, monitor);
  ASSERT_EQ(resolved.desired.sessions.size(), 1U);
  EXPECT_EQ(std::get<LocalTarget>(resolved.desired.sessions[0].target).monitor_nic, monitor);
}

// ---- What can't be mirrored

TEST(Desired, ANicWithoutAPortIsRefusedAndCounted) {
  Location at = nic("vnet7", "dc-1", "52:54:00:00:00:07");
  at.switch_name.clear();
  at.no_port = Error{
      Error::Kind::unsupported, "not mirrored: its NIC is on Linux bridge br1", {}, "move it"};
  Location other = at;
  other.port = "dc-1/52:54:00:00:00:08";
  Locations nics = kNics;
  nics.push_back(at);
  nics.push_back(other);
  const std::vector<Policy> policies = {policy("a", by_vm("dc-*"), {LocalTarget{}}),
                                        policy("b", by_port("vnet[1-9]"), {LocalTarget{}}),
                                        policy("c", by_port("*"), {LocalTarget{}})};
  const Resolved resolved = resolve(policies, nics, 0);
  EXPECT_EQ(lines(resolved),
            (Lines{"eth0@local c both", "vnet0@local a+c both", "vnet1@local b+c both"}));
  Lines refused;
  for (const Refusal& r : resolved.refused)
    refused.push_back(r.session.name + ": " + r.session.policy);
  EXPECT_EQ(refused, (Lines{"dc-1/52:54:00:00:00:08@local: a", "vnet7@local: a", "vnet7@local/b: b",
                            "vnet7@local/c: c"}))
      << "a NIC without a device has no port's name";
  EXPECT_EQ(states(resolved)[0],
            "a: refused: dc-1/52:54:00:00:00:08@local: not mirrored: its NIC is on Linux bridge "
            "br1 (move it); and 1 more");
  EXPECT_EQ(states(resolved)[1],
            "b: refused: vnet7@local/b: not mirrored: its NIC is on Linux bridge br1 (move it)");
}

TEST(Desired, APolicyByMacSaysWhichPortItCouldNotCompare) {
  Selector by_mac;
  by_mac.mac = "52:54:00:*";
  Selector narrower = by_mac;
  narrower.port = "vnet*";
  Location at = nic("tap100i0", "");
  at.mac_unknown = "it has sent nothing yet";
  const auto state = [&](const Selector& selector, const Locations& nics) {
    return states(resolve(std::vector{policy("a", selector, {LocalTarget{}})}, nics, 0)).at(0);
  };
  const std::string unsure =
      "`mac` can't be compared with port tap100i0: its external_ids have none, and it has sent "
      "nothing yet";
  EXPECT_EQ(state(by_mac, {at}),
            "a: selects nothing: no NIC on this host matches its selectors; " + unsure);
  EXPECT_EQ(state(by_mac, {kNics[0], at}), "a: in force: 1 session; " + unsure);
  EXPECT_EQ(state(narrower, {at}), "a: selects nothing: no NIC on this host matches its selectors");
  at.mac = Mac::parse("52:54:00:00:00:09").value();
  at.mac_unknown.clear();
  EXPECT_EQ(state(by_mac, {at}), "a: in force: 1 session");
}

}  // namespace
}  // namespace vmirror
