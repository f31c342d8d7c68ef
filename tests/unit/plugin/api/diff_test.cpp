// diff: the objects that are wanted and those that are there, and the steps between them.
#include "plugin/api/diff.hpp"

#include <gtest/gtest.h>

#include <functional>

#include "plugin/api/mirror_object.hpp"

namespace vmirror {
namespace {

Mirror mirror(const std::string& output = "tap") {
  Mirror m;
  m.name = "ours";
  m.switch_name = "br0";
  m.in_ports = m.out_ports = {"vnet0"};
  m.output = PortOutput{output};
  return m;
}

/// What a driver may have besides mirrors: a text.
class Text final : public ObjectValue {
 public:
  explicit Text(std::string t) : is(std::move(t)) {}
  std::string text() const override { return is; }
  std::string difference(const ObjectValue& other) const override {
    const auto* value = value_as<Text>(&other);
    return value && value->is == is ? "" : "text differs";
  }
  const std::string is;
};

Object text(const std::string& is, std::vector<ObjectKey> needs = {}) {
  return {std::make_shared<const Text>(is), std::move(needs)};
}
Object object(const Mirror& m) {
  return {std::make_shared<const MirrorValue>(m), {{"br0", "port", "tap"}}};
}
const ObjectKey kOurs = mirror_key("br0", "ours"), kTap = {"br0", "port", "tap"};

/// A world where a mirror "ours" and its port "tap" are wanted and there.
struct Case {
  Objects wanted;
  Observed observed;

