// Object identifiers (X.690, section 8.19): numbers of 7 bits a byte, the first two in one.
#pragma once

#include <charconv>
#include <string_view>

#include "agent/engine/dissect/text.hpp"
#include "agent/model/facts.hpp"

namespace vmirror {

/// "1.3.6.1.5.5.2", kept in `facts`. Nothing where `oid` is none, or longer than any.
inline std::string_view oid_text(Bytes oid, Facts& facts) {
  char out[kMaxText];
  std::size_t size = 0;
  const auto put = [&](std::uint64_t number) {
    if (size + 22 > sizeof out) return false;
    if (size > 0) out[size++] = '.';
    size = static_cast<std::size_t>(std::to_chars(out + size, out + sizeof out, number).ptr - out);
    return true;
  };
  std::uint64_t number = 0;
  bool first = true;
  for (const std::uint8_t byte : oid) {
    if (number >> 57 != 0) return {};
    number = number << 7 | (byte & 0x7f);
    if ((byte & 0x80) != 0) continue;
    if (first) {
      const std::uint64_t root = std::min<std::uint64_t>(number / 40, 2);
      if (!put(root)) return {};
      number -= root * 40;
      first = false;
    }
    if (!put(number)) return {};
    number = 0;
  }
  return facts.keep({out, size});
}

}  // namespace vmirror
