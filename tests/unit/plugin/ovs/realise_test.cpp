// What sessions become on bridges: output ports, session IDs, and the loops that are refused.
#include <gtest/gtest.h>

#include <functional>
#include <regex>
#include <set>

#include "plugin/ovs/objects.hpp"
#include "plugin/ovs/outputs.hpp"

namespace vmirror::ovs {
namespace {

IpAddress ip(const char* text) {
  return *IpAddress::parse(text);
}
ErspanTarget erspan(const char* address, int version = 2,
                    std::optional<std::uint16_t> session = {}) {
  return {ip(address), version, session};
}
GreTarget gre(const char* address, std::optional<std::uint32_t> key = {}) {
  return {ip(address), key};
}

Session session(const Target& target, const std::string& port = "vnet0",
                const std::string& bridge = "br0", Direction direction = Direction::both) {
  return {
      bridge + "/" + port + "@" + to_text(target), "p", bridge, port, direction, 0, {}, {}, target};
}

Observed world() {
  Observed observed;
  for (const char* bridge : {"br0", "br1", "a-long-bridge-name"}) {
    Switch& sw = observed.switches[bridge];
    sw.name = bridge;
    sw.capabilities = {
        .version = "Open vSwitch 3.1.0",
        .mirrors = 32,
        .targets = {TargetKind::local, TargetKind::erspan2, TargetKind::erspan3, TargetKind::gre,
                    TargetKind::rspan},
        .snaplen = SnaplenRange{14, 65535},
        .match = false,
        .proofs = {ProofSource::engine, ProofSource::mirror_counter, ProofSource::collector}};
    for (const char* name : {"vnet0", "vnet1"}) sw.ports[name].name = name;
    sw.ports[bridge].name = bridge;
    sw.ports[bridge].type = "internal";
  }
  Port& nic = observed.switches["br0"].ports["mon"];
  nic.name = "mon";
  nic.mac = *Mac::parse("52:54:00:00:00:01");
  return observed;
}
Port& add_port(Observed& observed, const std::string& bridge, const std::string& name) {
  Port& port = observed.switches[bridge].ports[name];
  port.name = name;
  return port;
}

/// A tunnel of ours to 192.0.2.1 that leaves through `egress`.
void add_tunnel(Observed& observed, const std::string& egress) {
  Port& tunnel = add_port(observed, "br1", "t");
  tunnel.owned = true;
  tunnel.type = "erspan";
  tunnel.tunnel = TunnelEnd{"192.0.2.1", {}};
  tunnel.egress = egress;
}
Session with_snaplen(const Target& target) {
  Session s = session(target);
  s.snaplen = 100;
  return s;
}

/// With a name's hash replaced by '#'.
std::string masked(const std::string& text) {
  return std::regex_replace(text, std::regex("vmr-[0-9a-f]{11}"), "vmr-#");
}

/// A port of ours that is wanted.
struct OwnPort {
  std::string name, switch_name, type;
  PortValue::Options options;
  bool operator==(const OwnPort&) const = default;