  Case() {
    observed.switches["br0"].name = "br0";
    observed.switches["br0"].revision = "7";
    wanted.set(kTap, text("internal"));
    wanted.set(kOurs, object(mirror()));
    for (const auto& [key, value] : wanted) observed.objects.set(key, {value, true});
    observed.objects.set(mirror_key("br0", "theirs"), {object(mirror("vnet9")), false});
  }
  /// Somebody changes ours.
  void edit(const std::function<void(Mirror&)>& change) {
    Mirror m = mirror();
    change(m);
    observed.objects.set(kOurs, {object(m), true});
  }
};

std::vector<std::string> lines(const std::vector<Step>& steps) {
  std::vector<std::string> out;
  for (const Step& step : steps) {
    out.push_back(step.text() + " (" + step.why + ")");
    EXPECT_EQ(step.revision, "7");
  }
  return out;
}

TEST(Diff, NamesEachDifferenceAndNothingElse) {
  const std::string change = "change mirror br0/ours: in {vnet0} out {vnet0} -> port tap ";
  const struct {
    const char* name;
    std::function<void(Case&)> change;
    std::vector<std::string> steps;
  } cases[] = {
      {"nothing differs", [](Case&) {}, {}},
      {"what was counted is no difference",
       [](Case& c) { c.edit([](Mirror& m) { m.copied_frames = 7; }); },
       {}},
      {"a mirror was deleted",
       [](Case& c) { c.observed.objects.erase(kOurs); },
       {"create mirror br0/ours: in {vnet0} out {vnet0} -> port tap (no such mirror)"}},
      {"a selected port was deleted and added again",
       [](Case& c) { c.edit([](Mirror& m) { m.in_ports.clear(); }); },
       {change + "(selected ports differs)"}},
      {"the output is gone",
       [](Case& c) { c.edit([](Mirror& m) { m.output.reset(); }); },
       {change + "(output differs)"}},
      {"a VLAN instead of the output port",
       [](Case& c) { c.edit([](Mirror& m) { m.output = VlanOutput{5}; }); },
       {change + "(output differs)"}},
      {"someone changed snaplen",
       [](Case& c) { c.edit([](Mirror& m) { m.snaplen = 100; }); },
       {change + "(snaplen differs)"}},
      {"someone changed the match",
       [](Case& c) { c.edit([](Mirror& m) { m.match = "tcp"; }); },
       {change + "(match differs)"}},
      {"someone selected a vlan",
       [](Case& c) { c.edit([](Mirror& m) { m.vlans = {5}; }); },
       {change + "(vlan selection differs)"}},
      {"someone selected all",
       [](Case& c) { c.edit([](Mirror& m) { m.all = true; }); },
       {change + "(all differs)"}},
      {"another object was changed",
       [](Case& c) {
         c.observed.objects.set(kTap, {text("gre"), true});
       },
       {"change port br0/tap: internal (text differs)"}},
      {"no session is left: the mirror goes before its port",
       [](Case& c) { c.wanted = {}; },
       {"remove mirror br0/ours (no session needs it)",
        "remove port br0/tap (no session needs it)"}},
      {"a mirror under another name: out with the old, in with the new",
       [](Case& c) {
         c.wanted.erase(kOurs);
         c.wanted.set(mirror_key("br0", "new"), object(mirror()));
       },
       {"remove mirror br0/ours (no session needs it)",
        "create mirror br0/new: in {vnet0} out {vnet0} -> port tap (no such mirror)"}},
      {"all is made: the port before the mirror",
       [](Case& c) { c.observed.objects = {}; },
       {"create port br0/tap: internal (no such port)",
        "create mirror br0/ours: in {vnet0} out {vnet0} -> port tap (no such mirror)"}},
      {"a chain of needs is followed, whatever the names",
       [](Case& c) {
         c.wanted.set({"br0", "a", "1"}, text("x", {{"br0", "b", "1"}}));
         c.wanted.set({"br0", "b", "1"}, text("y", {{"br0", "c", "1"}}));
         c.wanted.set({"br0", "c", "1"}, text("z"));
       },
       {"create c br0/1: z (no such c)", "create b br0/1: y (no such b)",
        "create a br0/1: x (no such a)"}},
      {"needs that lead in a circle are passed over",
       [](Case& c) {
         c.wanted.set({"br0", "a", "1"}, text("x", {{"br0", "b", "1"}}));
         c.wanted.set({"br0", "b", "1"}, text("y", {{"br0", "a", "1"}}));
       },
       {"create b br0/1: y (no such b)", "create a br0/1: x (no such a)"}},
      {"a name that somebody else has is still asked for; the driver refuses",
       [](Case& c) {
         c.edit([](Mirror& m) { m.snaplen = 9; });
         ObservedObject is = c.observed.objects.at(kOurs);
         is.owned = false;
         c.observed.objects.set(kOurs, is);
       },
       {change + "(the mirror of that name isn't ours)"}},
      {"what somebody else made as it is wanted serves",
       [](Case& c) {
         c.observed.objects.set(kTap, {text("internal"), false});
       },
       {}},
      {"a switch that isn't there gets no steps",
       [](Case& c) {
         c.observed.switches.clear();
         c.observed.objects = {};
       },
       {}},
  };
  for (const auto& c : cases) {
    Case the;
    Differ remembers;
    EXPECT_TRUE(remembers.update(the.wanted, the.observed).empty());
    c.change(the);
    EXPECT_EQ(lines(diff(the.wanted, the.observed)), c.steps) << c.name;
    EXPECT_EQ(lines(remembers.update(the.wanted, the.observed)), c.steps) << c.name;
  }
}

TEST(Diff, AStepOnlyTakesAwayOrNot) {
  Case the;
  the.edit([](Mirror& m) { m.in_ports = {"vnet0", "vnet1"}; });
  EXPECT_TRUE(diff(the.wanted, the.observed).at(0).only_takes_away()) << "a port fewer";
  the.edit([](Mirror& m) { m.in_ports.clear(); });
  EXPECT_FALSE(diff(the.wanted, the.observed).at(0).only_takes_away()) << "a port more";
  the.observed.objects.erase(kOurs);
  EXPECT_FALSE(diff(the.wanted, the.observed).at(0).only_takes_away()) << "made";
  EXPECT_TRUE(diff({}, the.observed).at(0).only_takes_away()) << "removed";
}

}  // namespace
}  // namespace vmirror
