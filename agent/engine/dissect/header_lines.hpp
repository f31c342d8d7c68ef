// Text of lines and headers, as HTTP (RFC 9112, section 2), SSDP and SIP (RFC 3261, section 7) have
// it:
//
//   first line CRLF | NAME: value CRLF | ... | CRLF | body
//
// A line may end with LF alone.
#pragma once

#include <optional>
#include <string_view>

#include "agent/engine/dissect/text.hpp"

namespace vmirror {

/// Takes the first line off, without its end; none: it has no end.
inline std::optional<std::string_view> next_line(std::string_view& rest) {
  const std::size_t end = rest.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

/// Bytes up to the end of the first empty line; 0: it is not there.
inline std::size_t head_size(std::string_view text) {
  std::string_view rest = text;
  while (const auto line = next_line(rest))
    if (line->empty()) return text.size() - rest.size();
  return 0;
}

/// The same name by RFC 9110, section 5.1: the case of letters does not count.
inline bool is_same_name(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return lower(x) == lower(y); });
}

/// Without blanks at both ends; as long as it is.
inline std::string_view trimmed(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  return text.substr(0, text.find_last_not_of(" \t\r") + 1);
}

struct HeaderLine {
  std::string_view name, value;
};
/// Both are empty where the line has no colon.
inline HeaderLine header_of(std::string_view line) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return {};
  return {trimmed(line.substr(0, colon)), trimmed(line.substr(colon + 1))};
}

/// The first word, which is taken off with the blanks behind it.
inline std::string_view next_word(std::string_view& rest) {
  const std::string_view word = rest.substr(0, rest.find(' '));
  rest = trimmed(rest.substr(word.size()));
  return word;
}

/// As long as records have it.
inline std::string_view shortened(std::string_view text) {
  return text_of({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}
/// A field of text, shortened; an empty one is not told.
inline void tell_text(Facts& facts, const char* field, std::string_view text) {
  if (!text.empty()) facts.add(field, shortened(text));
}

/// The number that `text` is, and nothing else.
inline std::optional<std::uint64_t> number_of(std::string_view text) {
  std::uint64_t out = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), out);
  const bool all = end.ec == std::errc{} && end.ptr == text.data() + text.size();
  return all ? std::optional(out) : std::nullopt;
}

}  // namespace vmirror
