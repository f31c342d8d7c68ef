// What a filter becomes on Open vSwitch: exact mirrors, or the reason why not. And in which
// versions copies come twice.
#include "plugin/ovs/cuts.hpp"

#include <gtest/gtest.h>

#include "plugin/ovs/outputs.hpp"
#include "plugin/ovs/version.hpp"

namespace vmirror::ovs {
namespace {

constexpr std::uint8_t kTcp = 6, kUdp = 17;

Prefix cidr(const char* text) {
  return *parse_prefix(text);
}

Capabilities newer() {
  return {.version = "Open vSwitch 3.5.0",
          .mirrors = 32,
          .targets = {TargetKind::local, TargetKind::erspan2, TargetKind::erspan3, TargetKind::gre,
                      TargetKind::rspan},
          .snaplen = SnaplenRange{14, 65535},
          .match = true,
          .proofs = {ProofSource::engine, ProofSource::mirror_counter, ProofSource::collector}};
}
Capabilities older() {
  Capabilities can = newer();
  can.version = "Open vSwitch 3.1.0";
  can.match = false;
  return can;
}

/// "in vlans 10 `tcp`; ...", or "kind: what".
std::string cut(const Session& s, const Capabilities& can) {
  const auto cuts = cut_up(s, can);
  if (!cuts)
    return (cuts.error().kind == Error::Kind::unsupported ? "unsupported: " : "invalid: ") +
           cuts.error().what;
  std::string out;
  for (const Cut& c : *cuts) {
    out += (out.empty() ? "" : "; ") + std::string(to_text(c.direction));
    for (const std::uint16_t vlan : c.vlans) out += " vlan " + std::to_string(vlan);
    if (!c.match.empty()) out += " " + c.match;
  }
  return out;
}

Session asking(std::set<FilterRule> only, std::set<FilterRule> except = {}) {
  Session s;
  s.filter = {std::move(only), std::move(except)};
  return s;
}

TEST(OvsCuts, ExactValuesAreTheSwitchs) {
  const struct {
    std::set<FilterRule> only;
    const char* cuts;
  } table[] = {
      {{{.carried = {{0, kTcp}}}}, "both tcp; both tcp6"},
      {{{.carried = {{0x0800, 1}, {0x86dd, 58}}}}, "both icmp; both icmp6"},
      {{{.carried = {{0x0806, {}}}}}, "both arp"},
      {{{.carried = {{0x0800, {}}}}}, "both ip"},
      {{{.carried = {{0x0800, 2}}}}, "both ip,nw_proto=2"},
      {{{.carried = {{0, 89}}}}, "both ip,nw_proto=89; both ipv6,nw_proto=89"},
      {{{.carried = {{0, kTcp}}, .ports = {{502, 502}}}},
       "both tcp,tcp_dst=502; both tcp,tcp_src=502; both tcp6,tcp_dst=502; both tcp6,tcp_src=502"},
      {{{.prefixes = {cidr("10.0.0.1")}}}, "both ip,nw_dst=10.0.0.1; both ip,nw_src=10.0.0.1"},
      {{{.carried = {{0, kUdp}}, .ports = {{53, 53}}, .prefixes = {cidr("2001:db8::1")}}},
       "both udp6,ipv6_dst=2001:db8::1,udp_dst=53; both udp6,ipv6_dst=2001:db8::1,udp_src=53; "
       "both udp6,ipv6_src=2001:db8::1,udp_dst=53; both udp6,ipv6_src=2001:db8::1,udp_src=53"},
      {{{.direction = Direction::in, .carried = {{0x0806, {}}}},
        {.direction = Direction::out, .vlans = {10}, .carried = {{0x0806, {}}}}},
       "in arp; out vlan 10 arp"},
      {{{.direction = Direction::in, .carried = {{0x0806, {}}}},
        {.direction = Direction::out, .carried = {{0x0806, {}}}}},
       "both arp"},
  };
  for (const auto& row : table) {
    const Session s = asking(row.only);
    EXPECT_EQ(cut(s, newer()), row.cuts) << to_text(s.filter);
    EXPECT_EQ(cut(s, older()),
              "unsupported: mirrors match protocols, ports and addresses from Open vSwitch 3.4 on; "
              "this is Open vSwitch 3.1.0")
        << to_text(s.filter);
  }
}

TEST(OvsCuts, DirectionsAndVlansAreEveryVersions) {
  Session s = asking({{.direction = Direction::in}, {.vlans = {10, 20}}});
  EXPECT_EQ(cut(s, older()), "in; both vlan 10 vlan 20");
  s.vlans = {20, 30};
  EXPECT_EQ(cut(s, older()), "both vlan 20; in vlan 20 vlan 30") << "of the session's own VLANs";
  s.direction = Direction::out;
  EXPECT_EQ(cut(s, older()), "out vlan 20") << "of the session's own direction";
  s.vlans = {30};
  EXPECT_EQ(cut(s, older()),
            "invalid: no frame can match it in the directions and VLANs that are asked for");
}

TEST(OvsCuts, TheRestHasAReason) {
  const struct {
    Session session;
    const char* reason;
  } table[] = {
      {asking({}, {{.carried = {{0, kTcp}}}}), "unsupported: a mirror here has no `not`"},
      {asking({{.prefixes = {cidr("10.0.0.0/8")}}}),
       "unsupported: a mirror here matches no prefix (10.0.0.0/8)"},
      {asking({{.carried = {{0, kTcp}}, .ports = {{1, 1023}}}}),
       "unsupported: a mirror here matches no range of ports (1-1023)"},
      {asking({{.ports = {{53, 53}}}}),
       "unsupported: it takes 12 mirrors of exact values, more than 8"},
  };
  for (const auto& row : table) EXPECT_EQ(cut(row.session, newer()), row.reason);
}

TEST(OvsVersion, IsFoundInAText) {
  EXPECT_EQ(version_in("Open vSwitch 3.1.0, schema 8.3.1"), (Version{3, 1, 0}));
  EXPECT_EQ(version_in("2 of 3.7, then 4.0.12~rc1"), (Version{4, 0, 12}));
  EXPECT_EQ(version_in("Open vSwitch of unknown version"), std::nullopt);
  EXPECT_EQ(version_in(""), std::nullopt);
}

TEST(OvsVersion, KnowsWhereCopiesComeTwice) {
  const struct {
    const char* version;
    bool changed;
    const char* bonds_fixed_in;
  } table[] = {
      {"2.17.9", false, "3.7.0"}, {"3.1.0", false, "3.7.0"}, {"3.1.2", false, "3.7.0"},
      {"3.1.3", true, "3.7.0"},   {"3.2.0", true, "3.7.0"},  {"3.3.7", true, "3.3.8"},
      {"3.3.8", true, ""},        {"3.4.4", true, "3.4.5"},  {"3.4.5", true, ""},
      {"3.5.3", true, "3.5.4"},   {"3.5.4", true, ""},       {"3.6.1", true, "3.6.2"},
      {"3.6.2", true, ""},        {"3.7.0", true, ""},       {"4.0.0", true, ""},
  };
  for (const auto& row : table) {
    const Version version = *version_in(row.version);
    EXPECT_EQ(copies_changed_frames_again(version), row.changed) << row.version;
    const auto fixed = bonds_fixed_in(version);
    EXPECT_EQ(fixed ? fixed->text() : "", row.bonds_fixed_in) << row.version;
  }
}

TEST(OvsVersion, SessionsAreWarned) {
  const std::string changed =
      "a controller's rules forward on br0, and Open vSwitch 3.5.0 copies a frame that such a rule "
      "changes (dec_ttl, NAT) between two mirrored ports before and after: for one copy mirror one "
      "direction";
  const std::string bond =
      "Open vSwitch 3.5.0 copies frames twice that leave by bond bond0 (balance-tcp): upgrade to "
      "3.5.4";
  struct Row {
    const char* name;
    const char* version;
    Direction first, second;  // Of vnet0 and vnet1; none: not mirrored.
    const char* bond;
    std::vector<std::string> warnings;  // Of vnet0's session.
    bool controlled = true;
  };
  using enum Direction;
  const Row table[] = {
      {"one NIC", "3.5.0", both, none, "", {}},
      {"both ends", "3.5.0", both, both, "", {changed}},
      {"both ends, no rules of a controller", "3.5.0", both, both, "", {}, false},
      {"what the one sends the other receives", "3.5.0", out, in, "", {changed}},
      {"one direction", "3.5.0", in, in, "", {}},
      {"an older switch", "3.1.0", both, both, "", {}},
      {"a bond that balances", "3.5.0", both, none, "balance-tcp", {bond}},
      {"another bond", "3.5.0", both, none, "active-backup", {}},
      {"a bond where that is mended", "3.5.4", both, none, "balance-tcp", {}},
  };
  for (const Row& row : table) {
    Observed world;
    Switch& sw = world.switches["br0"];
    sw.name = "br0";
    sw.controlled = row.controlled;
    sw.capabilities = newer();
    sw.capabilities.version = std::string("Open vSwitch ") + row.version;
    Desired desired;
    for (const auto& [name, direction] :
         {std::pair("vnet0", row.first), std::pair("vnet1", row.second)}) {
      sw.ports[name].name = name;
      if (direction == none) continue;
      Session s;
      s.name = std::string(name) + "@local";
      s.switch_name = "br0";
      s.port = name;
      s.direction = direction;
      desired.sessions.push_back(s);
    }
    sw.ports["bond0"].name = "bond0";
    sw.ports["bond0"].bond = row.bond;
    const Realisation r = realise_once(desired, world, "vmirror");
    EXPECT_FALSE(r.verdicts.at(0).refused) << row.name;
    EXPECT_EQ(r.verdicts.at(0).warnings, row.warnings) << row.name;
  }
}

}  // namespace
}  // namespace vmirror::ovs
