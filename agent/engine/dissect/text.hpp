// What dissectors share: text as packets carry it, names of numbers, and the Internet checksum.
#pragma once

#include <algorithm>
#include <charconv>
#include <span>
#include <string_view>
#include <system_error>

#include "agent/model/facts.hpp"
#include "plugin/base/cursor.hpp"

namespace vmirror {

/// The longest text taken from a packet, in bytes.
constexpr std::size_t kMaxText = 512;

/// A text field: at most kMaxText bytes, without the padding (NUL, blanks) at its end.
inline std::string_view text_of(Bytes field) {
  std::string_view text = as_text(field.first(std::min(field.size(), kMaxText)));
  text = text.substr(0, text.find(char{}));
  const std::size_t last = text.find_last_not_of(" \t\r\n");
  return text.substr(0, last == std::string_view::npos ? 0 : last + 1);
}

/// A number's name in its protocol.
struct Named {
  std::uint32_t value;
  const char* name;
};
/// Null when `table` has no name for it.
inline const char* name_of(std::span<const Named> table, std::uint32_t value) {
  for (const Named& each : table) {
    if (each.value == value) return each.name;
  }
  return nullptr;
}
/// `prefix` and the number: "TYPE65280". Lives as long as the frame's facts.
inline std::string_view keep_number(Facts& facts, std::string_view prefix, std::uint32_t value) {
  char out[32];
  const std::size_t size = prefix.copy(out, 16);
  const auto end = std::to_chars(out + size, out + sizeof out, value).ptr;
  return facts.keep({out, static_cast<std::size_t>(end - out)});
}
/// A short text that a dissector makes: "20.11", "0x00c0ffee".
class ShortText {
 public:
  ShortText& add(std::string_view text) {
    size_ += text.copy(out_ + size_, sizeof out_ - size_);
    return *this;
  }
  ShortText& add(std::uint64_t number) {
    const auto end = std::to_chars(out_ + size_, out_ + sizeof out_, number);
    if (end.ec == std::errc{}) size_ = static_cast<std::size_t>(end.ptr - out_);
    return *this;
  }
  /// With zeros in front: that many digits.
  ShortText& add_hex(std::uint64_t number, int digits) {
    for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4)
      add(std::string_view("0123456789abcdef").substr(number >> shift & 15, 1));
    return *this;
  }
  /// Lives as long as the frame's facts.
  std::string_view kept(Facts& facts) const { return facts.keep({out_, size_}); }

 private:
  char out_[96];
  std::size_t size_ = 0;
};
/// The number's name as text; the number itself, as text too, where it has none.
inline void tell_named(Facts& facts, const char* field, std::span<const Named> table,
                       std::uint32_t value) {
  const char* name = name_of(table, value);
  facts.add(field, name ? std::string_view(name) : keep_number(facts, "", value));
}

/// The sum of RFC 1071 over `bytes`, on top of `sum`, folded: 0xffff when a checksum is among them
/// and right.
inline std::uint16_t internet_sum(Bytes bytes, std::uint64_t sum = 0) {
  std::size_t i = 0;
  for (; i + 1 < bytes.size(); i += 2) sum += load_be16(bytes.data() + i);
  if (i < bytes.size()) sum += static_cast<std::uint64_t>(bytes[i]) << 8;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(sum);
}

}  // namespace vmirror
