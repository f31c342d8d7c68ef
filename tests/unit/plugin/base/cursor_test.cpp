// The byte cursor: what is read, and that no read ever passes the end.
#include "plugin/base/cursor.hpp"

#include <gtest/gtest.h>

#include <array>

namespace vmirror {
namespace {

constexpr std::array<std::uint8_t, 8> kBytes{1, 2, 3, 4, 5, 6, 7, 8};

TEST(Cursor, ReadsBigAndLittleEndian) {
  Cursor c(kBytes);
  EXPECT_EQ(c.u8(), 0x01);
  EXPECT_EQ(c.u16(), 0x0203);
  EXPECT_EQ(c.u24(), 0x040506u);
  EXPECT_EQ(c.le16(), 0x0807);
  EXPECT_TRUE(c.ok());
  EXPECT_TRUE(c.empty());
  EXPECT_EQ(Cursor(kBytes).u32(), 0x01020304u);
  EXPECT_EQ(Cursor(kBytes).le32(), 0x04030201u);
  EXPECT_EQ(Cursor(kBytes).u64(), 0x0102030405060708ULL);
  EXPECT_EQ(Cursor(kBytes).le64(), 0x0807060504030201ULL);
}

TEST(Cursor, AReadPastTheEndIsZeroAndStaysFailed) {
  Cursor c(Bytes(kBytes).first(3));
  EXPECT_EQ(c.u32(), 0u);
  EXPECT_FALSE(c.ok());
  EXPECT_TRUE(c.empty());
  EXPECT_EQ(c.u8(), 0);
  EXPECT_FALSE(c.ok());
}

TEST(Cursor, TakeAndSubBorrowFromTheInput) {
  Cursor c(kBytes);
  EXPECT_EQ(c.take(2).data(), kBytes.data());
  Cursor inner = c.sub(3);
  EXPECT_EQ(inner.left(), 3u);
  EXPECT_EQ(inner.u8(), 3);
  EXPECT_EQ(c.offset(), 5u);
  EXPECT_EQ(c.rest().size(), 3u);
}

TEST(Cursor, ASubThatDoesNotFitFailsBoth) {
  Cursor c(kBytes);
  const Cursor inner = c.sub(9);
  EXPECT_FALSE(c.ok());
  EXPECT_FALSE(inner.ok());
  EXPECT_TRUE(inner.empty());
}

TEST(Cursor, AnEmptyInputIsGoodUntilRead) {
  Cursor c;
  EXPECT_TRUE(c.ok());
  EXPECT_TRUE(c.empty());
  EXPECT_TRUE(c.take(0).empty());
  EXPECT_TRUE(c.ok());
  c.u8();
  EXPECT_FALSE(c.ok());
}

}  // namespace
}  // namespace vmirror
