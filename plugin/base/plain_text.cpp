#include "plugin/base/plain_text.hpp"

#include <cstdint>
#include <cstdio>

namespace vmirror {
namespace {

/// Of a valid sequence.
std::uint32_t code_point(std::string_view sequence) {
  const auto first = static_cast<unsigned char>(sequence[0]);
  if (sequence.size() == 1) return first;
  std::uint32_t out = first & (0x7f >> sequence.size());
  for (const char c : sequence.substr(1)) out = out << 6 | (static_cast<unsigned char>(c) & 0x3f);
  return out;
}

bool is_control(std::uint32_t c) {
  return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029;
}

/// Bidi_Control of Unicode's PropList.txt.
bool turns_direction(std::uint32_t c) {
  return c == 0x061c || c == 0x200e || c == 0x200f || (c >= 0x202a && c <= 0x202e) ||
         (c >= 0x2066 && c <= 0x2069);
}

void append_escape(std::string& out, const char* form, std::uint32_t number) {
  char text[16];
  out.append(text, static_cast<std::size_t>(std::snprintf(text, sizeof text, form, number)));
}

template <typename Escape>
std::string changed(std::string_view text, const Escape& escape) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t size = utf8_size(text);
    if (size == 0) {
      append_escape(out, "\\x%02x", static_cast<unsigned char>(text[0]));
    } else if (const std::uint32_t c = code_point(text.substr(0, size)); !escape(c)) {
      out.append(text, 0, size);
    } else {
      append_escape(out, c < 0x80 ? "\\x%02x" : "\\u{%04x}", c);
    }
    text.remove_prefix(size == 0 ? 1 : size);
  }
  return out;
}

}  // namespace

std::size_t utf8_size(std::string_view text) {
  const auto at = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto tail = [&](std::size_t i) { return i < text.size() && (at(i) & 0xc0) == 0x80; };
  const unsigned char first = at(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return tail(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    if (!tail(1) || !tail(2)) return 0;
    if (first == 0xe0 && at(1) < 0xa0) return 0;  // overlong
    if (first == 0xed && at(1) > 0x9f) return 0;  // surrogate
    return 3;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    if (!tail(1) || !tail(2) || !tail(3)) return 0;
    if (first == 0xf0 && at(1) < 0x90) return 0;  // overlong
    if (first == 0xf4 && at(1) > 0x8f) return 0;  // past U+10FFFF
    return 4;
  }
  return 0;
}

std::string valid_utf8(std::string_view text) {
  return changed(text, [](std::uint32_t) { return false; });
}

std::string for_terminal(std::string_view text) {
  return changed(text, [](std::uint32_t c) { return is_control(c) || turns_direction(c); });
}

}  // namespace vmirror
