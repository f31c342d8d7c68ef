// The tags in which BACnet's services carry their values (ANSI/ASHRAE 135, clause 20.2).
//
//   | number:4 context:1 length:3 | number[1] if 15 | length[1] if 5, 254: [2], 255: [4] | value |
//   of a context tag length 6 opens a list, 7 closes it; of the application tag 1 the length is the
//   boolean
#pragma once

#include "plugin/base/cursor.hpp"

namespace vmirror {

struct BacnetTag {
  enum class Kind : std::uint8_t { application, context, opening, closing };
  Kind kind = Kind::application;
  std::uint8_t number = 0;
  std::uint32_t length = 0;  ///< Of application tag 1: its value.
  Bytes value;

  bool is_application(std::uint8_t n) const { return kind == Kind::application && number == n; }
  bool is_context(std::uint8_t n) const { return kind == Kind::context && number == n; }
  bool opens(std::uint8_t n) const { return kind == Kind::opening && number == n; }
  bool closes(std::uint8_t n) const { return kind == Kind::closing && number == n; }
};

/// Numbers of application tags.
enum BacnetType : std::uint8_t {
  kBacnetNull,
  kBacnetBoolean,
  kBacnetUnsigned,
  kBacnetSigned,
  kBacnetReal,
  kBacnetDouble,
  kBacnetOctets,
  kBacnetText,
  kBacnetBits,
  kBacnetEnumerated,
  kBacnetDate,
  kBacnetTime,
  kBacnetObject,
};

/// The next tag; what can't be read makes the cursor not ok().
inline BacnetTag next_bacnet_tag(Cursor& cursor) {
  BacnetTag out;
  const std::uint8_t first = cursor.u8();
  out.number = first >> 4;
  if (out.number == 15) out.number = cursor.u8();
  out.length = first & 7;
  const bool context = (first & 8) != 0;
  if (context && out.length >= 6) {
    out.kind = out.length == 6 ? BacnetTag::Kind::opening : BacnetTag::Kind::closing;
    return out;
  }
  if (context) out.kind = BacnetTag::Kind::context;
  if (!context && out.number == kBacnetBoolean) return out;
  if (out.length == 5) {
    out.length = cursor.u8();
    if (out.length == 254)
      out.length = cursor.u16();
    else if (out.length == 255)
      out.length = cursor.u32();
  }
  out.value = cursor.take(out.length);
  return out;
}

/// An unsigned or enumerated value; longer ones: their last bytes.
inline std::uint64_t bacnet_unsigned(Bytes value) {
  std::uint64_t out = 0;
  for (const std::uint8_t byte : value) out = out << 8 | byte;
  return out;
}

}  // namespace vmirror
