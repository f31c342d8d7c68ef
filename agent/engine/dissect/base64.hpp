// Base64 (RFC 4648, section 4): what HTTP's credentials are written in.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace vmirror {

/// Bytes written to `out`; nothing: a character is none of base64, or there is no room. Padding may
/// be missing.
inline std::optional<std::size_t> decode_base64(std::string_view text,
                                                std::span<std::uint8_t> out) {
  while (text.ends_with('=')) text.remove_suffix(1);
  std::size_t size = 0;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    std::uint32_t value = 0;
    if (c >= 'A' && c <= 'Z')
      value = static_cast<std::uint32_t>(c - 'A');
    else if (c >= 'a' && c <= 'z')
      value = static_cast<std::uint32_t>(c - 'a') + 26;
    else if (c >= '0' && c <= '9')
      value = static_cast<std::uint32_t>(c - '0') + 52;
    else if (c == '+' || c == '/')
      value = c == '+' ? 62 : 63;
    else
      return std::nullopt;
    bits = bits << 6 | value;
    count += 6;
    if (count < 8) continue;
    count -= 8;
    if (size == out.size()) return std::nullopt;
    out[size++] = static_cast<std::uint8_t>(bits >> count);
  }
  return size;
}

}  // namespace vmirror
