#include "agent/engine/decap/gre.hpp"

#include <gtest/gtest.h>

#include "tests/support/encapsulate.hpp"

namespace vmirror {
namespace {

using namespace test;

TEST(Gre, ReadsEveryMixOfChecksumKeyAndSequence) {
  const Buffer payload = counting(31);
  for (unsigned mix = 0; mix < 8; ++mix) {
    Gre in{.protocol = 0x88be, .checksum = (mix & 1) != 0};
    if ((mix & 2) != 0) in.key = 0xdeadbeef;
    if ((mix & 4) != 0) in.sequence = 0xfffffffe;
    const auto h = parse_gre(gre(in, payload), true);
    ASSERT_TRUE(h) << mix << to_text(h.error());
    EXPECT_EQ(h->protocol, 0x88be);
    EXPECT_EQ(h->has_key, in.key.has_value());
    EXPECT_EQ(h->key, in.key.value_or(0));
    EXPECT_EQ(h->has_sequence, in.sequence.has_value());
    EXPECT_EQ(h->sequence, in.sequence.value_or(0));
    EXPECT_EQ(h->size, 4 + 4 * __builtin_popcount(mix));
  }
}

TEST(Gre, ReadsBytesOfTheWire) {
  // RFC 2784 with the checksum at 4, RFC 2890 with key 7 and sequence 9.
  const auto h = parse_gre(hex("b000 6558 0000 0000 00000007 00000009"), false);
  ASSERT_TRUE(h);
  EXPECT_EQ(h->protocol, 0x6558);
  EXPECT_EQ(h->key, 7u);
  EXPECT_EQ(h->sequence, 9u);
  EXPECT_EQ(h->size, 16);
}

TEST(Gre, SkipsSourceRoutes) {
  const auto h =
      parse_gre(hex("4000 0800 0000 0000  0800 0008 c0000201 c0000202  0000 0000  45"), true);
  ASSERT_TRUE(h) << to_text(h.error());
  EXPECT_EQ(h->protocol, 0x0800);
  EXPECT_EQ(h->size, 8 + 12 + 4);
}

TEST(Gre, RefusesByName) {
  const struct {
    const char* packet;
    DecapError error;
  } cases[] = {
      {"", DecapError::gre_truncated},
      {"0000 65", DecapError::gre_truncated},
      {"2000 6558 0000", DecapError::gre_truncated},
      {"3081 880b 0004 0001 00000001", DecapError::gre_version},  // PPTP
      {"0002 6558", DecapError::gre_version},
      {"4000 0800 0000 0000", DecapError::gre_routing},
      {"8000 6558 1234 0000", DecapError::gre_checksum},
  };
  for (const auto& c : cases) {
    const auto h = parse_gre(hex(c.packet), true);
    ASSERT_FALSE(h) << c.packet;
    EXPECT_STREQ(to_text(h.error()), to_text(c.error)) << c.packet;
  }
}

TEST(Gre, VerifiesTheChecksumOfWholePacketsOnly) {
  for (const std::size_t size : {0, 1, 7, 8, 9, 64, 1499}) {
    Buffer packet = gre({.checksum = true, .key = 1}, counting(size));
    EXPECT_TRUE(parse_gre(packet, true)) << size;
    packet.back() ^= 0x10;
    EXPECT_FALSE(parse_gre(packet, true)) << size;
    EXPECT_TRUE(parse_gre(packet, false)) << size;
  }
}

TEST(Gre, IgnoresTheReservedFlagsOfRfc1701) {
  const auto h = parse_gre(gre({.extra_flags = 0x0f00}, {}), true);
  ASSERT_TRUE(h);
  EXPECT_EQ(h->size, 4);
}

}  // namespace
}  // namespace vmirror
