// pack: sessions become the fewest mirrors, whatever the switch.
#include "plugin/api/pack.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "plugin/api/mirror_object.hpp"

namespace vmirror {
namespace {

Session session(const std::string& port, Direction direction = Direction::both,
                std::uint32_t snaplen = 0, const Filter& filter = {},
                const Target& target = LocalTarget{}) {
  return {port + "@" + to_text(target), "p", "br0", port, direction, snaplen, {}, filter, target};
}

Filter tcp_only() {
  return {{{.carried = {{0, 6}}}}, {}};
}

Observed world() {
  Observed observed;
  Switch& sw = observed.switches["br0"];
  sw.name = "br0";
  sw.capabilities = {
      .version = "Testswitch 1",
      .mirrors = 4,
      .targets = {TargetKind::local, TargetKind::erspan2, TargetKind::erspan3, TargetKind::gre,
                  TargetKind::rspan},
      .snaplen = SnaplenRange{14, 65535},
      .match = true,
      .proofs = {ProofSource::engine, ProofSource::mirror_counter, ProofSource::collector}};
  for (const char* name : {"vnet0", "vnet1", "vnet2", "mon"}) sw.ports[name].name = name;
  sw.ports["tap"].name = "tap";
  sw.ports["tap"].owned = true;
  return observed;
}

/// Local is a port of ours, RSPAN a VLAN, GRE the port "mon" that is there, ERSPAN impossible.
Result<OutputChoice> find_output(const Session& s, const Switch& sw) {
  OutputChoice out{.key = to_text(s.target), .to = PortOutput{"mon"}};
  if (std::holds_alternative<ErspanTarget>(s.target))
    return fail(Error::Kind::unsupported, "no ERSPAN here");
  if (const auto* rspan = std::get_if<RspanTarget>(&s.target)) {
    out.to = VlanOutput{rspan->vlan};
  } else if (std::holds_alternative<LocalTarget>(s.target)) {
    out.to = PortOutput{"tap"};
    out.own_ports = {"tap"};
    out.needs = {
        {ObjectKey{sw.name, "port", "tap"}, {std::make_shared<const MirrorValue>(Mirror{})}}};
  }
  return out;
}

std::vector<std::string> mirrors(const Realisation& r) {
  std::vector<std::string> out;
  for (const Mirror& m : r.mirrors)
    out.push_back(m.switch_name + "/" + m.name + ": " + MirrorValue(m).text());
  return out;
}

TEST(Pack, MakesTheFewestMirrors) {
  const struct {
    const char* name;
    std::vector<Session> sessions;
    std::vector<std::string> mirrors;
  } cases[] = {
      {"nothing asked, nothing made", {}, {}},
      {"one session", {session("vnet0")}, {"br0/me-local: in {vnet0} out {vnet0} -> port tap"}},
      {"sessions of one target share a mirror, whatever their directions",
       {session("vnet0"), session("vnet1", Direction::in), session("vnet2", Direction::out)},
       {"br0/me-local: in {vnet0 vnet1} out {vnet0 vnet2} -> port tap"}},
      {"two sessions of one port join their directions",
       {session("vnet0", Direction::in), session("vnet0", Direction::out)},
       {"br0/me-local: in {vnet0} out {vnet0} -> port tap"}},
      {"another snaplen is another mirror",
       {session("vnet0"), session("vnet1", Direction::in, 128)},
       {"br0/me-local: in {vnet0} out {vnet0} -> port tap",
        "br0/me-local-s128: in {vnet1} -> port tap snaplen 128"}},
      {"and another target",
       {session("vnet0"), session("vnet0", Direction::out, 0, {}, RspanTarget{9})},
       {"br0/me-local: in {vnet0} out {vnet0} -> port tap",
        "br0/me-rspan-9: out {vnet0} -> vlan 9"}},
  };
  for (const auto& c : cases) {
    const Realisation r = pack({c.sessions}, world(), "me", find_output);
    EXPECT_EQ(mirrors(r), c.mirrors) << c.name;
    EXPECT_EQ(r.verdicts.size(), c.sessions.size()) << c.name;
    for (const Verdict& v : r.verdicts) EXPECT_FALSE(v.refused) << c.name;
  }
}

TEST(Pack, NamesDependOnTheWishAlone) {
  const Desired desired = {{session("vnet0"), session("vnet1", Direction::in, 128)}};
  const Desired reversed = {{desired.sessions[1], desired.sessions[0]}};
  Observed other = world();
  other.switches["br0"].ports["more"].name = "more";
  EXPECT_EQ(mirrors(pack(desired, world(), "me", find_output)),
            mirrors(pack(reversed, other, "me", find_output)));
}

TEST(Pack, RefusesWithAReason) {
  using enum Error::Kind;
  const GreTarget to_mon;
  const struct {
    const char* name;
    Session session;
    std::function<void(Observed&)> change;
    Error::Kind kind;
    const char* what;
  } cases[] = {
      {"no such switch", session("vnet0"), [](Observed& o) { o.switches.clear(); }, missing,
       "no such switch"},
      {"no such port", session("vnet9"), {}, missing, "no such port"},
      {"a port of ours", session("tap"), {}, refused, "one of our own outputs"},
      {"the target itself",
       session("mon", Direction::in, 0, {}, to_mon),
       {},
       refused,
       "its own target"},
      {"no direction", session("vnet0", Direction::none), {}, invalid, "no direction"},
      {"a snaplen below a header", session("vnet0", Direction::in, 13), {}, invalid, "14 to 65535"},
      {"a snaplen above a frame", session("vnet0", Direction::in, 65536), {}, invalid, "snaplen"},
      {"snaplen on a switch without", session("vnet0", Direction::in, 128),
       [](Observed& o) { o.switches["br0"].capabilities.snaplen.reset(); }, unsupported,
       "snaplen is unknown to Testswitch 1"},
      {"a filter that neither the switch nor we can enforce",
       session("vnet0", Direction::in, 0, tcp_only(), RspanTarget{9}),
       {},
       unsupported,
       "its filter is not enforceable here: Testswitch 1 filters nothing (let the target `local` "
       "filter)"},
      {"a target that the driver has not",
       session("vnet0", Direction::in, 0, {}, ErspanTarget{}),
       {},
       unsupported,
       "no ERSPAN here"},
      {"another mirror's output", session("vnet1"),
       [](Observed& o) { o.switches["br0"].mirrors["x"].output = PortOutput{"vnet1"}; }, refused,
       "copies go to this port"},
      {"a mirror of that name", session("vnet1"),
       [](Observed& o) { o.switches["br0"].mirrors["me-local"].output = PortOutput{"vnet2"}; },
       refused, "`me-local` is there already and isn't ours"},
      {"a port of that name on any switch", session("vnet1"),
       [](Observed& o) {
         o.switches["br0"].ports.erase("tap");
         o.switches["br1"].ports["tap"].name = "tap";
       },
       refused, "port `tap` of br1 isn't ours"},
      {"no room", session("vnet1"),
       [](Observed& o) {
         for (const char* name : {"a", "b", "c", "d"}) o.switches["br0"].mirrors[name].name = name;
       },
       exhausted, "4 mirrors at most, and 4 aren't ours"},
  };
  for (const auto& c : cases) {
    Observed observed = world();
    if (c.change) c.change(observed);
    const Realisation r = pack({{c.session}}, observed, "me", find_output);
    ASSERT_EQ(r.verdicts.size(), 1u);
    ASSERT_TRUE(r.verdicts[0].refused) << c.name;
    EXPECT_EQ(r.verdicts[0].refused->kind, c.kind) << c.name;
    EXPECT_NE(r.verdicts[0].refused->text().find(c.what), std::string::npos)
        << c.name << ": " << r.verdicts[0].refused->text();
    EXPECT_TRUE(r.mirrors.empty()) << c.name;
    EXPECT_TRUE(r.objects.empty()) << c.name;
  }
}

TEST(Pack, KeepsToWhatTheSwitchCan) {
  const struct {
    const char* name;
    std::function<void(Capabilities&)> change;
    Session session;
    const char* refused;  ///< Null: it is served.
    const char* warning;
  } cases[] = {
      {"both directions or none", [](Capabilities& c) { c.one_direction = false; },
       session("vnet0", Direction::in), "both directions or none", nullptr},
      {"both of them", [](Capabilities& c) { c.one_direction = false; }, session("vnet0"), nullptr,
       nullptr},
      {"a target that it lacks", [](Capabilities& c) { c.targets = {TargetKind::local}; },
       session("vnet0", Direction::in, 0, {}, RspanTarget{9}), "can't copy to an RSPAN VLAN",
       nullptr},
      {"a snaplen below its least",
       [](Capabilities& c) {
         c.snaplen = SnaplenRange{60, 9000};
       },
       session("vnet0", Direction::in, 59), "choose 60 to 9000", nullptr},
      {"its least",
       [](Capabilities& c) {
         c.snaplen = SnaplenRange{60, 9000};
       },
       session("vnet0", Direction::in, 60), nullptr, nullptr},
      {"the whole switch", [](Capabilities& c) { c.granularity = Granularity::whole_switch; },
       session("vnet0"), nullptr, "copies every frame of the switch"},
      {"a group of ports", [](Capabilities& c) { c.granularity = Granularity::port_group; },
       session("vnet0"), nullptr, "copies all NICs of the port group"},
  };
  for (const auto& c : cases) {
    Observed observed = world();
    Capabilities& can = observed.switches["br0"].capabilities;
    c.change(can);
    const Realisation r = pack({{c.session}}, observed, "me", find_output);
    const Verdict& v = r.verdicts.at(0);
    ASSERT_EQ(v.refused.has_value(), c.refused != nullptr) << c.name;
    ASSERT_EQ(v.warnings.size(), c.warning ? 1u : 0u) << c.name;
    const std::string refused = v.refused ? v.refused->text() : "";
    const std::string warning = c.warning ? v.warnings[0] : "";
    EXPECT_NE(refused.find(c.refused ? c.refused : ""), std::string::npos) << refused;
    EXPECT_NE(warning.find(c.warning ? c.warning : ""), std::string::npos) << warning;
    if (c.refused) continue;
    EXPECT_EQ(r.mirrors.at(0).all, can.granularity == Granularity::whole_switch) << c.name;
  }
}

TEST(Pack, APortThatTakesCopiesIsNoSourceForAnother) {
  const Realisation r =
      pack({{session("vnet0", Direction::in, 0, {}, GreTarget{}), session("mon")}}, world(), "me",
           find_output);
  EXPECT_FALSE(r.verdicts[0].refused);
  ASSERT_TRUE(r.verdicts[1].refused);
  EXPECT_NE(r.verdicts[1].refused->what.find("another session's copies"), std::string::npos);
}

TEST(Pack, ServesTheFirstWhereThereIsNoRoomForAll) {
  std::vector<Session> sessions;
  for (std::uint32_t i = 0; i < 6; i++)
    sessions.push_back(session("vnet0", Direction::in, 100 + i));
  sessions.push_back(session("vnet1", Direction::in, 100));
  const Realisation r = pack({sessions}, world(), "me", find_output);
  EXPECT_EQ(r.mirrors.size(), 4u);
  for (std::size_t i = 0; i < sessions.size(); i++)
    EXPECT_EQ(r.verdicts[i].refused.has_value(), i == 4 || i == 5) << i;
}

TEST(Pack, AMirrorThatIsThereKeepsItsRoom) {
  Observed full = world();
  for (const char* name : {"me-local-s102", "me-local-s103"}) {
    Mirror& m = full.switches["br0"].mirrors[name];
    m.name = name;
    m.switch_name = "br0";
    m.owned = true;
  }
  std::vector<Session> sessions;
  for (std::uint32_t i = 0; i < 6; i++)
    sessions.push_back(session("vnet0", Direction::in, 100 + i));
  const Realisation r = pack({sessions}, full, "me", find_output);
  for (std::size_t i = 0; i < sessions.size(); i++)
    EXPECT_EQ(r.verdicts[i].refused.has_value(), i >= 4) << i;
  std::ranges::reverse(sessions);
  const Realisation other_order = pack({sessions}, full, "me", find_output);
  for (std::size_t i = 0; i < sessions.size(); i++)
    EXPECT_EQ(other_order.verdicts[i].refused.has_value(), i == 4 || i == 5) << i;
}

/// Packs with a switch that makes a cut of each part.
Realisation cut(const std::vector<Session>& sessions, const Observed& observed,
                std::vector<Cut> cuts) {
  Packer fresh("me", [&](const Demand&, const Landmarks&, const Observed&) {
    return OutputRules{find_output, [cuts](const Session&) { return cuts; }};
  });
  return realise({sessions}, observed, fresh);
}

TEST(Pack, AFilterIsTheSwitchsWhereItCanAndElseTheReceivers) {
  const Session local = session("vnet0", Direction::both, 0, tcp_only());
  const Session remote = session("vnet0", Direction::both, 0, tcp_only(), RspanTarget{9});
  const Realisation alone = pack({{session("vnet1"), local}}, world(), "me", find_output);
  EXPECT_EQ(alone.verdicts[1].filtering, Filtering::by_receiver);
  EXPECT_EQ(
      mirrors(alone),
      (std::vector<std::string>{"br0/me-local: in {vnet0 vnet1} out {vnet0 vnet1} -> port tap"}))
      << "one mirror for all";

  Observed roomy = world();
  roomy.switches["br0"].capabilities.mirrors = 5;
  const Realisation both = cut({session("vnet1"), local, remote}, roomy,
                               {{Direction::both, {}, "tcp"}, {Direction::in, {10}, "tcp6"}});
  EXPECT_EQ(both.verdicts[0].filtering, Filtering::none);
  EXPECT_EQ(mirrors(both),
            (std::vector<std::string>{
                "br0/me-local: in {vnet1} out {vnet1} -> port tap",
                "br0/me-local-c191b4962: in {vnet0} vlans {10} -> port tap match `tcp6`",
                "br0/me-local-c61742f72: in {vnet0} out {vnet0} -> port tap match `tcp`",
                "br0/me-rspan-9-c191b4962: in {vnet0} vlans {10} -> vlan 9 match `tcp6`",
                "br0/me-rspan-9-c61742f72: in {vnet0} out {vnet0} -> vlan 9 match `tcp`",
            }));
  EXPECT_EQ(both.verdicts[1].filtering, Filtering::by_switch);
  EXPECT_EQ(both.verdicts[1].mirror, "me-local-c191b4962");
  EXPECT_EQ(both.verdicts[1].more_mirrors, std::vector<std::string>{"me-local-c61742f72"});
  EXPECT_EQ(both.verdicts[2].filtering, Filtering::by_switch);
}

TEST(Pack, ASessionHasAllOfItsMirrorsOrNone) {
  const std::vector<Cut> cuts = {{Direction::both, {}, "tcp"}, {Direction::both, {}, "tcp6"}};
  std::vector<Session> sessions;
  for (std::uint32_t i = 0; i < 3; i++)
    sessions.push_back(session("vnet0", Direction::both, 100 + i, tcp_only()));
  const Realisation r = cut(sessions, world(), cuts);
  EXPECT_EQ(r.mirrors.size(), 4U);
  EXPECT_FALSE(r.verdicts[0].refused);
  EXPECT_FALSE(r.verdicts[1].refused);
  ASSERT_TRUE(r.verdicts[2].refused);
  EXPECT_EQ(r.verdicts[2].refused->kind, Error::Kind::exhausted);
}

}  // namespace
}  // namespace vmirror
