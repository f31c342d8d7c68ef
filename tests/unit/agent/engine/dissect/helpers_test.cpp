// What several protocols are read with: BER, GUIDs, UTF-16LE, times.
#include <gtest/gtest.h>

#include "agent/engine/dissect/ber.hpp"
#include "agent/engine/dissect/guid.hpp"
#include "agent/engine/dissect/times.hpp"
#include "tests/support/frames.hpp"

namespace vmirror {
namespace {

using namespace test;

TEST(Ber, ElementsOneAfterAnother) {
  const Buffer bytes = hex("02 01 07  30 81 03 04 01 61  bf 4d 00");
  BerReader reader(bytes);
  EXPECT_EQ(ber_integer(reader.expect(0x02)), 7);
  BerReader inside = reader.enter(0x30);
  EXPECT_EQ(as_text(inside.expect(0x04)), "a");
  EXPECT_TRUE(inside.empty());
  const BerElement high = reader.next();
  EXPECT_EQ(high.tag, ber_tag(0xbf, 77));
  EXPECT_TRUE(high.is_constructed());
  EXPECT_TRUE(reader.ok() && reader.empty());
}

TEST(Ber, WhatItDoesNotRead) {
  const std::pair<const char*, const char*> cases[] = {
      {"02 02 07", "ends before its value"},
      {"30 80 00 00", "of indefinite length"},
      {"30 85 00 00 00 00 01", "a length of five bytes"},
      {"bf ff ff ff 7f 00", "a number too high"},
      {"02", "without a length"}};
  for (const auto& [bytes, what] : cases) {
    const Buffer buffer = hex(bytes);
    BerReader reader(buffer);
    const BerElement element = reader.next();
    EXPECT_FALSE(reader.ok()) << what;
    EXPECT_EQ(element.tag, 0u) << what;
    EXPECT_TRUE(reader.enter(0x30).next().value.empty()) << what;
  }
}

TEST(Ber, Numbers) {
  EXPECT_EQ(ber_integer(hex("ff")), -1);
  EXPECT_EQ(ber_integer(hex("00 ff")), 255);
  EXPECT_EQ(ber_integer(hex("7f ffffffff ffffff")), 0x7fffffffffffffff);
  EXPECT_EQ(ber_integer({}), std::nullopt);
  EXPECT_EQ(ber_integer(Buffer(9)), std::nullopt);
  EXPECT_EQ(ber_unsigned(hex("ff")), std::nullopt);
}

TEST(Ber, HowLongTheFrontIs) {
  EXPECT_EQ(ber_size(hex("30 05 02")).size, 7u);
  EXPECT_EQ(ber_size(hex("30 82 0100")).size, 260u);
  EXPECT_EQ(ber_size(hex("30 84 ffffffff")).size, 0x100000005u);
  EXPECT_TRUE(ber_size(hex("30 82 01")).sound);
  EXPECT_EQ(ber_size(hex("30 82 01")).size, std::nullopt);
  EXPECT_FALSE(ber_size(hex("30 80")).sound);
}

TEST(Guid, AsItsRegistryHasIt) {
  Facts facts;
  EXPECT_EQ(guid_text(hex("0883afe1 1f5d c911 91a4 08002b14a0fa"), facts),
            "e1af8308-5d1f-11c9-91a4-08002b14a0fa");
  EXPECT_EQ(guid_text(hex("00"), facts), "");
}

TEST(Utf16, AsUtf8) {
  Facts facts;
  EXPECT_EQ(utf16_text(hex("4900 5000 4300 2400 0000 4100"), facts), "IPC$");
  EXPECT_EQ(utf16_text(hex("fc00 ac20 3dd800de"), facts), "\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80");
  EXPECT_EQ(utf16_text(hex("00d8 4100"), facts),
            "\xef\xbf\xbd"
            "A");  // Half a pair.
  EXPECT_EQ(utf16_text(hex("41"), facts), "");
  EXPECT_LE(utf16_text(Buffer(4000, 0x41), facts).size(), kMaxText);
}

TEST(Times, OfIec61850) {
  const auto time = utc_time(hex("69571b35 800000 0a"));
  ASSERT_TRUE(time);
  EXPECT_EQ(time->time, Time{0x69571b35} * kSecond + kSecond / 2);
  EXPECT_EQ(time->quality, 0x0a);
  EXPECT_FALSE(utc_time(hex("69571b35 800000")));
}

}  // namespace
}  // namespace vmirror
