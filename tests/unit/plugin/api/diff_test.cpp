// diff: what is wanted and what is there, and the steps between them.
#include "plugin/api/diff.hpp"

#include <gtest/gtest.h>

#include <functional>

namespace vmirror {
namespace {

Mirror mirror(const std::string& name, const std::string& output = "tap") {
  Mirror m;
  m.name = name;
  m.switch_name = "br0";
  m.in_ports = m.out_ports = {"vnet0"};
  m.output_port = output;
  return m;
}

OutputPort tunnel(const std::string& name) {
  return {name, "br0", "erspan", {{"remote_ip", "192.0.2.1"}, {"key", "5"}}};
}

/// A world where a mirror "ours", its port "tap" and a tunnel are wanted and there.
struct Case {
  Realisation wanted;
  Observed observed;

  Case() {
    wanted.mirrors = {mirror("ours")};
    wanted.ports = {{"tap", "br0", "internal", {}}, tunnel("erspan0")};
    Switch& sw = on();
    sw.name = "br0";
    for (const OutputPort& port : wanted.ports) {
      Port& p = sw.ports[port.name];
      p.name = port.name;
      p.type = port.type;
      p.options = port.options;
      p.owned = true;
    }
    sw.ports["vnet0"].name = "vnet0";
    sw.mirrors["ours"] = mirror("ours");
    sw.mirrors["ours"].owned = true;
    sw.mirrors["theirs"] = mirror("theirs", "vnet9");
  }
  Switch& on() { return observed.switches["br0"]; }
  Mirror& ours() { return on().mirrors["ours"]; }
};

TEST(Diff, NamesEachDifferenceAndNothingElse) {
  const struct {
    const char* name;
    std::function<void(Case&)> change;
    std::vector<std::string> steps;
  } cases[] = {
      {"nothing differs", [](Case&) {}, {}},
      {"what was counted is no difference",
       [](Case& c) {
         c.ours().copied_frames = 7;
         c.on().ports["tap"].counters.emplace();
       },
       {}},
      {"nor is a port's error: putting it again would not help",
       [](Case& c) { c.on().ports["erspan0"].error = "could not open network device"; },
       {}},
      {"a mirror was deleted",
       [](Case& c) { c.on().mirrors.erase("ours"); },
       {"put mirror br0/ours: in {vnet0} out {vnet0} -> port tap (no such mirror)"}},
      {"a selected port was deleted and added again",
       [](Case& c) { c.ours().in_ports.clear(); },
       {"put mirror br0/ours: in {vnet0} out {vnet0} -> port tap (selected ports differs)"}},
      {"the output port was",
       [](Case& c) { c.ours().output_port.clear(); },
       {"put mirror br0/ours: in {vnet0} out {vnet0} -> port tap (output differs)"}},
      {"someone changed snaplen",
       [](Case& c) { c.ours().snaplen = 100; },
       {"put mirror br0/ours: in {vnet0} out {vnet0} -> port tap (snaplen differs)"}},
      {"someone changed the match",
       [](Case& c) { c.ours().match = "tcp"; },
       {"put mirror br0/ours: in {vnet0} out {vnet0} -> port tap (match differs)"}},
      {"someone selected a vlan",
       [](Case& c) { c.ours().vlans = {5}; },
       {"put mirror br0/ours: in {vnet0} out {vnet0} -> port tap (vlan selection differs)"}},
      {"someone selected all",
       [](Case& c) { c.ours().all = true; },
       {"put mirror br0/ours: in {vnet0} out {vnet0} -> port tap (all differs)"}},
      {"a tunnel's option was changed, or added by hand",
       [](Case& c) { c.on().ports["erspan0"].options["key"] = "6"; },
       {"put port br0/erspan0: erspan key=5 remote_ip=192.0.2.1 (options differ)"}},
      {"a port's type was changed",
       [](Case& c) { c.on().ports["erspan0"].type = "gre"; },
       {"put port br0/erspan0: erspan key=5 remote_ip=192.0.2.1 (type differs)"}},
      {"no policy is left: the mirror goes before its port",
       [](Case& c) { c.wanted = {}; },
       {"remove mirror br0/ours (no policy asks for it)",
        "remove port br0/erspan0 (no mirror needs it)",
        "remove port br0/tap (no mirror needs it)"}},
      {"a mirror under another name: out with the old, in with the new",
       [](Case& c) { c.wanted.mirrors[0].name = "new"; },
       {"remove mirror br0/ours (no policy asks for it)",
        "put mirror br0/new: in {vnet0} out {vnet0} -> port tap (no such mirror)"}},
      {"all is made: the ports before the mirror",
       [](Case& c) {
         c.on().ports.clear();
         c.on().mirrors.clear();
       },
       {"put port br0/tap: internal (no such port)",
        "put port br0/erspan0: erspan key=5 remote_ip=192.0.2.1 (no such port)",
        "put mirror br0/ours: in {vnet0} out {vnet0} -> port tap (no such mirror)"}},
      {"a name that somebody else has is still asked for; the driver refuses",
       [](Case& c) { c.ours().owned = false; },
       {"put mirror br0/ours: in {vnet0} out {vnet0} -> port tap (the mirror of that name isn't "
        "ours)"}},
      {"a switch that isn't there gets no steps", [](Case& c) { c.observed.switches.clear(); }, {}},
      {"a bridge of the same objects elsewhere is another bridge",
       [](Case& c) {
         Switch other = c.on();
         other.name = "br1";
         other.mirrors.erase("theirs");
         other.mirrors["ours"].switch_name = "br1";
         c.observed.switches["br1"] = other;
       },
       {"remove mirror br1/ours (no policy asks for it)",
        "remove port br1/erspan0 (no mirror needs it)",
        "remove port br1/tap (no mirror needs it)"}},
  };
  for (const auto& c : cases) {
    Case the;
    c.change(the);
    std::vector<std::string> steps;
    for (const Step& step : diff(the.wanted, the.observed))
      steps.push_back(step.text() + " (" + step.why + ")");
    EXPECT_EQ(steps, c.steps) << c.name;
  }
}

TEST(Diff, VlansWithoutLearning) {
  using Vlans = std::set<std::uint16_t>;
  const struct {
    const char* name;
    Vlans wanted, unlearned, owned;
    std::optional<Vlans> put;
  } cases[] = {
      {"none wanted, none there", {}, {}, {}, {}},
      {"wanted and not there", {100}, {}, {}, Vlans{100}},
      {"wanted and ours", {100}, {100}, {100}, {}},
      {"wanted, and somebody else's: in force, stays theirs", {100}, {100}, {}, {}},
      {"no longer wanted", {}, {100}, {100}, Vlans{}},
      {"somebody else's is left", {}, {7}, {}, {}},
      {"one more", {100, 200}, {7, 100}, {100}, Vlans{100, 200}},
      {"one more, which is theirs", {7, 100}, {7, 100}, {100}, {}},
      {"ours was switched on again by hand", {100}, {}, {100}, Vlans{100}},
      {"ours went by hand, and isn't wanted: the record goes", {}, {}, {100}, Vlans{}},
      {"theirs went: now it is for us to do", {7}, {}, {}, Vlans{7}},
  };
  for (const auto& c : cases) {
    Realisation wanted;
    if (!c.wanted.empty()) wanted.unlearned_vlans["br0"] = c.wanted;
    Observed observed;
    Switch& sw = observed.switches["br0"];
    sw.name = "br0";
    sw.unlearned_vlans = c.unlearned;
    sw.owned_unlearned_vlans = c.owned;
    const std::vector<Step> steps = diff(wanted, observed);
    std::optional<Vlans> put;
    if (!steps.empty()) put = std::get<PutUnlearnedVlans>(steps.at(0).change).vlans;
    EXPECT_EQ(put, c.put) << c.name;
    EXPECT_LE(steps.size(), 1u) << c.name;
  }
}

TEST(Diff, VlansThatAreKeptOffPorts) {
  using Vlans = std::set<std::uint16_t>;
  const struct {
    const char* name;
    Vlans wanted;
    std::optional<KeptOff> is;
    std::optional<Vlans> put;
  } cases[] = {
      {"none wanted, none there", {}, {}, {}},
      {"wanted and not there", {100}, {}, Vlans{100}},
      {"wanted and there", {100}, KeptOff{{100}, true}, {}},
      {"somebody changed the port", {100}, KeptOff{{100}, false}, Vlans{100}},
      {"one more", {100, 200}, KeptOff{{100}, true}, Vlans{100, 200}},
      {"no longer wanted", {}, KeptOff{{100}, true}, Vlans{}},
      {"no longer wanted, and changed: the record goes", {}, KeptOff{{100}, false}, Vlans{}},
  };
  for (const auto& c : cases) {
    Realisation wanted;
    if (!c.wanted.empty()) wanted.kept_off[{"br0", "vnet0"}] = c.wanted;
    Observed observed;
    Switch& sw = observed.switches["br0"];
    sw.name = "br0";
    if (c.is) sw.kept_off["vnet0"] = *c.is;
    const std::vector<Step> steps = diff(wanted, observed);
    std::optional<Vlans> put;
    if (!steps.empty()) put = std::get<PutKeptOff>(steps.at(0).change).vlans;
    EXPECT_EQ(put, c.put) << c.name;
    EXPECT_LE(steps.size(), 1u) << c.name;
  }
}

}  // namespace
}  // namespace vmirror
