// Community ID: the values of its specification's examples, from both directions.
#include "agent/engine/export/community_id.hpp"

#include <gtest/gtest.h>

#include "tests/support/frames.hpp"

namespace vmirror {
namespace {

using test::ip;

struct Row {
  const char* name;
  std::uint8_t protocol;
  const char *source, *destination;
  std::uint16_t source_port, destination_port;
  std::string_view id;
};

TEST(CommunityId, IsThatOfOtherTools) {
  const Row table[] = {
      {"TCP", 6, "128.232.110.120", "66.35.250.204", 34855, 80, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="},
      {"TCP over IPv6", 6, "2001:470:e5bf:dead:4957:2174:e82c:4887", "2607:f8b0:400c:c03::1a",
       63943, 25, "1:/qFaeAR+gFe1KYjMzVDsMv+wgU4="},
      {"UDP", 17, "192.168.1.52", "8.8.8.8", 54585, 53, "1:d/FP5EW3wiY1vCndhwleRRKHowQ="},
      {"SCTP", 132, "192.168.170.8", "192.168.170.56", 7, 7, "1:MP2EtRCAUIZvTw6MxJHLV7N7JDs="},
      {"ICMP echo", 1, "192.168.0.89", "192.168.0.1", 8 << 8, 1, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="},
      {"ICMPv6 router advertisement", 58, "fe80::260:97ff:fe07:69ea", "ff02::1", 134 << 8, 0,
       "1:pkvHqCL88/tg1k4cPigmZXUtL00="},
  };
  for (const Row& row : table) {
    SCOPED_TRACE(row.name);
    EXPECT_EQ(community_id(ip(row.source), ip(row.destination), row.source_port,
                           row.destination_port, row.protocol)
                  .text(),
              row.id);
    const bool icmp = row.protocol == 1 || row.protocol == 58;
    const int answer = row.protocol == 1 ? 0 : 133;
    EXPECT_EQ(community_id(ip(row.destination), ip(row.source),
                           icmp ? static_cast<std::uint16_t>(answer << 8) : row.destination_port,
                           icmp ? std::uint16_t{1} : row.source_port, row.protocol)
                  .text(),
              row.id)
        << "the other direction";
  }
}

TEST(CommunityId, OfAMessageWithoutAnswerDependsOnItsDirection) {
  const std::uint16_t unreachable = 3 << 8 | 1;
  const auto there = community_id(ip("10.0.0.1"), ip("10.0.0.2"), unreachable, 0, 1);
  const auto back = community_id(ip("10.0.0.2"), ip("10.0.0.1"), unreachable, 0, 1);
  EXPECT_NE(there.text(), back.text());
}

TEST(CommunityIds, AreThoseThatAreComputed) {
  CommunityIds ids;
  constexpr std::uint32_t kFlows = 3 * CommunityIds::kKept;  // So that flows take others' places.
  for (int round = 0; round < 2; ++round) {
    for (std::uint32_t n = 0; n < kFlows; ++n) {
      const auto octet = static_cast<std::uint8_t>(n);
      const std::uint8_t octets[4] = {10, 0, octet, 1};
      const IpAddress a = IpAddress::v4(octets), b = n % 5 == 0 ? ip("fe80::1") : ip("10.0.0.2");
      const auto port = static_cast<std::uint16_t>(n / 3);
      const std::uint8_t protocol = n % 3 == 0 ? 6 : n % 3 == 1 ? 17 : 1;
      for (int again = 0; again < 2; ++again) {
        EXPECT_EQ(ids.of(a, b, port, 53, protocol).text(),
                  community_id(a, b, port, 53, protocol).text());
        EXPECT_EQ(ids.of(b, a, 53, port, protocol).text(),
                  community_id(b, a, 53, port, protocol).text());
      }
    }
  }
  EXPECT_EQ(ids.of({}, {}, 0, 0, 0xff).text(), "");
}

TEST(CommunityId, NeedsTwoAddresses) {
  EXPECT_EQ(community_id({}, {}, 0, 0, 6).text(), "");
}

}  // namespace
}  // namespace vmirror
