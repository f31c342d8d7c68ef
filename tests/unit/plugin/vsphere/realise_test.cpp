// From an inventory and sessions to mirroring sessions and verdicts, without a server.
#include "plugin/vsphere/realise.hpp"

#include <gtest/gtest.h>

#include "plugin/api/diff.hpp"
#include "plugin/api/mirror_object.hpp"
#include "plugin/vsphere/compose.hpp"
#include "plugin/vsphere/observe.hpp"
#include "plugin/vsphere/session_object.hpp"

namespace vmirror::vsphere {
namespace {

const Ref kSwitch{"VmwareDistributedVirtualSwitch", "dvs-1"};
const Ref kHosts[] = {{"HostSystem", "host-1"}, {"HostSystem", "host-2"}};
constexpr const char* kMonitor = "00:50:56:00:00:99";

Nic nic(int key, const char* mac, const char* group, const char* port) {
  Nic out;
  out.key = key;
  out.label = "Network adapter " + std::to_string(key - 3999);
  out.mac = *Mac::parse(mac);
  out.connected = true;
  out.backing.kind = Backing::Kind::dv_port;
  out.backing.switch_uuid = "AB 01";
  out.backing.portgroup_key = group;
  out.backing.port_key = port;
  return out;
}

void add(Inventory& to, const char* id, const char* name, const Ref& host, std::vector<Nic> nics) {
  Machine out;
  out.name = name;
  out.uuid = std::string("5000-") + id;
  out.host = host;
  out.powered_on = true;
  out.nics = std::move(nics);
  to.machines.set({"VirtualMachine", id}, out);
}

void add_group(Inventory& to, const char* key, bool promiscuous, const char* backing) {
  DistributedPortGroup out;
  out.key = key;
  out.name = std::string("group ") + key;
  out.distributed_switch = kSwitch;
  out.promiscuous = promiscuous;
  out.backing = backing;
  to.port_groups.set({"DistributedVirtualPortgroup", key}, out);
}

/// Machines a (port 10) and c (12, promiscuous; 13, NSX's) on host 1, b (11) and the monitor NIC's
/// (20) on host 2; d on a standard switch, e on NSX's own network.
Inventory inventory() {
  Inventory out;
  for (const Ref& ref : kHosts) {
    Host host;
    host.name = ref.id;
    host.port_groups = {{"VM Network", "vSwitch0", 7, false}};
    out.hosts.set(ref, host);
  }
  DistributedSwitch dvs;
  dvs.name = "DVS0";
  dvs.uuid = "ab 01";
  dvs.config_version = "3";
  dvs.uplinks = {"Uplink 1", "Uplink 2"};
  dvs.capability = {true, true, true, true, true, true, true, true};
  out.switches.set(kSwitch, dvs);
  add_group(out, "plain", false, "standard");
  add_group(out, "open", true, "");
  add_group(out, "nsx", false, "nsx");
  add(out, "vm-1", "a", kHosts[0], {nic(4000, "00:50:56:00:00:01", "plain", "10")});
  add(out, "vm-2", "b", kHosts[1], {nic(4000, "00:50:56:00:00:02", "plain", "11")});
  add(out, "vm-3", "c", kHosts[0],
      {nic(4000, "00:50:56:00:00:03", "open", "12"), nic(4001, "00:50:56:00:00:04", "nsx", "13")});
  Nic standard = nic(4000, "00:50:56:00:00:05", "", ""), opaque = standard;
  standard.backing = {};
  standard.backing.kind = Backing::Kind::port_group;
  standard.backing.network = "VM Network";
  add(out, "vm-4", "d", kHosts[0], {standard});
  opaque.backing = {};
  opaque.backing.kind = Backing::Kind::opaque;
  add(out, "vm-5", "e", kHosts[0], {opaque});
  add(out, "vm-6", "appliance", kHosts[1], {nic(4000, kMonitor, "plain", "20")});
  return out;
}

void change_switch(Inventory& in, const std::function<void(DistributedSwitch&)>& change) {
  DistributedSwitch dvs = in.switches.at(kSwitch);
  change(dvs);
  in.switches.set(kSwitch, dvs);
}

vmirror::Session session(const char* port, Target target, Direction direction = Direction::both,
                         std::uint32_t snaplen = 0) {
  vmirror::Session s;
  s.name = std::string(port) + "@" + to_text(target);
  s.switch_name = "DVS0";
  s.port = port;
  s.direction = direction;
  s.snaplen = snaplen;
  s.target = std::move(target);
  return s;
}

ErspanTarget erspan(int version, std::optional<std::uint16_t> id) {
  ErspanTarget out;
  out.address = *IpAddress::parse("192.0.2.9");
  out.version = version;
  out.session = id;
  return out;
}
GreTarget gre(std::optional<std::uint32_t> key) {
  return {*IpAddress::parse("2001:db8::9"), key};
}
LocalTarget local() {
  return {*Mac::parse(kMonitor)};
}

struct Made {
  Verdict verdict;
  std::string object;  ///< The only one's text; empty: none.
};

Made make(const Inventory& in, const vmirror::Session& s, RealiserOptions options = {"vmirror"},
          const AskedPorts& asked = {}) {
  Observer observer({options.owner, options.receiver});
  const auto world = observer.update(in, asked);
  const auto realiser = make_realiser(options);
  const Realisation out = realise({{s}}, *world, *realiser);
  Made made{out.verdicts.at(0), {}};
  for (const auto& [key, object] : out.objects)
    made.object += key.name + ": " + object.value->text();
  return made;
}

TEST(VsphereRealiser, EachTargetBecomesASessionOfItsType) {
  const struct {
    const char* name;
    vmirror::Session session;
    bool receiver;
    const char* object;
  } kCases[] = {
      {"ERSPAN II", session("10", erspan(2, 5)), false,
       "vmirror-erspan-192.0.2.9-5: encapsulatedRemoteMirrorSource erspan2 ID 5 received by "
       "dvPorts "
       "{10} sent by dvPorts {10} -> address {192.0.2.9}"},
      {"ERSPAN III, one direction, cut", session("10", erspan(3, 0), Direction::in, 96), false,
       "vmirror-erspan-192.0.2.9-iii-0-s96: encapsulatedRemoteMirrorSource erspan3 ID 0 received "
       "by "
       "dvPorts {10} -> address {192.0.2.9} length 96"},
      {"GRE over IPv6", session("11", gre({}), Direction::out), false,
       "vmirror-gre-2001:db8::9: encapsulatedRemoteMirrorSource gre sent by dvPorts {11} -> "
       "address "
       "{2001:db8::9}"},
      {"RSPAN", session("10", RspanTarget{100}), false,
       "vmirror-rspan-100: remoteMirrorSource received by dvPorts {10} sent by dvPorts {10} -> "
       "uplink {Uplink 1} VLAN 100"},
      {"to the engine by its monitor NIC", session("11", local()), false,
       "vmirror-local: dvPortMirror received by dvPorts {11} sent by dvPorts {11} -> dvPort {20}"},
      {"promiscuous: received alone", session("12", erspan(2, 5), Direction::in), false,
       "vmirror-erspan-192.0.2.9-5: encapsulatedRemoteMirrorSource erspan2 ID 5 received by "
       "dvPorts "
       "{12} -> address {192.0.2.9}"},
  };
  for (const auto& c : kCases) {
    const Made made = make(inventory(), c.session);
    EXPECT_FALSE(made.verdict.refused) << c.name << ": " << made.verdict.refused->text();
    EXPECT_EQ(made.object, c.object) << c.name;
  }
}

TEST(VsphereRealiser, TheEngineIsSentErspanWhereItTakesItIn) {
  RealiserOptions options{"vmirror", IpAddress::parse("192.0.2.50").value(), {}};
  const Made made = make(inventory(), session("10", local()), options);
  ASSERT_FALSE(made.verdict.refused) << made.verdict.refused->text();
  ASSERT_TRUE(made.verdict.session_id);
  const std::string id = std::to_string(*made.verdict.session_id);
  EXPECT_EQ(made.object,
            "vmirror-local-" + id + ": encapsulatedRemoteMirrorSource erspan2 ID " + id +
                " received by dvPorts {10} sent by dvPorts {10} -> address {192.0.2.50}");
  EXPECT_TRUE(made.verdict.warnings.empty()) << "it follows the machine";
}

TEST(VsphereRealiser, WhatCannotBeHadIsRefusedByName) {
  Inventory denied = inventory(), extension = inventory(), no_uplink = inventory();
  change_switch(denied, [](DistributedSwitch& dvs) {
    dvs.capability.erspan = dvs.capability.dv_port = false;
  });
  change_switch(extension, [](DistributedSwitch& dvs) { dvs.extension = "com.example.switch"; });
  const auto elsewhere = [](vmirror::Session s, const char* name) {
    s.switch_name = name;
    return s;
  };
  RealiserOptions wrong_uplink{"vmirror", {}, "Uplink 9"};
  using enum Error::Kind;
  const struct {
    const char* name;
    Inventory world;
    vmirror::Session session;
    RealiserOptions options;
    Error::Kind kind;
    const char* words;
  } kCases[] = {
      {"flag",
       denied,
       session("10", erspan(2, 5)),
       {"vmirror"},
       unsupported,
       "erspanProtocolSupported"},
      {"flag of ports",
       denied,
       session("10", local()),
       {"vmirror"},
       unsupported,
       "dvportSupported"},
      {"extension",
       extension,
       session("10", gre({})),
       {"vmirror"},
       unsupported,
       "com.example.switch"},
      {"GRE key", inventory(), session("10", gre(7)), {"vmirror"}, unsupported, "without a key"},
      {"promiscuous",
       inventory(),
       session("12", erspan(2, 5)),
       {"vmirror"},
       refused,
       "promiscuous mode"},
      {"NSX's port group",
       inventory(),
       session("13", erspan(2, 5)),
       {"vmirror"},
       unsupported,
       "group nsx is managed by NSX"},
      {"NSX's network",
       inventory(),
       elsewhere(session("e/Network adapter 1", erspan(2, 5)), "NSX (opaque networks)"),
       {"vmirror"},
       unsupported,
       "NSX alone can mirror"},
      {"standard switch",
       inventory(),
       elsewhere(session("d/Network adapter 1", erspan(2, 5)), "vSwitch0@host-1"),
       {"vmirror"},
       unsupported,
       "standard switch"},
      {"uplink",
       inventory(),
       session("Uplink 1", erspan(2, 5)),
       {"vmirror"},
       refused,
       "uplink of the hosts"},
      {"own monitor NIC",
       inventory(),
       session("20", local()),
       {"vmirror"},
       refused,
       "copied again"},
      {"no such monitor NIC",
       inventory(),
       session("10", LocalTarget{*Mac::parse("00:50:56:00:00:42")}),
       {"vmirror"},
       missing,
       "00:50:56:00:00:42"},
      {"no receiver",
       inventory(),
       session("10", LocalTarget{}),
       {"vmirror"},
       invalid,
       "takes copies in"},
      {"too short",
       inventory(),
       session("10", erspan(2, 5), Direction::both, 59),
       {"vmirror"},
       invalid,
       "snaplen 59"},
      {"no such uplink", inventory(), session("10", RspanTarget{100}), wrong_uplink, missing,
       "Uplink 9"},
      {"restricted RSPAN",
       inventory(),
       session("10", RspanTarget{100, true}),
       {"vmirror"},
       unsupported,
       "off no trunk"},
  };
  for (const auto& c : kCases) {
    const Made made = make(c.world, c.session, c.options);
    ASSERT_TRUE(made.verdict.refused) << c.name << ": " << made.object;
    EXPECT_EQ(made.verdict.refused->kind, c.kind) << c.name;
    EXPECT_NE(made.verdict.refused->text().find(c.words), std::string::npos)
        << c.name << ": " << made.verdict.refused->text();
    EXPECT_EQ(made.object, "") << c.name;
  }
}

TEST(VsphereRealiser, NoPortIsCopiedToItsOwnMachine) {
  Inventory told = inventory();
  Machine machine = told.machines.at({"VirtualMachine", "vm-1"});
  machine.addresses[4000] = {"fe80::1", "192.0.2.9", "2001:db8::9"};
  told.machines.set({"VirtualMachine", "vm-1"}, machine);
  const auto receiver = IpAddress::parse("192.0.2.9").value();
  const RealiserOptions by_tools{"vmirror", receiver, {}};
  const RealiserOptions by_mac{"vmirror", receiver, {}, {*Mac::parse("00:50:56:00:00:01")}};
  for (const auto& [session, options, world] :
       {std::tuple(session("10", erspan(2, 5)), by_tools, told),
        {session("10", gre({})), by_tools, told},
        {session("10", local()), by_tools, told},
        {session("10", local()), by_mac, inventory()}}) {
    const Made made = make(world, session, options);
    ASSERT_TRUE(made.verdict.refused) << session.name;
    EXPECT_NE(made.verdict.refused->what.find("copied again"), std::string::npos);
  }
  EXPECT_FALSE(make(told, session("11", erspan(2, 5)), by_tools).verdict.refused);
  EXPECT_FALSE(make(told, session("11", local()), by_mac).verdict.refused);
}

TEST(VsphereRealiser, APortsOwnPolicyIsAskedForAndCounts) {
  DvPort own;
  own.key = "12";
  own.promiscuous = false;
  AskedPorts asked;
  asked.set({kSwitch, "12"}, own);
  EXPECT_FALSE(make(inventory(), session("12", erspan(2, 5)), {"vmirror"}, asked).verdict.refused);
  own.key = "10";
  own.promiscuous = true;
  asked.set({kSwitch, "10"}, own);
  EXPECT_TRUE(make(inventory(), session("10", erspan(2, 5)), {"vmirror"}, asked).verdict.refused);
}

TEST(VsphereRealiser, SaysWhatAPersonShouldKnow) {
  const Made apart = make(inventory(), session("10", local()));
  ASSERT_EQ(apart.verdict.warnings.size(), 1u);
  EXPECT_NE(apart.verdict.warnings[0].find("10 is on host-1, the monitor NIC's 20 is on host-2"),
            std::string::npos)
      << apart.verdict.warnings[0];
  EXPECT_TRUE(make(inventory(), session("11", local())).verdict.warnings.empty());
  Inventory shared = inventory();
  change_switch(shared, [](DistributedSwitch& dvs) {
    Mirror theirs;
    theirs.name = "theirs";
    theirs.output = AddressOutput{erspan(2, 5)};
    dvs.sessions = {session_of(theirs, "somebody else", {})};
  });
  const Made both = make(shared, session("10", erspan(2, 5)));
  ASSERT_EQ(both.verdict.warnings.size(), 1u);
  EXPECT_NE(both.verdict.warnings[0].find("`theirs`"), std::string::npos);
}

// ---- Observation --------------------------------------------------------------------------------

TEST(VsphereObserver, AMoveCostsOnePortAndKeepsItsIdentity) {
  Observer observer({"vmirror", {}});
  Inventory now = inventory();
  const auto before = observer.update(now, {});
  EXPECT_EQ(observer.update(now, {}), before) << "nothing changed";
  Machine moved = now.machines.at({"VirtualMachine", "vm-1"});
  moved.host = kHosts[1];
  now.machines.set({"VirtualMachine", "vm-1"}, moved);
  const auto after = observer.update(now, {});
  std::vector<std::string> changed;
  diff_ports(*before, *after, [&](const PortKey& at, const Port* was, const Port* is) {
    ASSERT_TRUE(was && is);
    EXPECT_EQ(was->id, is->id);
    changed.push_back(at.port + " " + was->labels.at("vm-host") + ">" + is->labels.at("vm-host"));
  });
  EXPECT_EQ(changed, std::vector<std::string>{"10 host-1>host-2"});
}

TEST(VsphereObserver, AMoveOnAStandardSwitchIsToTheOtherHostsSwitch) {
  Observer observer({"vmirror", {}});
  Inventory now = inventory();
  EXPECT_TRUE(observer.update(now, {})->switches.contains("vSwitch0@host-1"));
  Machine moved = now.machines.at({"VirtualMachine", "vm-4"});
  moved.host = kHosts[1];
  now.machines.set({"VirtualMachine", "vm-4"}, moved);
  const auto after = observer.update(now, {});
  EXPECT_FALSE(after->switches.contains("vSwitch0@host-1"));
  const Port& port = after->switches.at("vSwitch0@host-2").ports.at("d/Network adapter 1");
  EXPECT_EQ(port.vlan, 7);
  EXPECT_EQ(port.labels.at("portgroup"), "VM Network");
}

TEST(VsphereObserver, WhatIsOursIsToldByTheMarkAndTwinsBothAreSeen) {
  Inventory now = inventory();
  Mirror mirror;
  mirror.name = "vmirror-x";
  mirror.switch_name = "DVS0";
  mirror.in_ports = {"10"};
  mirror.output = AddressOutput{erspan(2, 5)};
  change_switch(now, [&](DistributedSwitch& dvs) {
    for (const auto& [key, owner] : {std::pair("1", "vmirror"), {"2", "vmirror"}, {"3", "other"}}) {
      dvs.sessions.push_back(session_of(mirror, owner, {}));
      dvs.sessions.back().key = key;
    }
  });
  Observer observer({"vmirror", {}});
  const auto world = observer.update(now, {});
  std::string text;
  for (const auto& [key, is] : world->objects)
    text += key.name + (is.owned ? " ours\n" : " theirs\n");
  EXPECT_EQ(text, "vmirror-x ours\nvmirror-x (key 2) ours\nvmirror-x (key 3) theirs\n");
  EXPECT_TRUE(world->switches.at("DVS0").mirrors.at("vmirror-x").same_as(mirror));
}

TEST(VsphereObserver, WhereAnotherAgentActsNothingIsOurs) {
  Inventory now = inventory();
  Mirror mirror;
  mirror.name = "vmirror-x";
  mirror.in_ports = {"10"};
  mirror.output = AddressOutput{erspan(2, 5)};
  change_switch(
      now, [&](DistributedSwitch& dvs) { dvs.sessions = {session_of(mirror, "vmirror", {})}; });
  Observer observer({"vmirror", {}, false});
  const auto world = observer.update(now, {});
  const auto realiser = make_realiser({"vmirror"});
  const Realisation out = realise({{session("10", erspan(2, 5))}}, *world, *realiser);
  EXPECT_NE(out.verdicts[0].refused.value().text().find("acts: false"), std::string::npos);
  EXPECT_TRUE(diff(out.objects, *world).empty()) << "it takes nothing of the other's away";
}

// ---- Objects and steps --------------------------------------------------------------------------

TEST(VsphereSession, EachEditByHandIsADifference) {
  Mirror mirror;
  mirror.name = "vmirror-x";
  mirror.in_ports = {"10", "11"};
  mirror.output = AddressOutput{erspan(3, 5)};
  const VspanSession good = session_of(mirror, "vmirror", {});
  VspanSession as_read = good;  // As a server may write its defaults out.
  as_read.key = "7";
  as_read.received.ports = {"11", "10"};
  as_read.length = 0;
  as_read.erspan_cos = 0;
  as_read.erspan_nanoseconds = false;
  as_read.normal_traffic = false;
  EXPECT_EQ(SessionValue(good).difference(SessionValue(as_read)), "");
  const struct {
    const char* difference;
    std::function<void(VspanSession&)> edit;
  } kCases[] = {
      {"source ports differ", [](VspanSession& s) { s.received.ports.pop_back(); }},
      {"source ports differ", [](VspanSession& s) { s.transmitted.ports = {"10"}; }},
      {"session type differs", [](VspanSession& s) { s.type = "mixedDestMirror"; }},
      {"destination differs", [](VspanSession& s) { s.destination.addresses = {"192.0.2.1"}; }},
      {"enabled differs", [](VspanSession& s) { s.enabled = false; }},
      {"encapsulation type differs", [](VspanSession& s) { s.encapsulation.clear(); }},
      {"ERSPAN ID differs", [](VspanSession& s) { s.erspan_id = 6; }},
      {"ERSPAN options differ", [](VspanSession& s) { s.erspan_nanoseconds = true; }},
      {"mirrored packet length differs", [](VspanSession& s) { s.length = 100; }},
      {"sampling rate differs", [](VspanSession& s) { s.sampling_rate = 10; }},
      {"stripping of the VLAN differs", [](VspanSession& s) { s.strip_vlan = true; }},
      {"network stack differs", [](VspanSession& s) { s.netstack = "mirror"; }},
  };
  for (const auto& c : kCases) {
    VspanSession edited = good;
    c.edit(edited);
    EXPECT_EQ(SessionValue(good).difference(SessionValue(edited)), c.difference);
  }
}

TEST(VsphereSession, AnEditThatTakesAFieldAwayIsMadeAnew) {
  Mirror mirror;
  mirror.name = "vmirror-x";
  mirror.in_ports = mirror.out_ports = {"10"};
  mirror.output = AddressOutput{erspan(2, 5)};
  const auto value = [&](const char* key) {
    VspanSession s = session_of(mirror, "vmirror", {});
    s.key = key;
    return std::make_shared<const SessionValue>(s);
  };
  const auto seen = value("7");
  mirror.in_ports.insert("11");
  Step step{Step::Verb::change, mirror_key("DVS0", "vmirror-x"), value(""), seen, "3"};
  const auto text = [&] {
    const auto changes = compose({&step, 1}, {}, {[](const std::string&) { return &kSwitch; }});
    if (!changes || changes->distributed.size() != 1) return std::string("none");
    std::string out = changes->distributed.at(0).version;
    for (const VspanChange& each : changes->distributed.at(0).changes)
      out += " " + std::to_string(static_cast<int>(each.operation)) + ":" + each.session.key;
    return out;
  };
  EXPECT_EQ(text(), "3 1:7") << "an edit by the key";
  mirror.out_ports.clear();
  step.value = value("");
  EXPECT_EQ(text(), "3 2:7 0:") << "removed and added, in one task";
}

}  // namespace
}  // namespace vmirror::vsphere