  std::optional<TunnelEnd> tunnel() const {
    if (!options.contains("remote_ip")) return std::nullopt;
    TunnelEnd end{options.at("remote_ip"), {}};
    if (options.contains("key")) end.key = std::stoul(options.at("key"));
    return end;
  }
};
std::vector<OwnPort> ports_of(const Realisation& r) {
  std::vector<OwnPort> out;
  for (const auto& [key, object] : r.objects)
    if (const auto* port = value_as<PortValue>(object.value.get()))
      out.push_back({key.name, key.switch_name, port->type, port->options});
  return out;
}

std::string text_of(const OwnPort& port) {
  return port.switch_name + "/" + port.name + ": " + PortValue(port.type, port.options).text();
}

TEST(OvsRealise, MakesAnOutputForEachTarget) {
  const struct {
    const char* name;
    std::vector<Session> sessions;
    std::vector<std::string> ports;
    std::string output;
  } cases[] = {
      {"local", {session(LocalTarget{})}, {"br0/vmr-br0: internal mtu_request=1500"}, "vmr-br0"},
      {"local, where the name is longer than a device's",
       {session(LocalTarget{}, "vnet0", "a-long-bridge-name")},
       {"a-long-bridge-name/vmr-#: internal mtu_request=1500"},
       "vmr-#"},
      {"the appliance's monitor NIC",
       {session(LocalTarget{*Mac::parse("52:54:00:00:00:01")})},
       {"br0/vmr-br0: internal mtu_request=1500"},
       "mon"},
      {"ERSPAN II",
       {session(erspan("192.0.2.1", 2, 7))},
       {"br0/vmr-#: erspan erspan_ver=1 key=7 remote_ip=192.0.2.1"},
       "vmr-#"},
      {"ERSPAN III, both directions: marked as ingress",
       {session(erspan("192.0.2.1", 3, 7))},
       {"br0/vmr-#: erspan erspan_dir=0 erspan_ver=2 key=7 remote_ip=192.0.2.1"},
       "vmr-#"},
      {"ERSPAN III, only what the guest receives: egress",
       {session(erspan("192.0.2.1", 3, 7), "vnet0", "br0", Direction::in)},
       {"br0/vmr-#: erspan erspan_dir=1 erspan_ver=2 key=7 remote_ip=192.0.2.1"},
       "vmr-#"},
      {"ERSPAN over IPv6",
       {session(erspan("2001:db8::1", 2, 7))},
       {"br0/vmr-#: ip6erspan erspan_ver=1 key=7 remote_ip=2001:db8::1"},
       "vmr-#"},
      {"GRE", {session(gre("192.0.2.1"))}, {"br0/vmr-#: gre remote_ip=192.0.2.1"}, "vmr-#"},
      {"GRE with a key",
       {session(gre("192.0.2.1", 70000))},
       {"br0/vmr-#: gre key=70000 remote_ip=192.0.2.1"},
       "vmr-#"},
      {"RSPAN",
       {session(RspanTarget{100})},
       {"br0/vmr-br0: internal mtu_request=1500"},
       "vlan 100"},
  };
  for (const auto& c : cases) {
    const Realisation r = realise_once({c.sessions}, world(), "vmirror");
    std::vector<std::string> ports;
    for (const OwnPort& port : ports_of(r)) {
      EXPECT_LE(port.name.size(), 15u) << c.name;
      ports.push_back(masked(text_of(port)));
    }
    EXPECT_EQ(ports, c.ports) << c.name;
    ASSERT_FALSE(r.verdicts[0].refused) << c.name << ": " << r.verdicts[0].refused->text();
    EXPECT_EQ(masked(r.verdicts[0].output), c.output) << c.name;
  }
}

TEST(OvsRealise, TheLocalPortTakesTheLargestFrameThatIsCopiedToIt) {
  Observed observed = world();
  observed.switches["br0"].ports["vnet0"].mtu = 1400;
  observed.switches["br0"].ports["vnet1"].mtu = 9000;
  const auto mtu = [&](std::vector<Session> sessions) {
    return ports_of(realise_once({sessions}, observed, "vmirror")).at(0).options.at("mtu_request");
  };
  EXPECT_EQ(mtu({session(LocalTarget{})}), "1500");
  EXPECT_EQ(mtu({session(LocalTarget{}), session(LocalTarget{}, "vnet1")}), "9000");
}

/// Of mirrors with one output the switch makes one copy of a frame.
TEST(OvsRealise, SessionsThatWantMoreOrLessOfAFrameShareNoOutputOrAreWarned) {
  const struct {
    const char* name;
    Target target;
    std::size_t outputs;  ///< Of four sessions: two whole, one cut, one of a VLAN.
    bool warned;
  } cases[] = {
      {"the engine", LocalTarget{}, 3, false},
      {"ERSPAN with an ID of our choice", erspan("192.0.2.1"), 3, false},
      {"ERSPAN with a given ID", erspan("192.0.2.1", 2, 7), 1, true},
      {"GRE", gre("192.0.2.1"), 1, true},
      {"RSPAN", RspanTarget{100}, 1, true},
      {"a monitor NIC", LocalTarget{*Mac::parse("52:54:00:00:00:01")}, 1, true},
  };
  for (const auto& c : cases) {
    std::vector<Session> sessions;
    for (const char* port : {"vnet0", "vnet1", "br0", "vnet2"}) {
      sessions.push_back(session(c.target, port));
      sessions.back().name = port;
    }
    sessions[1].snaplen = 100;
    sessions[3].vlans = {10};
    Observed observed = world();
    add_port(observed, "br0", "vnet2");
    add_port(observed, "br0", "vnet3");
    sessions[2].port = "vnet3";
    const Realisation r = realise_once({sessions}, observed, "vmirror");
    std::set<std::string> outputs;
    for (const Verdict& v : r.verdicts) {
      ASSERT_FALSE(v.refused) << c.name << ": " << v.refused->text();
      outputs.insert(v.output);
      EXPECT_EQ(!v.warnings.empty(), c.warned) << c.name;
    }
    EXPECT_EQ(outputs.size(), c.outputs) << c.name;
    EXPECT_EQ(r.mirrors.size(), 3u) << c.name;
    EXPECT_EQ(r.verdicts[0].output, r.verdicts[2].output) << c.name;

    const Realisation same = realise_once({{sessions[0], sessions[2]}}, observed, "vmirror");
    for (const std::string& warning : same.verdicts[0].warnings)
      EXPECT_EQ(warning.find("to the same output"), std::string::npos) << c.name << ": " << warning;
    EXPECT_EQ(same.verdicts[0].output, r.verdicts[0].output) << c.name << ": it stays where it was";

    const Realisation cut = realise_once({{sessions[1]}}, observed, "vmirror");
    EXPECT_EQ(cut.verdicts[0].output, r.verdicts[0].output) << c.name << ": alone it has the same";
    for (const Mirror& m : cut.mirrors) {
      Mirror& is = observed.switches["br0"].mirrors[m.name] = m;
      is.owned = true;
    }
    const Realisation later = realise_once({sessions}, observed, "vmirror");
    EXPECT_EQ(later.verdicts[1].output, cut.verdicts[0].output) << c.name << ": and keeps it";
    EXPECT_EQ(later.verdicts[0].output == later.verdicts[1].output, c.warned) << c.name;
  }
}

TEST(OvsRealise, SessionIdsAreStableAndDoNotClash) {
  const Desired two = {
      {session(erspan("192.0.2.1")), session(erspan("192.0.2.1"), "vnet0", "br1")}};
  const auto ids = [](const Realisation& r) {
    std::vector<std::uint32_t> out;
    for (const Verdict& v : r.verdicts) out.push_back(v.session_id.value_or(0));
    return out;
  };
  const std::vector<std::uint32_t> first = ids(realise_once(two, world(), "vmirror"));
  EXPECT_NE(first[0], first[1]) << "one collector tells two bridges apart, and so must the switch";
  for (const std::uint32_t id : first) EXPECT_TRUE(id >= 1 && id <= 1023) << id;
  EXPECT_EQ(ids(realise_once(two, world(), "vmirror")), first);
  EXPECT_NE(ids(realise_once(two, world(), "other")), first) << "another owner has other IDs";

  Observed taken = world();
  Port& foreign = add_port(taken, "br1", "theirs");
  foreign.type = "erspan";
  foreign.tunnel = TunnelEnd{"192.0.2.1", first[0]};
  const std::vector<std::uint32_t> evaded = ids(realise_once(two, taken, "vmirror"));
  EXPECT_NE(evaded[0], first[0]);
  EXPECT_EQ(evaded[1], first[1]);

  foreign.tunnel->remote = "192.0.2.2";
  EXPECT_EQ(ids(realise_once(two, taken, "vmirror")), first) << "to another collector it is free";

  // A port of ours keeps the ID that it has, also when the one it would rather have is free again.
  Observed kept = world();
  const OwnPort ours = ports_of(realise_once(two, world(), "vmirror")).at(0);
  Port& is = add_port(kept, ours.switch_name, ours.name);
  is.owned = true;
  is.type = "erspan";
  is.tunnel = ours.tunnel();
  is.tunnel->key = 77;
  EXPECT_EQ(ids(realise_once(two, kept, "vmirror"))[0], 77u);

  // So does one whose ID was asked for, and of two the first where neither is there.
  for (const Target& target : std::vector<Target>{erspan("192.0.2.1", 2, 7), gre("192.0.2.1")}) {
    const Desired same = {{session(target), session(target, "vnet0", "br1")}};
    Observed there = world();
    const Realisation on_br0 = realise_once(same, there, "vmirror");
    EXPECT_FALSE(on_br0.verdicts[0].refused);
    EXPECT_TRUE(on_br0.verdicts[1].refused);
    const OwnPort second =
        ports_of(realise_once({{session(target, "vnet0", "br1")}}, there, "vmirror")).at(0);
    Port& on_br1 = add_port(there, "br1", second.name);
    on_br1.owned = true;
    on_br1.type = second.type;
    on_br1.tunnel = second.tunnel();
    const Realisation kept_on_br1 = realise_once(same, there, "vmirror");
    EXPECT_TRUE(kept_on_br1.verdicts[0].refused);
    EXPECT_FALSE(kept_on_br1.verdicts[1].refused);
  }
}

TEST(OvsRealise, RefusesWithAReason) {
  using enum Error::Kind;
  const struct {
    const char* name;
    Session session;
    std::function<void(Observed&)> change;
    Error::Kind kind;
    const char* what;
  } cases[] = {
      {"a tunnel as source", session(LocalTarget{}),
       [](Observed& o) { o.switches["br0"].ports["vnet0"].type = "vxlan"; }, refused,
       "is a tunnel (vxlan)"},
      {"a patch port as source", session(LocalTarget{}),
       [](Observed& o) { o.switches["br0"].ports["vnet0"].type = "patch"; }, refused,
       "a patch port, of whose frames the switch copies none"},
      {"the monitor NIC itself",
       session(LocalTarget{*Mac::parse("52:54:00:00:00:01")}, "mon"),
       {},
       refused,
       "its own target"},
      {"no monitor NIC",
       session(LocalTarget{*Mac::parse("52:54:00:00:00:02")}),
       {},
       missing,
       "no port of the switch has the monitor NIC's MAC 52:54:00:00:00:02"},
      {"the monitor NIC is on another bridge",
       session(LocalTarget{*Mac::parse("52:54:00:00:00:01")}, "vnet0", "br1"),
       {},
       missing,
       "is on br0"},
      {"an uplink over a tunnel", session(erspan("192.0.2.1")),
       [](Observed& o) { o.switches["br0"].ports["vnet0"].uplink = true; }, refused,
       "leads out of the host"},
      {"the bridge's own port over a tunnel",
       session(gre("192.0.2.1"), "br0"),
       {},
       refused,
       "the host's own"},
      {"the port that the tunnel leaves through", session(erspan("192.0.2.1")),
       [](Observed& o) {
         Port& tunnel = add_port(o, "br1", "t");
         tunnel.owned = true;
         tunnel.type = "erspan";
         tunnel.tunnel = TunnelEnd{"192.0.2.1", {}};
         tunnel.egress = "vnet0";
       },
       refused, "leave through this port"},
      {"this host's own address", session(erspan("192.0.2.1")),
       [](Observed& o) { o.own_addresses = {ip("192.0.2.1")}; }, refused, "this host's own"},
      {"a loopback address", session(gre("127.0.0.9")), {}, refused, "this host's own"},
      {"IPv6's loopback address", session(erspan("::1")), {}, refused, "this host's own"},
      {"snaplen over ERSPAN in userspace", with_snaplen(erspan("192.0.2.1")),
       [](Observed& o) { o.switches["br0"].datapath = Datapath::userspace; }, unsupported,
       "cuts the tunnel's packet"},
      {"snaplen over GRE in userspace", with_snaplen(gre("192.0.2.1")),
       [](Observed& o) { o.switches["br0"].datapath = Datapath::userspace; }, unsupported,
       "cuts the tunnel's packet"},
      {"a port of nobody knows whom, and a way that nobody knows", session(erspan("192.0.2.1")),
       [](Observed& o) { o.switches["br0"].ports["vnet0"].maybe_uplink = true; }, refused,
       "has not said where"},
      {"a port of the bridge that the tunnel leaves through", session(erspan("192.0.2.1")),
       [](Observed& o) {
         o.switches["br0"].ports["vnet0"].maybe_uplink = true;
         add_tunnel(o, "br0");
       },
       refused, "leave through br0, of which the port is a part"},
      {"a port of a bridge that is patched to that one", session(erspan("192.0.2.1")),
       [](Observed& o) {
         o.switches["br0"].ports["vnet0"].maybe_uplink = true;
         add_port(o, "br1", "to-br0").peer = "to-br1";
         add_port(o, "br0", "to-br1").peer = "to-br0";
         add_tunnel(o, "br1");
       },
       refused, "leave through br1, of which the port is a part"},
      {"the collector's own port, as its labels say", session(erspan("192.0.2.1")),
       [](Observed& o) { o.switches["br0"].ports["vnet0"].labels["ip"] = "10.0.0.1,192.0.2.1/24"; },
       refused, "external_ids:ip has its address"},
      {"a port in the RSPAN VLAN", session(RspanTarget{100}),
       [](Observed& o) { o.switches["br0"].ports["vnet0"].vlan = 100; }, refused, "is in VLAN 100"},
      {"no such VLAN", session(RspanTarget{4095}), {}, invalid, "no VLAN 4095"},
      {"no such ERSPAN type", session(erspan("192.0.2.1", 1)), {}, invalid, "no ERSPAN type 1"},
      {"an ID of more than 10 bits",
       session(erspan("192.0.2.1", 2, 1024)),
       {},
       invalid,
       "out of range"},
      {"a group as collector", session(erspan("224.0.0.1")), {}, invalid, "no collector's address"},
      {"no collector", session(GreTarget{}), {}, invalid, "no collector's address"},
      {"a switch without ERSPAN", session(erspan("192.0.2.1")),
       [](Observed& o) { o.switches["br0"].capabilities.targets.erase(TargetKind::erspan2); },
       unsupported, "can't copy to ERSPAN II"},
      {"an ID that is taken", session(erspan("192.0.2.1", 2, 7)),
       [](Observed& o) {
         Port& port = add_port(o, "br1", "theirs");
         port.type = "erspan";
         port.tunnel = TunnelEnd{"192.0.2.1", 7};
       },
       exhausted, "key 7 is taken by br1/theirs"},
      {"a GRE tunnel that is taken", session(gre("192.0.2.1")),
       [](Observed& o) {
         Port& port = add_port(o, "br1", "theirs");
         port.type = "gre";
         port.tunnel = TunnelEnd{"192.0.2.1", {}};
       },
       exhausted, "no key is taken by br1/theirs"},
  };
  for (const auto& c : cases) {
    Observed observed = world();
    if (c.change) c.change(observed);
    const Realisation r = realise_once({{c.session}}, observed, "vmirror");
    ASSERT_TRUE(r.verdicts.at(0).refused) << c.name;
    EXPECT_EQ(r.verdicts[0].refused->kind, c.kind) << c.name;
    EXPECT_NE(r.verdicts[0].refused->text().find(c.what), std::string::npos)
        << c.name << ": " << r.verdicts[0].refused->text();
    EXPECT_TRUE(r.mirrors.empty()) << c.name;
  }
}

TEST(OvsRealise, MakesWhatOnlyLooksLikeALoop) {
  const struct {
    const char* name;
    Session session;
    std::function<void(Observed&)> change;
  } cases[] = {
      {"another port is known to lead out", session(erspan("192.0.2.1")),
       [](Observed& o) {
         o.switches["br0"].ports["vnet0"].maybe_uplink = true;
         add_port(o, "br0", "eth0").uplink = true;
         add_tunnel(o, "br0");
       }},
      {"the tunnel leaves through another bridge", session(erspan("192.0.2.1")),
       [](Observed& o) {
         o.switches["br0"].ports["vnet0"].maybe_uplink = true;
         add_tunnel(o, "br1");
       }},
      {"a guest's port of that bridge", session(erspan("192.0.2.1")),
       [](Observed& o) { add_tunnel(o, "br0"); }},
      {"snaplen on the kernel's datapath", with_snaplen(erspan("192.0.2.1")), {}},
      {"snaplen to the local engine in userspace", with_snaplen(LocalTarget{}),
       [](Observed& o) { o.switches["br0"].datapath = Datapath::userspace; }},
      {"another host's address", session(erspan("192.0.2.1")),
       [](Observed& o) { o.own_addresses = {ip("192.0.2.2")}; }},
  };
  for (const auto& c : cases) {
    Observed observed = world();
    if (c.change) c.change(observed);
    const Realisation r = realise_once({{c.session}}, observed, "vmirror");
    EXPECT_FALSE(r.verdicts.at(0).refused) << c.name << ": " << r.verdicts[0].refused->text();
  }
}

TEST(OvsRealise, ALoopThatOnlyTheTunnelTellsStaysKnown) {
  Observed observed = world();
  const Desired desired = {{session(erspan("192.0.2.1"))}};
  const OwnPort port = ports_of(realise_once(desired, observed, "vmirror")).at(0);
  Port& is = add_port(observed, "br0", port.name);
  is.owned = true;
  is.type = port.type;
  is.tunnel = port.tunnel();
  is.egress = "vnet0";
  const Realisation r = realise_once(desired, observed, "vmirror");
  EXPECT_TRUE(r.verdicts[0].refused);
  EXPECT_TRUE(r.mirrors.empty());
  EXPECT_EQ(ports_of(r), std::vector{port})
      << "else the next round would not know, and mirror again";
}

/// Who would get the copies of an RSPAN VLAN, and what becomes of the session.
TEST(OvsRealise, AnRspanVlanFloodsNobodyWhoDidNotAsk) {
  using Vlans = std::set<std::uint16_t>;
  const struct {
    const char* name;
    std::function<void(Port&)> port;  ///< Of `web`, a guest's.
    bool floods;                      ///< It would get them, and nobody asked for that.
    bool told;                        ///< It gets them, and is named.
  } cases[] = {
      {"no tag, no trunks", [](Port& p) { p.trunks = Vlans{}; }, true, false},
      {"and no word of a guest", [](Port& p) { p.trunks = Vlans{}, p.vm = ""; }, true, false},
      {"an access port", [](Port& p) { p.vlan = 10; }, false, false},
      {"trunks without the VLAN",
       [](Port& p) {
         p.trunks = Vlans{10, 20};
       },
       false, false},
      {"trunks with it",
       [](Port& p) {
         p.trunks = Vlans{10, 100};
       },
       false, true},
      {"its tag", [](Port& p) { p.vlan = 100; }, false, true},
      {"native-untagged, every VLAN", [](Port& p) { p.vlan = 10, p.trunks = Vlans{}; }, true,
       false},
      {"an uplink", [](Port& p) { p.trunks = Vlans{}, p.uplink = true; }, false, true},
      {"a patch port", [](Port& p) { p.trunks = Vlans{}, p.type = "patch"; }, false, true},
      {"the host's own device", [](Port& p) { p.trunks = Vlans{}, p.type = "internal", p.vm = ""; },
       false, true},
      {"a container's device", [](Port& p) { p.trunks = Vlans{}, p.type = "internal"; }, true,
       false},
      {"ours", [](Port& p) { p.trunks = Vlans{}, p.owned = true; }, false, false},
  };
  for (const auto& c : cases)
    for (const bool restrict : {false, true}) {
      SCOPED_TRACE(std::string(c.name) + (restrict ? ", restricted" : ""));
      Observed observed = world();
      Port& port = add_port(observed, "br0", "web");
      port.vm = "web";
      c.port(port);
      const Realisation r =
          realise_once({{session(RspanTarget{100, restrict})}}, observed, "vmirror");
      const Verdict& v = r.verdicts.at(0);
      std::string warnings;
      for (const std::string& warning : v.warnings) warnings += warning + "\n";
      ASSERT_EQ(v.refused.has_value(), c.floods && !restrict) << warnings;
      if (v.refused) {
        EXPECT_NE(v.refused->text().find("also go to web, without tag"), std::string::npos);
        EXPECT_NE(v.refused->text().find("restrict: true"), std::string::npos);
        EXPECT_TRUE(r.mirrors.empty());
        continue;
      }
      EXPECT_EQ(warnings.find("go to web") != std::string::npos, c.told) << warnings;
      EXPECT_EQ(warnings.find("the copies go nowhere") != std::string::npos, !c.told) << warnings;
      EXPECT_EQ(r.objects.contains(kept_off_key("br0", "web", 100)), c.floods);
      EXPECT_TRUE(r.objects.contains(unlearned_key("br0", 100)));
      EXPECT_EQ(warnings.find("kept off web") != std::string::npos, c.floods) << warnings;
    }
}

/// The copies go through a patch port, where both of its ends let the VLAN through.
TEST(OvsRealise, AnRspanVlanFloodsTheBridgesBehindPatchPorts) {
  using Vlans = std::set<std::uint16_t>;
  const struct {
    const char* name;
    std::function<void(Port& here, Port& there)> patch;
    bool reaches;
  } cases[] = {
      {"both ends carry every VLAN", [](Port&, Port&) {}, true},
      {"both ends have it in their trunks",
       [](Port& here, Port& there) { here.trunks = there.trunks = Vlans{100}; }, true},
      {"this end lacks it", [](Port& here, Port&) { here.trunks = Vlans{10}; }, false},
      {"the other end lacks it", [](Port&, Port& there) { there.trunks = Vlans{10}; }, false},
      {"this end takes the tag off",
       [](Port& here, Port&) { here.vlan = 100, here.trunks = std::nullopt; }, false},
      {"nobody is there", [](Port& here, Port&) { here.peer = "elsewhere"; }, false},
  };
  for (const auto& c : cases)
    for (const bool restrict : {false, true}) {
      SCOPED_TRACE(std::string(c.name) + (restrict ? ", restricted" : ""));
      Observed observed = world();
      observed.switches["br1"].name = "br1";
      add_port(observed, "br0", "to-br1");
      add_port(observed, "br1", "to-br0");
      add_port(observed, "br1", "web").trunks = Vlans{};
      Port& here = observed.switches["br0"].ports["to-br1"];
      Port& there = observed.switches["br1"].ports["to-br0"];
      for (Port* port : {&here, &there}) port->type = "patch", port->trunks = Vlans{};
      here.peer = "to-br0", there.peer = "to-br1";
      c.patch(here, there);
      const Realisation r =
          realise_once({{session(RspanTarget{100, restrict})}}, observed, "vmirror");
      const Verdict& v = r.verdicts.at(0);
      ASSERT_EQ(v.refused.has_value(), c.reaches && !restrict);
      if (v.refused) {
        EXPECT_NE(v.refused->text().find("also go to web on br1,"), std::string::npos);
      }
      const bool kept = c.reaches&& restrict;
      EXPECT_EQ(r.objects.contains(kept_off_key("br1", "web", 100)), kept);
      EXPECT_EQ(r.objects.contains(unlearned_key("br1", 100)), kept);
    }
}

TEST(OvsRealise, ABondIsSaidToBeOne) {
  Observed observed = world();
  observed.switches["br0"].ports["vnet0"].members = {"eth1", "eth2"};
  const Realisation r = realise_once({{session(LocalTarget{})}}, observed, "vmirror");
  ASSERT_FALSE(r.verdicts.at(0).refused);
  ASSERT_EQ(r.verdicts[0].warnings.size(), 1u);
  EXPECT_NE(r.verdicts[0].warnings[0].find("of all its members (eth1, eth2)"), std::string::npos);
}

}  // namespace
}  // namespace vmirror::ovs
