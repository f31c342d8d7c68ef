// Standard switches: from hosts, port groups and adapters to what is wanted there, without a
// server. Each row tells the world, and what the session becomes.
#include "plugin/vsphere/span.hpp"

#include <gtest/gtest.h>

#include "plugin/api/diff.hpp"
#include "plugin/vsphere/compose.hpp"
#include "plugin/vsphere/drs.hpp"
#include "plugin/vsphere/observe.hpp"
#include "plugin/vsphere/realise.hpp"

namespace vmirror::vsphere {
namespace {

constexpr const char* kTap = "00:50:56:00:00:99";
const Ref kEsx1{"HostSystem", "host-1"}, kEsx2{"HostSystem", "host-2"};
constexpr const char* kMade = "SPAN (vmirror)";

/// A machine with adapters, each on a port group of a standard switch.
void plug_in(Inventory& to, const char* id, const Ref& host,
             const std::vector<std::pair<const char*, const char*>>& mac_and_group) {
  Machine out;
  out.name = out.uuid = id;
  out.host = host;
  out.powered_on = true;
  int key = 4000;
  for (const auto& [mac, group] : mac_and_group) {
    Nic& nic = out.nics.emplace_back();
    nic.key = key++;
    nic.label = "n" + std::to_string(key - 4000);
    nic.mac = *Mac::parse(mac);
    nic.backing.kind = Backing::Kind::port_group;
    nic.backing.network = group;
  }
  to.machines.set({"VirtualMachine", id}, out);
}

void change_host(Inventory& in, const Ref& ref, const std::function<void(Host&)>& change) {
  Host host = in.hosts.get(ref) ? in.hosts.at(ref) : Host{};
  change(host);
  in.hosts.set(ref, host);
}

/// Two hosts with vSwitch0 (one uplink) and vSwitch1 (two). On the first a plc in VLAN 7 and the
/// sensor, whose second adapter is on "Idle"; on the second a drive.
Inventory two_hosts() {
  Inventory out;
  for (const auto& [ref, name] : {std::pair(kEsx1, "esx1"), {kEsx2, "esx2"}})
    change_host(out, ref, [&, name = name](Host& host) {
      host.name = name;
      host.network_system = {"HostNetworkSystem", "net-" + std::string(name)};
      host.vswitches = {{"vSwitch0", {"vmnic0"}}, {"vSwitch1", {"vmnic1", "vmnic2"}}};
      host.port_groups = {{"VM Network", "vSwitch0", 7, false},
                          {"Idle", "vSwitch0", 0, false},
                          {"Redundant", "vSwitch1", 0, false}};
    });
  plug_in(out, "plc", kEsx1, {{"00:50:56:00:00:01", "VM Network"}});
  plug_in(out, "robot", kEsx1, {{"00:50:56:00:00:03", "Redundant"}});
  plug_in(out, "sensor", kEsx1, {{"00:50:56:00:00:98", "VM Network"}, {kTap, "Idle"}});
  plug_in(out, "drive", kEsx2, {{"00:50:56:00:00:02", "VM Network"}});
  return out;
}

SpanOptions moving() {
  SpanOptions out{.name = "SPAN"};
  out.adapter = *Mac::parse(kTap);
  out.park = "Idle";
  return out;
}

vmirror::Session local_session(const char* switch_name, const char* port) {
  vmirror::Session s;
  s.name = std::string(port) + "@local";
  s.switch_name = switch_name;
  s.port = port;
  s.target = LocalTarget{*Mac::parse(kTap)};
  return s;
}

struct Became {
  Realisation made;
  std::string steps;  ///< One a line; where the session is refused, why.
  std::shared_ptr<const Observed> world;
};

Became become(const Inventory& in, const SpanOptions& span,
              const std::vector<vmirror::Session>& sessions, const AskedOptions& options = {}) {
  Became out;
  Observer observer({"vmirror", {}, true, span});
  out.world = observer.update(in, {}, options);
  const auto realiser = make_realiser({"vmirror", {}, {}, {}, span});
  out.made = realise({sessions}, *out.world, *realiser);
  for (const Step& step : diff(out.made.objects, *out.world)) out.steps += step.text() + "\n";
  for (const Verdict& verdict : out.made.verdicts)
    if (verdict.refused) out.steps += "refused: " + verdict.refused->text() + "\n";
  return out;
}

/// The port group is there, in promiscuous mode, with the sensor on it.
Inventory in_place() {
  Inventory out = two_hosts();
  change_host(out, kEsx1, [](Host& host) {
    host.port_groups.push_back({kMade, "vSwitch0", kAllVlans, true, true});
  });
  plug_in(out, "sensor", kEsx1, {{"00:50:56:00:00:98", "VM Network"}, {kTap, kMade}});
  return out;
}

const vmirror::Session kPlc = local_session("vSwitch0@esx1", "plc/n1");

TEST(Span, WhatASessionBecomes) {
  const auto in_list = [] {
    SpanOptions out = moving();
    out.vlans = {10, 7};
    return out;
  };
  const auto adopting = [](bool repair) {
    SpanOptions out{.name = "Idle", .adopt = true, .repair = repair};
    return out;
  };
  Inventory drifted = in_place(), other_vlan = in_place(), inherited = in_place();
  change_host(drifted, kEsx1, [](Host& host) {
    host.port_groups.back().promiscuous = false;
    host.port_groups.back().own_promiscuous = false;
  });
  change_host(other_vlan, kEsx1, [](Host& host) { host.port_groups.back().vlan = 7; });
  SpanOptions look_only = moving(), by_hand{.name = "SPAN"};
  look_only.repair = false;
  const struct {
    const char* what;
    Inventory world;
    SpanOptions options;
    vmirror::Session session;
    const char* steps;
  } kCases[] = {
      {"it is made, and the adapter moved", two_hosts(), moving(), kPlc,
       "create port group vSwitch0@esx1/SPAN (vmirror): every VLAN\n"
       "create promiscuous mode vSwitch0@esx1/SPAN (vmirror): Accept\n"
       "create adapter vSwitch0@esx1/sensor/n2: on port group SPAN (vmirror)\n"},
      {"it is there", in_place(), moving(), kPlc, ""},
      {"nothing but the port group, until a person has put the adapter on it", two_hosts(), by_hand,
       kPlc,
       "create port group vSwitch0@esx1/SPAN (vmirror): every VLAN\n"
       "create promiscuous mode vSwitch0@esx1/SPAN (vmirror): Accept\n"
       "refused: vSwitch0@esx1, adapter plc/n1: the monitor NIC 00:50:56:00:00:99 of sensor is on "
       "port group Idle, not on SPAN (vmirror) (put an adapter of the sensor on SPAN (vmirror) by "
       "hand, or let the agent: `adapter` and `span_park`)\n"},
      {"by hand, done", in_place(), by_hand, kPlc, ""},
      {"a tool that hardens took the mode away", drifted, moving(), kPlc,
       "create promiscuous mode vSwitch0@esx1/SPAN (vmirror): Accept\n"},
      {"the same, and it is not to be repaired", drifted, look_only, kPlc,
       "refused: vSwitch0@esx1, adapter plc/n1: port group SPAN (vmirror) rejects promiscuous "
       "mode: somebody, or a tool that hardens hosts, undid it (set it to Accept by hand, or set "
       "`span_repair: true`)\n"},
      {"its VLAN was edited", other_vlan, moving(), kPlc,
       "change port group vSwitch0@esx1/SPAN (vmirror): every VLAN\n"},
      {"the same, and it is not to be repaired", other_vlan, look_only, kPlc,
       "refused: vSwitch0@esx1, adapter plc/n1: port group SPAN (vmirror) has VLAN 7, not every "
       "VLAN: somebody changed it (set it right by hand, or set `span_repair: true`)\n"},
      {"of a list the first is the adapter's", two_hosts(), in_list(), kPlc,
       "create port group vSwitch0@esx1/SPAN VLAN 7 (vmirror): VLAN 7\n"
       "create promiscuous mode vSwitch0@esx1/SPAN VLAN 7 (vmirror): Accept\n"
       "refused: vSwitch0@esx1, adapter plc/n1: the monitor NIC 00:50:56:00:00:99 of sensor is on "
       "port group Idle, not on SPAN VLAN 7 (vmirror) (put an adapter of the sensor on SPAN VLAN 7 "
       "(vmirror) by hand, or let the agent: `adapter` and `span_park`)\n"},
      {"in a VLAN that no port group has", two_hosts(), in_list(),
       local_session("vSwitch1@esx1", "robot/n1"),
       "refused: vSwitch1@esx1, adapter robot/n1: its port group Redundant has the VLAN 0, which "
       "no SPAN port group of `SPAN` has (widen `span_vlans` in the section `switch`)\n"},
      {"one is adopted", two_hosts(), adopting(true), local_session("vSwitch0@esx1", "plc/n1"),
       "refused: vSwitch0@esx1, adapter plc/n1: its port group VM Network has the VLAN 7, which no "
       "SPAN port group of `Idle` has (widen `span_vlans` in the section `switch`)\n"},
      {"the sensor is elsewhere", two_hosts(), moving(), local_session("vSwitch0@esx2", "drive/n1"),
       "create port group vSwitch0@esx2/SPAN (vmirror): every VLAN\n"
       "create promiscuous mode vSwitch0@esx2/SPAN (vmirror): Accept\n"
       "refused: vSwitch0@esx2, adapter drive/n1: the monitor NIC 00:50:56:00:00:99 of sensor is "
       "on esx1: promiscuous mode copies within one switch of one host (have a sensor on esx2, or "
       "the machine on a distributed switch)\n"},
      {"no session: all goes", in_place(), moving(), local_session("", ""),
       "remove adapter vSwitch0@esx1/sensor/n2\n"
       "remove promiscuous mode vSwitch0@esx1/SPAN (vmirror)\n"
       "remove port group vSwitch0@esx1/SPAN (vmirror)\n"},
      {"but a port group that is used", in_place(), by_hand, local_session("", ""),
       "remove promiscuous mode vSwitch0@esx1/SPAN (vmirror)\n"},
  };
  for (const auto& c : kCases) {
    std::vector<vmirror::Session> sessions;
    if (!c.session.switch_name.empty()) sessions.push_back(c.session);
    EXPECT_EQ(become(c.world, c.options, sessions).steps, c.steps) << c.what;
  }
}

TEST(Span, AnAdoptedPortGroupKeepsAllButItsPromiscuousMode) {
  const SpanOptions adopt{.name = "Trunk", .adopt = true};
  const auto world = [](bool promiscuous, std::optional<bool> own) {
    Inventory out = two_hosts();
    change_host(out, kEsx1, [&](Host& host) {
      host.port_groups.push_back({"Trunk", "vSwitch0", kAllVlans, promiscuous, own});
    });
    plug_in(out, "sensor", kEsx1, {{kTap, "Trunk"}});
    return out;
  };
  const std::string accept = "create promiscuous mode vSwitch0@esx1/Trunk: Accept\n";
  EXPECT_EQ(become(world(false, {}), adopt, {kPlc}).steps, accept);
  EXPECT_EQ(become(world(true, true), adopt, {kPlc}).steps, "");
  EXPECT_EQ(become(world(true, {}), adopt, {kPlc}).steps, "") << "the switch's own serves";
  EXPECT_EQ(become(world(true, true), adopt, {}).steps,
            "remove promiscuous mode vSwitch0@esx1/Trunk\n");
  EXPECT_EQ(become(world(true, {}), adopt, {}).steps, "") << "the switch's own is not ours";
  EXPECT_EQ(become(two_hosts(), adopt, {kPlc}).steps,
            "refused: vSwitch0@esx1, adapter plc/n1: the switch has no port group `Trunk` that "
            "could be adopted (make it, or set `span_adopt: false`)\n");
}

TEST(Span, WhatCannotBeHadIsRefusedByName) {
  const auto with = [](const std::function<void(vmirror::Session&)>& change) {
    vmirror::Session out = kPlc;
    change(out);
    return out;
  };
  ErspanTarget erspan;
  erspan.address = *IpAddress::parse("192.0.2.9");
  const std::pair<vmirror::Session, const char*> kCases[] = {
      {with([&](auto& s) { s.target = erspan; }), "can't copy to ERSPAN II"},
      {with([](auto& s) { s.direction = Direction::in; }), "both directions or none"},
      {with([](auto& s) { s.snaplen = 96; }), "cuts no copies"},
      {with([](auto& s) { s.vlans = {7}; }), "selects no VLANs"},
      {with([](auto& s) { s.port = "nobody/n1"; }), "no such adapter"},
      {with([](auto& s) { s.port = "vmnic0"; }), "uplink of the host"},
      {with([](auto& s) { s.port = "sensor/n2"; }), "copied again"},
      {with([](auto& s) { s.target = LocalTarget{*Mac::parse("00:50:56:00:00:42")}; }),
       "no machine has the monitor NIC's MAC 00:50:56:00:00:42"},
  };
  for (const auto& [session, words] : kCases) {
    const Became became_it = become(in_place(), moving(), {session});
    ASSERT_TRUE(became_it.made.verdicts[0].refused) << words;
    EXPECT_NE(became_it.made.verdicts[0].refused->text().find(words), std::string::npos)
        << became_it.made.verdicts[0].refused->text();
    EXPECT_TRUE(became_it.made.mirrors.empty());
  }
  EXPECT_NE(become(in_place(), {}, {kPlc}).steps.find("`span` in the section"), std::string::npos);
}

TEST(Span, ASessionSaysWhatElseIsCopiedAndWhoElseGetsIt) {
  Inventory world = in_place();
  plug_in(world, "guest", kEsx1, {{"00:50:56:00:00:77", kMade}});
  const Became with = become(world, moving(), {kPlc});
  const Verdict& verdict = with.made.verdicts[0];
  ASSERT_FALSE(verdict.refused) << verdict.refused->text();
  EXPECT_EQ(verdict.mirror, kMade);
  EXPECT_EQ(verdict.output, "sensor/n2");
  ASSERT_EQ(verdict.warnings.size(), 2u);
  EXPECT_NE(verdict.warnings[0].find("every frame of the switch on esx1, in both directions"),
            std::string::npos);
  EXPECT_NE(verdict.warnings[1].find("guest/n1"), std::string::npos) << verdict.warnings[1];
  ASSERT_EQ(with.made.mirrors.size(), 1u);
  const auto& shown = with.world->switches.at("vSwitch0@esx1").mirrors;
  EXPECT_TRUE(shown.at(kMade).same_as(with.made.mirrors[0])) << "what is there is what is wanted";
}

TEST(Span, OneAdapterIsOnOneSwitch) {
  const Became both =
      become(in_place(), moving(), {kPlc, local_session("vSwitch1@esx1", "robot/n1")});
  EXPECT_FALSE(both.made.verdicts[0].refused);
  ASSERT_TRUE(both.made.verdicts[1].refused);
  EXPECT_NE(both.made.verdicts[1].refused->text().find("copies of vSwitch0@esx1 already"),
            std::string::npos)
      << both.made.verdicts[1].refused->text();
}

TEST(Span, DuplicatesOfTeamedUplinksAreToldOrPrevented) {
  Inventory world = two_hosts();
  change_host(world, kEsx1, [](Host& host) {
    host.port_groups.push_back({kMade, "vSwitch1", kAllVlans, true, true});
  });
  plug_in(world, "sensor", kEsx1, {{kTap, kMade}});
  const vmirror::Session robot = local_session("vSwitch1@esx1", "robot/n1");
  const auto warned = [&](const Became& is) {
    for (const std::string& warning : is.made.verdicts[0].warnings)
      if (warning.find(kReversePathOption) != warning.npos) return true;
    return false;
  };
  AskedOptions off, on;
  off.set(kEsx1, 0);
  on.set(kEsx1, 1);
  SpanOptions set = moving();
  EXPECT_TRUE(warned(become(world, set, {robot}, off)));
  EXPECT_FALSE(warned(become(world, set, {robot}, on)));
  EXPECT_FALSE(warned(become(in_place(), set, {kPlc}, off))) << "one uplink: nothing comes twice";
  set.set_option = true;
  const std::string step =
      "create host option vSwitch1@esx1/" + std::string(kReversePathOption) + ": 1\n";
  EXPECT_EQ(become(world, set, {robot}, off).steps, step);
  EXPECT_EQ(become(world, set, {robot}, on).steps, "");
  EXPECT_EQ(become(in_place(), set, {}, on).steps.find("host option"), std::string::npos)
      << "it stays";
}

TEST(Span, ARuleKeepsTheSensorWithItsSources) {
  const Ref cluster{"ClusterComputeResource", "c1"};
  const auto world = [&](std::vector<AffinityRule> rules) {
    Inventory out = two_hosts();
    for (const Ref& ref : {kEsx1, kEsx2})
      change_host(out, ref, [&](Host& host) { host.cluster = cluster; });
    out.clusters.set(cluster, {"C1", true, std::move(rules)});
    return out;
  };
  const auto steps = [&](std::vector<AffinityRule> rules, bool wanted, const char* port) {
    const Inventory in = world(std::move(rules));
    Observer observer({"vmirror", {}, true, moving()});
    const auto seen = observer.update(in, {});
    const auto realiser = make_realiser({"vmirror", {}, {}, {}, moving(), wanted});
    const Realisation made = realise({{local_session("vSwitch0@esx2", port)}}, *seen, *realiser);
    std::string out;
    for (const Step& step : diff(made.objects, *seen))
      if (step.key.kind == kRuleKind) out += step.text() + "\n";
    return out;
  };
  const Ref sensor{"VirtualMachine", "sensor"}, drive{"VirtualMachine", "drive"};
  const AffinityRule good{7, "vmirror: sensor with drive", true, {drive, sensor}};
  AffinityRule disabled = good, others = good;
  disabled.enabled = false;
  others.name = "theirs";
  const std::string is = "cluster C1/vmirror: sensor with drive";
  const std::string text = is + ": keeps 2 machines on one host\n";
  EXPECT_EQ(steps({others}, true, "drive/n1"), "create DRS rule " + text);
  EXPECT_EQ(steps({good}, true, "drive/n1"), "");
  EXPECT_EQ(steps({disabled}, true, "drive/n1"), "change DRS rule " + text);
  EXPECT_EQ(steps({good, others}, true, "nobody/n1"), "remove DRS rule " + is + "\n");
  EXPECT_EQ(steps({}, false, "drive/n1"), "") << "only on request";
}

TEST(Span, ARuleKeepsTheSensorAndItsSourcesOnSomeHosts) {
  const Ref cluster{"ClusterComputeResource", "c1"};
  const Ref sensor{"VirtualMachine", "sensor"}, drive{"VirtualMachine", "drive"};
  const std::string name = "vmirror: sensor and its sources", on = "vmirror: hosts for sensor";
  const HostRule rule{3, name, true, false, name, on};
  const ClusterGroup machines{name, false, {sensor, drive}}, hosts{on, true, {kEsx2}};
  HostRule disabled = rule, must = rule;
  disabled.enabled = false;
  must.mandatory = true;
  ClusterGroup fewer = machines, theirs = hosts;
  fewer.members = {sensor};
  theirs.name = "theirs";
  struct Case {
    const char* what;
    std::vector<HostRule> rules;
    std::vector<ClusterGroup> groups;
    const char* port;
    std::vector<std::string> globs;
    std::string steps;
  };
  const std::string at = " cluster C1/", group = "DRS VM group" + at + name,
                    of_hosts = "DRS host group" + at + on, whole = "DRS VM-host rule" + at + name;
  const std::string text = ": " + name + " should run on " + on + "\n";
  const Case cases[] = {
      {"nothing is there, and groups come first",
       {},
       {theirs},
       "drive/n1",
       {"esx2", "nowhere"},
       "create " + group + ": 2 machines\ncreate " + of_hosts + ": 1 host\ncreate " + whole + text},
      {"it is there", {rule}, {machines, hosts, theirs}, "drive/n1", {"esx2"}, ""},
      {"disabled", {disabled}, {machines, hosts}, "drive/n1", {"esx2"}, "change " + whole + text},
      {"mandatory", {must}, {machines, hosts}, "drive/n1", {"esx2"}, "change " + whole + text},
      {"a machine is missing",
       {rule},
       {fewer, hosts},
       "drive/n1",
       {"esx2"},
       "change " + group + ": 2 machines\n"},
      {"another host",
       {rule},
       {machines, hosts},
       "drive/n1",
       {"esx*"},
       "change " + of_hosts + ": 2 hosts\n"},
      {"no such host", {}, {}, "drive/n1", {"nowhere"}, ""},
      {"nobody needs it, and the rule goes first",
       {rule},
       {machines, hosts, theirs},
       "nobody/n1",
       {"esx2"},
       "remove " + whole + "\nremove " + of_hosts + "\nremove " + group + "\n"},
  };
  for (const Case& each : cases) {
    Inventory in = two_hosts();
    for (const Ref& ref : {kEsx1, kEsx2})
      change_host(in, ref, [&](Host& host) { host.cluster = cluster; });
    in.clusters.set(cluster, {"C1", true, {}, each.rules, each.groups});
    Observer observer({"vmirror", {}, true, moving()});
    const auto seen = observer.update(in, {});
    const auto realiser = make_realiser({"vmirror", {}, {}, {}, moving(), false, each.globs});
    const Realisation made =
        realise({{local_session("vSwitch0@esx2", each.port)}}, *seen, *realiser);
    std::string out;
    for (const Step& step : diff(made.objects, *seen))
      if (step.key.kind.starts_with("DRS")) out += step.text() + "\n";
    EXPECT_EQ(out, each.steps) << each.what;
  }
}

TEST(Span, StepsBecomeCallsOfTheHost) {
  const auto calls = [](const Became& is, const SpanOptions& span, const Inventory& world,
                        const AskedOptions& options = {}) {
    Observer observer({"vmirror", {}, true, span});
    observer.update(world, {}, options);
    const auto steps = diff(is.made.objects, *is.world);
    const auto changes =
        compose(steps, *is.world,
                {[&](const std::string& name) { return observer.ref_of(name); },
                 [&](const std::string& name) { return observer.standard_of(name); }, span.park});
    if (!changes) return changes.error().text();
    std::string out;
    for (const SpanChange& change : changes->standard)
      for (const SpanStep& step : change.steps) {
        out += std::to_string(static_cast<int>(step.kind)) + " " + change.at.vswitch + " " +
               step.group + (step.accept ? " accept" : "") + " " + step.machine.id;
        for (const std::string& group : step.toggled) out += group;
        out += "\n";
      }
    return out;
  };
  EXPECT_EQ(calls(become(two_hosts(), moving(), {kPlc}), moving(), two_hosts()),
            "0 vSwitch0 SPAN (vmirror) accept \n5 vSwitch0 SPAN (vmirror) sensor\n")
      << "made in promiscuous mode by one call";
  EXPECT_EQ(calls(become(in_place(), moving(), {}), moving(), in_place()),
            "5 vSwitch0 Idle sensor\n4 vSwitch0 SPAN (vmirror) \n2 vSwitch0 SPAN (vmirror) \n");
}

}  // namespace
}  // namespace vmirror::vsphere
