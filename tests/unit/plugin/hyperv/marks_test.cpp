// Marks in notes, VLAN settings as texts, faults in words.
#include "plugin/hyperv/marks.hpp"

#include <gtest/gtest.h>

#include "plugin/hyperv/vlans.hpp"
#include "plugin/hyperv/wsman.hpp"

namespace vmirror::hyperv {
namespace {

using Text = std::vector<std::string>;

constexpr const char* kLine =
    R"([vmirror] {"v":1,"marks":[{"kind":"mode","on":"A","was":"None","now":"Source","for":["x/wmi"]}]})";

TEST(Marks, TheLineGoesAndComesAndTheRestOfTheNotesStays) {
  const std::string line = kLine;
  struct Case {
    Text notes, without;
    std::size_t marks;
  };
  for (const Case& c : {
           Case{{}, {""}, 0},
           Case{{"a"}, {"a"}, 0},
           Case{{line}, {""}, 1},
           Case{{"a\n" + line}, {"a"}, 1},
           Case{{"a\r\n" + line + "\r\nb"}, {"a\r\nb"}, 1},
           Case{{line + "\nb"}, {"b"}, 1},
           Case{{"a", "b\n" + line + "\nc", "d"}, {"a", "b\nc", "d"}, 1},
           Case{{"not a line " + line}, {"not a line " + line}, 0},
       }) {
    const Notes notes = parse_notes(c.notes);
    SCOPED_TRACE(c.notes.empty() ? "none" : c.notes.front());
    EXPECT_EQ(notes.error, "");
    ASSERT_EQ(notes.marks.size(), c.marks);
    const auto without = encode_notes(notes, {});
    ASSERT_TRUE(without);
    EXPECT_EQ(*without, c.without);
    const Mark mark{"mode", "B", "None", "Source", {"x/wmi"}, true};
    const auto with = encode_notes(notes, {mark});
    ASSERT_TRUE(with);
    EXPECT_EQ(parse_notes(*with).marks, std::vector{mark});
    EXPECT_EQ(*encode_notes(parse_notes(*with), {}), c.without);
  }
}

TEST(Marks, WhatAnotherProgramWroteIsReadOrNamed) {
  const Notes notes = parse_notes({kLine});
  const Mark* mark = find_mark(notes, "mode", "A");
  ASSERT_TRUE(mark);
  EXPECT_TRUE(mark->is_for("x/wmi"));
  EXPECT_FALSE(mark->is_for("x"));
  EXPECT_FALSE(find_mark(notes, "vlan", "A"));
  for (const char* bad : {"[vmirror] {", "[vmirror] {\"v\":2,\"marks\":[]}",
                          "[vmirror] {\"v\":1,\"marks\":[{\"kind\":\"mode\"}]}"}) {
    const Notes broken = parse_notes({bad});
    EXPECT_NE(broken.error, "") << bad;
    const auto refused = encode_notes(broken, {});
    ASSERT_FALSE(refused) << bad;
    EXPECT_EQ(refused.error().kind, Error::Kind::refused);
  }
}

TEST(Marks, ALineHasABound) {
  std::vector<Mark> marks(1000, Mark{"mode", std::string(100, 'A'), "None", "Source", {"x"}});
  const auto refused = encode_notes({}, marks);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, Error::Kind::exhausted);
}

TEST(Vlans, ListsAreReadAndWritten) {
  for (const auto& [text, written] :
       {std::pair("0-4094", "0-4094"), {"7,1-3", "1-3,7"}, {"5", "5"}, {"1,2,3", "1-3"}}) {
    const auto vlans = parse_vlans(text);
    ASSERT_TRUE(vlans) << text;
    EXPECT_EQ(to_text(*vlans), written);
  }
  for (const char* bad : {"", "a", "4095", "5-1", "1,,2", "1-2-3", "-1", "1 2"})
    EXPECT_FALSE(parse_vlans(bad)) << bad;
}

TEST(Vlans, AMonitorAdapterCarriesSomeAndLosesOthers) {
  using enum VlanSetting::Mode;
  const VlanSetting plain, all{trunk, 0, ~VlanSet()}, ten{access, 10, {}};
  const VlanSetting some{trunk, 10, *parse_vlans("20-30")};
  struct Case {
    const VlanSetting& monitor;
    const char* frames;
    bool carried;
  };
  for (const Case& c : {Case{plain, "0", true}, Case{plain, "10", false}, Case{ten, "10", true},
                        Case{ten, "0", false}, Case{all, "0-4094", true}, Case{some, "10,25", true},
                        Case{some, "0", false}, Case{some, "31", false}})
    EXPECT_EQ(c.monitor.carries(*parse_vlans(c.frames)), c.carried)
        << c.monitor.text() << " " << c.frames;
}

TEST(Vlans, ASettingIsReadAsItWasWritten) {
  using enum VlanSetting::Mode;
  for (const VlanSetting& each :
       {VlanSetting{}, VlanSetting{access, 10, {}}, VlanSetting{trunk, 0, *parse_vlans("1-4094")},
        VlanSetting{trunk, 10, *parse_vlans("20,22")}}) {
    Instance instance;
    for (const Property& property : encode_vlans(each))
      instance.values[property.name] = property.values;
    EXPECT_EQ(read_vlans(instance), each) << each.text();
  }
}

TEST(Faults, SayTheInnermostTextAndTheRemedy) {
  const auto answer = net::SoapAnswer::parse(net::Message(
      R"(<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body><s:Fault><s:Code>
<s:Value>s:Sender</s:Value><s:Subcode><s:Value>w:AccessDenied</s:Value></s:Subcode></s:Code><s:Reason>
<s:Text>outer</s:Text></s:Reason><s:Detail><f:WSManFault xmlns:f="f" Code="5"><f:Message><f:ProviderFault>
<f:WSManFault Code="2147749891"><f:Message>inner</f:Message></f:WSManFault></f:ProviderFault></f:Message>
</f:WSManFault></s:Detail></s:Fault></s:Body></s:Envelope>)"));
  ASSERT_TRUE(answer && answer->fault());
  const Error error = error_of_fault(*answer->fault(), "hv1");
  EXPECT_EQ(error.kind, Error::Kind::refused);
  EXPECT_EQ(error.what, "inner (AccessDenied, code 2147749891)");
  EXPECT_NE(error.remedy.find("Hyper-V Administrators"), std::string::npos);
  EXPECT_EQ(return_value_text(32773), "invalid parameter (32773)");
  EXPECT_EQ(return_value_text(4), "invalid parameter (4)");
  EXPECT_EQ(return_value_text(77), "unknown (77)");
}

}  // namespace
}  // namespace vmirror::hyperv
