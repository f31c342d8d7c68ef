// What the hook knows of required guests without an agent: the file's text, and whom it selects.
#include "agent/control/hook/requirement.hpp"

#include <gtest/gtest.h>

namespace vmirror {
namespace {

Selector selector(std::string Selector::*part, const char* glob) {
  Selector s;
  s.*part = glob;
  return s;
}
Selector label(const char* key, const char* glob) {
  Selector s;
  s.labels[key] = glob;
  return s;
}

/// dc1 on br0 with the label role=dc; its port is not there yet.
Guest guest() {
  Guest g;
  g.uuid = "6f0c1d6e-0000-4000-8000-000000000001";
  g.name = "dc1";
  g.title = "the first";
  g.labels["role"] = "dc";
  GuestNic nic;
  nic.mac = *Mac::parse("52:54:00:00:00:01");
  nic.interface_id = "09b11c53";
  nic.bridge = "br0";
  nic.network = "lan";
  g.nics.push_back(nic);
  return g;
}

TEST(Requirement, OfPoliciesThatRequireOnly) {
  Policy watched, required;
  watched.name = "watched";
  watched.select = {selector(&Selector::vm, "*")};
  required.name = "required";
  required.require = true;
  required.expires = 1700000000 * kSecond;
  required.select = {selector(&Selector::vm, "dc-*"), label("role", "dc")};
  const auto all = requirements_of(std::vector{watched, required});
  EXPECT_EQ(requirements_text(all),
            "# vmirror requirements 1\n"
            "required\t1700000000\tvm=dc-*\n"
            "required\t1700000000\tlabel:role=dc\n");
}

TEST(Requirement, ComesBackAsItWas) {
  Selector every{.vm = "a\tb",
                 .uuid = "6f*",
                 .mac = "52:54:*",
                 .port = "vnet[0-9]",
                 .title = "100%\n",
                 .network = "=",
                 .labels = {}};
  every.labels = {{"a=b", "c=d"}, {"", ""}, {"\xc3\xa4", "%09"}};
  const std::vector<Requirement> all{{"p", std::nullopt, every},
                                     {"q", 5 * kSecond, label("role", "*")}};
  EXPECT_EQ(parse_requirements(requirements_text(all)), all);
  EXPECT_TRUE(parse_requirements(requirements_text({})).empty());
}

TEST(Requirement, WhatIsDamagedAsksForAnyGuest) {
  const Guest g = guest();
  for (const char* text :
       {"", "x", "# vmirror requirements 2\n", "# vmirror requirements 1\n\n",
        "# vmirror requirements 1\np\n", "# vmirror requirements 1\np\t0\n",
        "# vmirror requirements 1\np\t-1\tvm=x\n", "# vmirror requirements 1\np\t1x\tvm=x\n",
        "# vmirror requirements 1\np\t99999999999999999999\tvm=x\n",
        "# vmirror requirements 1\n\t0\tvm=x\n", "# vmirror requirements 1\np\t0\tvm\n",
        "# vmirror requirements 1\np\t0\tvm=%4\n", "# vmirror requirements 1\np\t0\tcolour=x\n"})
    EXPECT_TRUE(required_by(parse_requirements(text), &g, 0)) << text;
}

TEST(Requirement, SelectsByAllThatIsKnownBeforeThePortIs) {
  struct Case {
    const char* why;
    Selector selector;
    bool selected;
  };
  for (const Case& c : {
           Case{"name", selector(&Selector::vm, "dc?"), true},
           Case{"another name", selector(&Selector::vm, "web*"), false},
           Case{"UUID in capitals", selector(&Selector::uuid, "6F0C1D6E-*"), true},
           Case{"MAC", selector(&Selector::mac, "52:54:00:*"), true},
           Case{"title", selector(&Selector::title, "the *"), true},
           Case{"network", selector(&Selector::network, "lan"), true},
           Case{"another network", selector(&Selector::network, "wan"), false},
           Case{"label", label("role", "dc"), true},
           Case{"another value", label("role", "web"), false},
           Case{"no such label: libvirt makes this port, without it", label("zone", "*"), false},
           Case{"label that libvirt writes", label("vm-id", "6f0c1d6e-*"), true},
           Case{"port: there is none yet, `start` will tell", selector(&Selector::port, "*"),
                false},
       }) {
    EXPECT_EQ(may_select(c.selector, guest(), guest().nics[0]), c.selected) << c.why;
  }
}

TEST(Requirement, SelectsByPortOnceItHasAName) {
  Guest g = guest();
  g.nics[0].device = "vnet3";
  EXPECT_TRUE(may_select(selector(&Selector::port, "vnet*"), g, g.nics[0]));
  EXPECT_FALSE(may_select(selector(&Selector::port, "tap*"), g, g.nics[0]));
}

TEST(Requirement, APortThatSomebodyElseMadeMayHaveAnyLabel) {
  Guest g = guest();
  g.nics[0].bridge = g.nics[0].network = "";
  EXPECT_TRUE(may_select(label("zone", "a"), g, g.nics[0]));
  EXPECT_FALSE(may_select(label("role", "web"), g, g.nics[0])) << "the guest's own is known";
}

TEST(Requirement, EndsWhenThePolicyDoes) {
  const Guest g = guest();
  const std::vector<Requirement> all{{"p", 10 * kSecond, selector(&Selector::vm, "dc1")}};
  EXPECT_EQ(required_by(all, &g, 10 * kSecond - 1), "p");
  EXPECT_EQ(required_by(all, &g, 10 * kSecond), std::nullopt);
}

TEST(Requirement, AGuestThatCantBeReadCouldBeAny) {
  const std::vector<Requirement> all{{"p", 5, selector(&Selector::vm, "dc1")},
                                     {"q", std::nullopt, selector(&Selector::vm, "dc1")}};
  EXPECT_EQ(required_by(all, nullptr, 10), "q");
  EXPECT_EQ(required_by({}, nullptr, 10), std::nullopt);
}

TEST(Requirement, AGuestWithoutNicsIsNoOnes) {
  Guest g = guest();
  g.nics.clear();
  const std::vector<Requirement> all{{"p", std::nullopt, {}}};
  EXPECT_EQ(required_by(all, &g, 0), std::nullopt);
}

}  // namespace
}  // namespace vmirror
