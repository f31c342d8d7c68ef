// Whose a port is by what the switch learned on it.
#include "plugin/ovs/learned.hpp"

#include <gtest/gtest.h>

namespace vmirror::ovs {
namespace {

const Mac kA = Mac::parse("52:54:00:00:00:01").value();
const Mac kB = Mac::parse("52:54:00:00:00:02").value();
const PortKey kTap{"br0", "tap1"};

TEST(Learned, ReadsTheTableOfFdbShow) {
  const LearnedOf learned = parse_learned(
      " port  VLAN  MAC                Age\n"
      "    2     0  52:54:00:00:00:01    3\n"
      "    2    10  52:54:00:00:00:01  299\n"
      "LOCAL     0  26:c1:ab:0a:4c:4b  297\n"
      "    7     0  52:54:00:00:00:02  static\n"
      "\n");
  EXPECT_EQ(learned, (LearnedOf{{2, {kA}}, {7, {kB}}}));
  EXPECT_TRUE(parse_learned("").empty());
}

struct Names {
  PortNamer namer;
  std::uint64_t number = 0;
  std::string id = "one";

  /// After a reading that shows this on br0; port tap1 is number 2.
  Port after(std::optional<LearnedOf> learned, std::optional<Error> error = {}) {
    Port port;
    port.name = kTap.port;
    port.id = id;
    Learned reading;
    reading.number = ++number;
    reading.error = std::move(error);
    if (learned) reading.bridges["br0"] = std::move(*learned);
    namer.name(kTap, 2, port, reading);
    return port;
  }
};

TEST(PortNamer, ThePortHasTheOneAddressThatItShows) {
  Names names;
  EXPECT_EQ(names.after(LearnedOf{{2, {kB}}}).mac, std::nullopt)
      << "a reading from before it was there may be of another port of that number";
  EXPECT_EQ(names.after(LearnedOf{}).mac_unknown, "it has sent nothing yet");
  const Port named = names.after(LearnedOf{{2, {kA}}, {3, {kB}}});
  EXPECT_EQ(named.mac, kA);
  EXPECT_EQ(named.mac_unknown, "");
  EXPECT_EQ(names.after(LearnedOf{}).mac, kA) << "the switch forgets who is silent";
  EXPECT_EQ(names.after(std::nullopt, Error{Error::Kind::unreachable, "no", {}, {}}).mac, kA);
  EXPECT_EQ(names.after(LearnedOf{{3, {kA}}}).mac, std::nullopt) << "it went to another port";
  EXPECT_EQ(names.after(LearnedOf{{2, {kB}}}).mac, kB) << "it has got another guest";
  const Port several = names.after(LearnedOf{{2, {kA, kB}}});
  EXPECT_EQ(several.mac, std::nullopt);
  EXPECT_EQ(several.mac_unknown, "the switch has learned 2 addresses on it");
}

TEST(PortNamer, APortThatIsMadeAnewBeginsAnew) {
  Names names;
  names.after(LearnedOf{});
  EXPECT_EQ(names.after(LearnedOf{{2, {kA}}}).mac, kA);
  names.id = "two";
  EXPECT_EQ(names.after(LearnedOf{{2, {kA}}}).mac, std::nullopt);
  EXPECT_EQ(names.after(LearnedOf{{2, {kB}}}).mac, kB);
}

TEST(PortNamer, SaysWhyNothingCanBeRead) {
  Names names;
  const Port port = names.after(
      std::nullopt,
      Error{Error::Kind::unsupported, "the switch's database is not on this host", {}, {}});
  EXPECT_EQ(port.mac, std::nullopt);
  EXPECT_EQ(port.mac_unknown,
            "what the switch has learned can't be read: the switch's database is not on this host");
}

}  // namespace
}  // namespace vmirror::ovs
