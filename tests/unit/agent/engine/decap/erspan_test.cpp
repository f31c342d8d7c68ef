#include "agent/engine/decap/erspan.hpp"

#include <gtest/gtest.h>

#include "tests/support/encapsulate.hpp"

namespace vmirror {
namespace {

using namespace test;

TEST(Erspan2, ReadsEveryField) {
  // Ver 1, VLAN 342; COS 5, En 2, T 1, session 666; index 0xabcde.
  const auto h = parse_erspan2(hex("1156 b69a fff abcde"));
  ASSERT_TRUE(h);
  EXPECT_EQ(h->vlan, 342);
  EXPECT_EQ(h->cos, 5);
  EXPECT_EQ(h->tag, ErspanHeader::Tag::taken_out);
  EXPECT_TRUE(h->truncated);
  EXPECT_EQ(h->session, 666);
  EXPECT_EQ(h->port, 0xabcdeu);
  EXPECT_EQ(h->size, 8);
  EXPECT_FALSE(h->bare_ip);
}

TEST(Erspan2, TellsWhetherTheFrameLostItsTag) {
  const bool lost[] = {false, true, true, false};
  for (const std::uint8_t en : {0, 1, 2, 3}) {
    const auto h = parse_erspan2(erspan2({.vlan = 7, .en = en}, {}));
    ASSERT_TRUE(h);
    EXPECT_EQ(lost_tag(*h), lost[en]) << int{en};
  }
}

TEST(Erspan3, ReadsEveryField) {
  // Ver 2, VLAN 0xd2d; COS 3, BSO 2, T 1, session 1023; time; SGT 0x1234;
  // P 1, FT 0, HwID 0x2a, D 1, Gra 2, O 0
  const auto h = parse_erspan3(hex("2d2d 77ff 48000846 1234 82ac"));
  ASSERT_TRUE(h);
  EXPECT_EQ(h->vlan, 0xd2d);
  EXPECT_EQ(h->cos, 3);
  EXPECT_EQ(h->bad_frame, 2);
  EXPECT_TRUE(h->truncated);
  EXPECT_EQ(h->session, 1023);
  EXPECT_EQ(h->timestamp, 0x48000846u);
  EXPECT_EQ(h->group, 0x1234);
  EXPECT_EQ(h->hardware, 0x2a);
  EXPECT_TRUE(h->egress);
  EXPECT_EQ(h->granularity, 2);
  EXPECT_FALSE(h->has_subheader);
  EXPECT_FALSE(h->bare_ip);
  EXPECT_FALSE(lost_tag(*h));
  EXPECT_EQ(h->size, 12);
}

TEST(Erspan3, ReadsEverySubheader) {
  const struct {
    std::uint64_t subheader;
    std::uint8_t platform;
    std::uint32_t port;
    std::uint16_t domain;
    std::uint64_t timestamp;
  } cases[] = {
      {0x0400'0abc'8000'0001, 1, 0x80000001, 0xabc, 0x55},
      {0x0c00'3fff'0000'0002, 3, 0x3fff, 0, 0x2'0000'0055},
      {0x1000'0000'ffff'ffff, 4, 0, 0, 0x55},
      {0x17ff'8001'0000'0003, 5, 0x8001, 0x3ff, 0x3'0000'0055},
      {0x1801'0002'0000'0004, 6, 2, 1, 0x4'0000'0055},
      {0x1c0f'ffff'0000'0005, 7, 0xfffff, 0, 0x5'0000'0055},
      {0x0008'0001'0000'0006, 0, 0x80001, 0, 0x6'0000'0055},
      {0xfc00'0001'0000'0007, 63, 0, 0, 0x55},  // Unknown: skipped.
  };
  for (const auto& c : cases) {
    const auto h = parse_erspan3(erspan3({.timestamp = 0x55, .subheader = c.subheader}, {}));
    ASSERT_TRUE(h) << int{c.platform};
    EXPECT_TRUE(h->has_subheader);
    EXPECT_EQ(h->platform, c.platform);
    EXPECT_EQ(h->port, c.port) << int{c.platform};
    EXPECT_EQ(h->domain, c.domain) << int{c.platform};
    EXPECT_EQ(h->timestamp, c.timestamp) << int{c.platform};
    EXPECT_EQ(h->size, 20);
  }
}

TEST(Erspan3, TellsAnIpPacketAndRefusesOtherFrameTypes) {
  for (std::uint8_t type = 0; type < 32; ++type) {
    const auto h = parse_erspan3(erspan3({.frame = type}, {}));
    if (type == 0 || type == 2) {
      ASSERT_TRUE(h) << int{type};
      EXPECT_EQ(h->bare_ip, type == 2);
    } else {
      ASSERT_FALSE(h) << int{type};
      EXPECT_EQ(h.error(), DecapError::erspan_frame_type);
    }
  }
}

TEST(Erspan, NamesACutAtEveryByte) {
  const Buffer two = erspan2({}, {});
  for (std::size_t size = 0; size < two.size(); ++size) {
    const auto h = parse_erspan2(Bytes(two).first(size));
    ASSERT_FALSE(h);
    EXPECT_EQ(h.error(), DecapError::erspan_truncated) << size;
  }
  const Buffer three = erspan3({.subheader = 0}, {});
  for (std::size_t size = 0; size < three.size(); ++size) {
    const auto h = parse_erspan3(Bytes(three).first(size));
    ASSERT_FALSE(h);
    EXPECT_EQ(h.error(), DecapError::erspan_truncated) << size;
  }
}

TEST(Erspan, RefusesAnotherVersionThanTheGreProtocolPromises) {
  EXPECT_EQ(parse_erspan2(erspan3({}, {})).error(), DecapError::erspan_version);
  EXPECT_EQ(parse_erspan3(erspan2({}, counting(8))).error(), DecapError::erspan_version);
  EXPECT_EQ(parse_erspan2(hex("0000 0000 0000 0000")).error(), DecapError::erspan_version);
}

}  // namespace
}  // namespace vmirror
