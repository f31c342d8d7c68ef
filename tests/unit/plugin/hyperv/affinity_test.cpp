// What sessions want of failover clusters. Each row tells where two VMs are and what the cluster
// has, and what becomes of it.
#include "plugin/hyperv/affinity.hpp"

#include <gtest/gtest.h>

#include "plugin/api/diff.hpp"
#include "plugin/hyperv/observe.hpp"
#include "plugin/hyperv/realise.hpp"

namespace vmirror::hyperv {
namespace {

constexpr const char* kSwitchId = "5A000000-0000-0000-0000-000000000000";
const std::string kRule = "affinity rule cluster c1/vmirror: sensor with dc1";
const std::string kOwners = "preferred owners cluster c1/g-sensor";

void plug_in(HostState& to, const std::string& name, const char* adapter,
             const std::string& id = {}) {
  Machine& machine = to.machines[id.empty() ? "id-" + name : id];
  machine.id = id.empty() ? "id-" + name : id;
  machine.name = name;
  machine.running = true;
  Adapter& nic = machine.adapters["nic-" + machine.id];
  nic.id = "nic-" + machine.id;
  nic.name = adapter;
  nic.port_name = name + "/" + adapter;
  nic.switch_id = kSwitchId;
  nic.mac = *Mac::parse("00:15:5d:00:00:01");
}

FailoverCluster cluster() {
  return {
      "c1", {{"sensor", "g-sensor"}, {"dc1", "g-dc1"}}, {}, std::map<std::string, ClusterRule>{}};
}

/// Two nodes; the sensor is on the first.
struct World {
  explicit World(std::optional<FailoverCluster> of = cluster()) {
    for (int node = 0; node < 2; node++) {
      hosts[node].name = "hv" + std::to_string(node + 1);
      hosts[node].switches[kSwitchId].id = kSwitchId;
      hosts[node].switches[kSwitchId].name = "v";
      hosts[node].cluster = of;
    }
    plug_in(hosts[0], "sensor", "Monitor");
  }
  HostState hosts[2];
};

/// What is done for a session of dc1 on that node: steps and warnings of affinity.
std::string become(const World& world, int node, const std::string& monitor = "sensor/Monitor",
                   bool wanted = true) {
  Observer observer("vmirror");
  std::vector<NodeReading> nodes;
  for (const HostState& host : world.hosts)
    nodes.push_back({"https://" + host.name, "", std::make_shared<const HostState>(host)});
  const auto seen = observer.update(std::move(nodes));
  const auto realiser = make_realiser({monitor, 0, {}, {"vmirror", wanted, monitor}});
  Session session{.name = "dc1@local",
                  .policy = "p",
                  .switch_name = "v@hv" + std::to_string(node + 1),
                  .port = "dc1/nic",
                  .vlans = {},
                  .filter = {},
                  .target = LocalTarget{}};
  const Realisation made = realise({{session}}, *seen, *realiser);
  std::string out;
  for (const Step& step : diff(made.objects, *seen))
    if (step.key.kind == kRuleKind || step.key.kind == kOwnersKind) {
      out += step.text() + "\n";
      EXPECT_TRUE(observer.place_of(step.key)) << step.text();
    }
  for (const Verdict& verdict : made.verdicts)
    for (const std::string& warning : verdict.warnings) out += "! " + warning + "\n";
  return out;
}

TEST(Affinity, RulesKeepASensorWithItsSource) {
  const ClusterRule good{kSameNode, true, {"g-dc1", "g-sensor"}};
  const std::string name = "vmirror: sensor with dc1", text = ": same node for g-dc1,g-sensor\n";
  ClusterRule disabled = good, other_type = good, empty = good;
  disabled.enabled = false;
  other_type.type = 4;
  empty.groups.clear();
  struct Case {
    const char* what;
    std::map<std::string, ClusterRule> rules;
    int node;  ///< Of the source.
    std::string becomes;
  };
  const Case cases[] = {{"none is there", {}, 0, "create " + kRule + text},
                        {"the source is elsewhere", {}, 1, "create " + kRule + text},
                        {"it is there", {{name, good}}, 0, ""},
                        {"it stays while they are apart", {{name, good}}, 1, ""},
                        {"disabled", {{name, disabled}}, 0, "change " + kRule + text},
                        {"of another type", {{name, other_type}}, 0, "change " + kRule + text},
                        {"a creation that was cut", {{name, empty}}, 0, "change " + kRule + text},
                        {"of another source, ours",
                         {{"vmirror: sensor with x", good}, {name, good}},
                         0,
                         "remove affinity rule cluster c1/vmirror: sensor with x\n"},
                        {"of somebody else", {{"theirs", other_type}, {name, good}}, 0, ""}};
  for (const Case& each : cases) {
    FailoverCluster of = cluster();
    of.rules = each.rules;
    World world(of);
    plug_in(world.hosts[each.node], "dc1", "nic");
    EXPECT_EQ(become(world, each.node), each.becomes) << each.what;
  }
}

TEST(Affinity, PreferredOwnersWhereThereAreNoRules) {
  FailoverCluster of = cluster();
  of.rules.reset();
  struct Case {
    const char* what;
    std::set<std::string> owners;
    bool marked;
    std::string becomes;
  };
  const Case cases[] = {
      {"none", {}, false, "create " + kOwners + ": hv2\n"},
      {"ours", {"hv2"}, true, ""},
      {"ours, and the source has moved", {"hv1"}, true, "change " + kOwners + ": hv2\n"},
      {"a change that was cut", {}, true, "change " + kOwners + ": hv2\n"},
      {"of somebody else",
       {"hv1", "hv2"},
       false,
       "! a move may part the sensor from its source: the preferred owners of the sensor are "
       "hv1,hv2, set by somebody else (Set-ClusterOwnerNode)\n"}};
  for (const Case& each : cases) {
    of.preferred_owners.clear();
    if (!each.owners.empty()) of.preferred_owners["g-sensor"] = each.owners;
    World world(of);
    plug_in(world.hosts[1], "dc1", "nic");
    if (each.marked)
      world.hosts[0].machines["id-sensor"].notes.marks = {
          {kOwnersMark, "", "", "hv1", {"vmirror/wmi"}, false}};
    EXPECT_EQ(become(world, 1), each.becomes) << each.what;
  }
}

TEST(Affinity, WhatNoRuleCanKeepSaysSo) {
  World alone(std::nullopt);
  plug_in(alone.hosts[0], "dc1", "nic");
  EXPECT_NE(become(alone, 0).find("VM sensor is no role of a failover cluster"), std::string::npos);

  World several;
  plug_in(several.hosts[0], "dc1", "nic");
  plug_in(several.hosts[1], "sensor2", "Monitor");
  EXPECT_NE(become(several, 0, "sensor*/Monitor").find("fits several VMs"), std::string::npos);

  World twins;
  plug_in(twins.hosts[0], "dc1", "nic");
  plug_in(twins.hosts[1], "dc1", "nic", "id-twin");
  EXPECT_NE(become(twins, 0).find("VM dc1 is no role"), std::string::npos);

  EXPECT_EQ(become(several, 0, "sensor/Monitor", false), "") << "only on request";
}

}  // namespace
}  // namespace vmirror::hyperv
