// Which NICs a selector has.
#include "agent/model/policy.hpp"

#include <gtest/gtest.h>

namespace vmirror {
namespace {

constexpr const char* kUuid = "6f0c1d6e-8d7a-4f35-9a55-0a2f6b1c7d10";

Location dc1() {
  return {.host = "h",
          .switch_name = "br0",
          .port = "vnet0",
          .vm_name = "dc-1",
          .vm_uuid = kUuid,
          .interface_id = {},
          .mac = *Mac::parse("52:54:00:aa:00:01"),
          .title = "Domain controller",
          .network = "ot-cell",
          .labels = {{"role", "dc"}, {"zone", ""}}};
}

Selector of(std::string Selector::*part, const char* glob) {
  Selector s;
  s.*part = glob;
  return s;
}
Selector labelled(std::map<std::string, std::string> labels) {
  Selector s;
  s.labels = std::move(labels);
  return s;
}

TEST(Selector, EachPart) {
  const struct {
    Selector selector;
    bool expected, expected_of_unknown;  // The latter: of a port that nothing is known of.
  } table[] = {
      {of(&Selector::vm, "dc-*"), true, false},
      {of(&Selector::vm, "*"), true, false},
      {of(&Selector::vm, "DC-*"), false, false},
      {of(&Selector::uuid, "6F0C*"), true, false},
      {of(&Selector::uuid, "*"), true, false},
      {of(&Selector::uuid, "7*"), false, false},
      {of(&Selector::mac, "52:54:00:aa:*"), true, false},
      {of(&Selector::mac, "52:54:00:ab:*"), false, false},
      {of(&Selector::mac, "*"), true, false},
      {of(&Selector::port, "vnet?"), true, true},
      {of(&Selector::port, "vnet"), false, false},
      {of(&Selector::title, "Domain*"), true, false},
      {of(&Selector::title, "*"), true, false},
      {of(&Selector::title, "domain*"), false, false},
      {of(&Selector::network, "ot-*"), true, false},
      {of(&Selector::network, "*"), true, false},
      {of(&Selector::network, "it"), false, false},
      {labelled({{"role", "d?"}}), true, false},
      {labelled({{"role", "dc"}, {"zone", "*"}}), true, false},
      {labelled({{"role", "dc"}, {"floor", "*"}}), false, false},
  };
  Location unknown;
  unknown.port = "vnet0";
  for (const auto& row : table) {
    const Selector& s = row.selector;
    const std::string what = s.vm + s.uuid + s.mac + s.port + s.title + s.network;
    EXPECT_EQ(selects(s, dc1()), row.expected) << what;
    EXPECT_EQ(selects(s, unknown), row.expected_of_unknown) << what;
  }
}

TEST(Selector, AllPartsMustMatch) {
  Selector s = of(&Selector::vm, "dc-*");
  s.title = "Domain*";
  s.network = "ot-*";
  EXPECT_TRUE(selects(s, dc1()));
  s.network = "it-*";
  EXPECT_FALSE(selects(s, dc1()));
}

TEST(Selector, AVmWithoutANameIsMatchedByItsUuid) {
  Location at = dc1();
  at.vm_name.clear();
  EXPECT_TRUE(selects(of(&Selector::vm, "6f0c*"), at));
}

}  // namespace
}  // namespace vmirror
