// GUIDs and UTF-16LE, as Microsoft's protocols have them.
#pragma once

#include <array>
#include <string_view>

#include "agent/engine/dissect/text.hpp"
#include "agent/model/facts.hpp"

namespace vmirror {

/// [MS-DTYP], section 2.3.4.2: | a[4 LE] | b[2 LE] | c[2 LE] | d[8] |, in its registry form without
/// braces: "e1af8308-5d1f-11c9-91a4-08002b14a0fa". Empty where `bytes` has not 16. Kept in `facts`.
inline std::string_view guid_text(Bytes bytes, Facts& facts) {
  constexpr char kHex[] = "0123456789abcdef";
  constexpr std::array<std::uint8_t, 16> kOrder = {3, 2, 1,  0,  5,  4,  7,  6,
                                                   8, 9, 10, 11, 12, 13, 14, 15};
  if (bytes.size() != 16) return {};
  char out[36];
  std::size_t at = 0;
  for (std::size_t i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) out[at++] = '-';
    const std::uint8_t byte = bytes[kOrder[i]];
    out[at++] = kHex[byte >> 4];
    out[at++] = kHex[byte & 15];
  }
  return facts.keep({out, at});
}

/// UTF-16LE as UTF-8, at most kMaxText bytes of it, up to a NUL. A lone surrogate becomes U+FFFD.
/// Kept in `facts`.
inline std::string_view utf16_text(Bytes bytes, Facts& facts) {
  char out[kMaxText];
  std::size_t size = 0;
  const auto unit = [&](std::size_t at) -> std::uint32_t {
    return bytes[at] | std::uint32_t{bytes[at + 1]} << 8;
  };
  for (std::size_t at = 0; at + 1 < bytes.size() && size + 4 <= sizeof out; at += 2) {
    std::uint32_t point = unit(at);
    if (point == 0) break;
    if (point >= 0xd800 && point < 0xe000) {
      const bool pair = point < 0xdc00 && at + 3 < bytes.size() && unit(at + 2) >= 0xdc00 &&
                        unit(at + 2) < 0xe000;
      point = pair ? 0x10000 + ((point - 0xd800) << 10) + (unit(at + 2) - 0xdc00) : 0xfffd;
      if (pair) at += 2;
    }
    const auto put = [&](std::uint32_t byte) { out[size++] = static_cast<char>(byte); };
    if (point < 0x80) {
      put(point);
      continue;
    }
    if (point < 0x800) {
      put(0xc0 | point >> 6);
    } else if (point < 0x10000) {
      put(0xe0 | point >> 12);
      put(0x80 | (point >> 6 & 0x3f));
    } else {
      put(0xf0 | point >> 18);
      put(0x80 | (point >> 12 & 0x3f));
      put(0x80 | (point >> 6 & 0x3f));
    }
    put(0x80 | (point & 0x3f));
  }
  return facts.keep({out, size});
}

}  // namespace vmirror
