// VXLAN, GENEVE and RSPAN: the encapsulations that are not GRE.
#include <gtest/gtest.h>

#include "agent/engine/decap/geneve.hpp"
#include "agent/engine/decap/rspan.hpp"
#include "agent/engine/decap/vxlan.hpp"
#include "tests/support/encapsulate.hpp"

namespace vmirror {
namespace {

using namespace test;

TEST(Vxlan, ReadsTheNetworkIdentifier) {
  const auto h = parse_vxlan(hex("08 000000 abcdef 00"));
  ASSERT_TRUE(h);
  EXPECT_EQ(h->vni, 0xabcdefu);
  EXPECT_TRUE(parse_vxlan(hex("88 00 1234 000001 00"))) << "group policy uses reserved fields";
}

TEST(Vxlan, IgnoresReservedBits) {
  const auto h = parse_vxlan(hex("ff 01 02 04 000007 ff"));
  ASSERT_TRUE(h);
  EXPECT_EQ(h->vni, 7u);
  EXPECT_FALSE(h->bare_ip);
}

TEST(Vxlan, ReadsTheNextProtocolOfGpe) {
  EXPECT_FALSE(parse_vxlan(hex("0c 0000 03 000001 00"), true)->bare_ip);
  EXPECT_TRUE(parse_vxlan(hex("0c 0000 01 000001 00"), true)->bare_ip);
  EXPECT_TRUE(parse_vxlan(hex("0c 0000 02 000001 00"), true)->bare_ip);
  EXPECT_EQ(parse_vxlan(hex("0c 0000 04 000001 00"), true).error(), DecapError::vxlan_flags)
      << "NSH";
}

TEST(Vxlan, RefusesByName) {
  EXPECT_EQ(parse_vxlan(hex("00 000000 abcdef 00")).error(), DecapError::vxlan_flags);
  EXPECT_EQ(parse_vxlan(hex("08 000000 abcdef")).error(), DecapError::vxlan_truncated);
  EXPECT_EQ(parse_vxlan({}).error(), DecapError::vxlan_truncated);
}

TEST(Geneve, ReadsEveryField) {
  const auto h = parse_geneve(hex("02 c0 6558 00002b 00 0101 8001 00000001"));
  ASSERT_TRUE(h);
  EXPECT_EQ(h->vni, 43u);
  EXPECT_TRUE(h->control);
  EXPECT_TRUE(h->critical);
  EXPECT_FALSE(h->bare_ip);
  EXPECT_EQ(h->size, 16);
}

TEST(Geneve, TakesEthernetAndIp) {
  for (const std::uint16_t protocol : {0x6558, 0x0800, 0x86dd}) {
    const auto h = parse_geneve(geneve(1, {}, {}, false, protocol));
    ASSERT_TRUE(h) << protocol;
    EXPECT_EQ(h->bare_ip, protocol != 0x6558);
  }
}

TEST(Geneve, RefusesByName) {
  EXPECT_EQ(parse_geneve(hex("40 00 6558 00002b 00")).error(), DecapError::geneve_version);
  EXPECT_EQ(parse_geneve(hex("00 00 8847 00002b 00")).error(), DecapError::geneve_protocol);
  EXPECT_EQ(parse_geneve(hex("00 00 6558 00002b")).error(), DecapError::geneve_truncated);
  EXPECT_EQ(parse_geneve(hex("01 00 6558 00002b 00 0000")).error(), DecapError::geneve_truncated)
      << "options past the end";
}

TEST(Rspan, TakesTheOutermostTagOutOfTheBytes) {
  const Buffer frame = udp_frame({.tags = {{0x8100, 9}}}, counting(10));
  const Buffer mirrored = tagged({0x8100, 100}, frame);
  std::uint8_t buffer[2048];
  const Frame out = without_outer_tag(frame_of(mirrored), buffer);
  EXPECT_EQ(Buffer(out.bytes.begin(), out.bytes.end()), frame);
  EXPECT_EQ(out.wire_size, frame.size());
}

TEST(Rspan, TakesTheTagThatTheRingTookOut) {
  const Buffer frame = udp_frame({}, counting(10));
  Frame in = frame_of(frame);
  in.stripped = {0x8100, 100};
  in.wire_size += 4;
  std::uint8_t buffer[64];
  const Frame out = without_outer_tag(in, buffer);
  EXPECT_EQ(out.bytes.data(), in.bytes.data()) << "no copy";
  EXPECT_FALSE(out.stripped.present());
  EXPECT_EQ(out.wire_size, frame.size());
}

TEST(Rspan, CutsAFrameThatIsLongerThanTheBuffer) {
  const Buffer mirrored = tagged({0x8100, 100}, udp_frame({}, counting(200)));
  std::uint8_t buffer[64];
  const Frame out = without_outer_tag(frame_of(mirrored), buffer);
  EXPECT_EQ(out.bytes.size(), 64u);
  EXPECT_EQ(out.wire_size, mirrored.size() - 4);
}

}  // namespace
}  // namespace vmirror
