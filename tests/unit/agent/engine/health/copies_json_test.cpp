// A collector's report: what is written is read again, and what is no report is refused by name.
#include "agent/engine/health/copies_json.hpp"

#include <gtest/gtest.h>

namespace vmirror {
namespace {

TEST(CopiesJson, IsReadAsItWasWritten) {
  CopiesReport report;
  report.addresses = {*IpAddress::parse("192.0.2.9"), *IpAddress::parse("2001:db8::9")};
  report.sessions[{Encapsulation::erspan2, 7, *IpAddress::parse("192.0.2.1")}] = {812, 3, 5};
  report.sessions[{Encapsulation::gre, 0, *IpAddress::parse("2001:db8::1")}] = {1, 0, 6};
  const auto read = parse_copies(encode_copies(report));
  ASSERT_TRUE(read) << read.error().text();
  EXPECT_EQ(*read, report);
  EXPECT_EQ(*parse_copies(encode_copies(std::nullopt)), std::nullopt);
}

TEST(CopiesJson, WhatIsPastTheBoundsIsCounted) {
  CopiesReport report;
  for (std::uint32_t i = 0; i < kMaxReportedSessions + 5; ++i)
    report.sessions[{Encapsulation::gre, i, *IpAddress::parse("192.0.2.1")}] = {};
  const auto read = parse_copies(encode_copies(report));
  ASSERT_TRUE(read) << read.error().text();
  EXPECT_EQ((*read)->sessions.size(), kMaxReportedSessions);
  EXPECT_EQ((*read)->left_out, 5u);
}

TEST(CopiesJson, RefusesWhatIsNoReport) {
  using enum Error::Kind;
  const std::string session =
      R"({"encapsulation":"gre","session":1,"sender":"192.0.2.1","received":1,"lost":0,"last":1})";
  const auto report = [](const std::string& sessions) {
    return R"({"version":1,"addresses":[],"left_out":0,"sessions":[)" + sessions + "]}";
  };
  const auto without = [&](const std::string& part, const std::string& by) {
    std::string out = session;
    return report(out.replace(out.find(part), part.size(), by));
  };
  ASSERT_TRUE(parse_copies(report(session)));
  const struct {
    const char* name;
    std::string body;
    Error::Kind kind;
  } cases[] = {
      {"nothing", "", invalid},
      {"an array", "[]", invalid},
      {"no version", "{}", invalid},
      {"a later version", R"({"version":2})", unsupported},
      {"no sessions", R"({"version":1,"addresses":[],"left_out":0})", invalid},
      {"a session that is none", report("1"), invalid},
      {"an unknown encapsulation", without("\"gre\"", "\"grf\""), invalid},
      {"an ID of more than 32 bits", without("\"session\":1", "\"session\":4294967296"), invalid},
      {"a count below 0", without("\"received\":1", "\"received\":-1"), invalid},
      {"no sender", without("192.0.2.1", "192.0.2"), invalid},
      {"too deep", report("[[[[[[]]]]]]"), invalid},
      {"too long", std::string(kMaxCopiesJson + 1, ' '), exhausted},
  };
  for (const auto& c : cases) {
    const auto read = parse_copies(c.body);
    ASSERT_FALSE(read) << c.name;
    EXPECT_EQ(read.error().kind, c.kind) << c.name << ": " << read.error().text();
  }
}

}  // namespace
}  // namespace vmirror
