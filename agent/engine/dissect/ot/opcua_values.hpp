// The values of OPC UA's binary encoding (OPC 10000-6, section 5.2): little-endian, strings with a
// length of 32 bits before them, -1 for none.
#pragma once

#include <optional>
#include <utility>

#include "agent/engine/dissect/text.hpp"

namespace vmirror {

/// A node's number in its namespace; other kinds of names are passed over.
struct OpcuaNode {
  std::uint16_t name_space = 0;
  std::optional<std::uint32_t> number;
};

/// Reads values one after another. What can't be read makes `ok()` false for good.
class OpcuaReader {
 public:
  explicit OpcuaReader(Bytes bytes) : cursor_(bytes) {}

  bool ok() const { return ok_ && cursor_.ok(); }
  Cursor& raw() { return cursor_; }
  std::uint8_t u8() { return cursor_.u8(); }
  std::uint32_t u32() { return cursor_.le32(); }
  void skip(std::size_t size) { cursor_.skip(size); }

  Bytes bytes() {
    const std::uint32_t size = cursor_.le32();
    return size == kNone ? Bytes{} : cursor_.take(size);
  }
  std::string_view text() { return text_of(bytes()); }
  /// The number of an array's elements; each has a byte at least.
  std::uint32_t count() {
    const std::uint32_t size = cursor_.le32();
    if (size == kNone) return 0;
    if (size > cursor_.left()) ok_ = false;
    return ok_ ? size : 0;
  }
  void skip_texts() {
    for (std::uint32_t left = count(); left > 0 && ok(); --left) bytes();
  }
  std::string_view localized_text() {
    const std::uint8_t mask = u8();
    if ((mask & 1) != 0) bytes();
    return (mask & 2) != 0 ? text() : std::string_view{};
  }
  OpcuaNode node() {
    const std::uint8_t encoding = u8();
    OpcuaNode out;
    switch (encoding & 0x3f) {
      case 0:
        out.number = cursor_.u8();
        break;
      case 1:
        out.name_space = cursor_.u8();
        out.number = cursor_.le16();
        break;
      case 2:
        out.name_space = cursor_.le16();
        out.number = cursor_.le32();
        break;
      case 3:
      case 5:
        cursor_.le16();
        bytes();
        break;
      case 4:
        skip(18);
        break;
      default:
        ok_ = false;
    }
    if ((encoding & 0x80) != 0) bytes();  // An expanded one's namespace,
    if ((encoding & 0x40) != 0) u32();    // and its server.
    return out;
  }
  /// The body's type and bytes.
  std::pair<OpcuaNode, Bytes> extension_object() {
    const OpcuaNode type = node();
    const std::uint8_t encoding = u8();
    return {type, encoding == 0 ? Bytes{} : bytes()};
  }
  void skip_diagnostics() {
    constexpr int kMostInner = 8;
    for (int depth = 0; depth < kMostInner; ++depth) {
      const std::uint8_t mask = u8();
      for (int bit = 0; bit < 4; ++bit)
        if ((mask >> bit & 1) != 0) u32();
      if ((mask & 0x10) != 0) bytes();
      if ((mask & 0x20) != 0) u32();
      if ((mask & 0x40) == 0) return;
    }
    ok_ = false;
  }

 private:
  static constexpr std::uint32_t kNone = 0xffffffff;
  Cursor cursor_;
  bool ok_ = true;
};

}  // namespace vmirror
