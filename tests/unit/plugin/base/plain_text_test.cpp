// Text of strangers, as it is shown.
#include "plugin/base/plain_text.hpp"

#include <gtest/gtest.h>

namespace vmirror {
namespace {

TEST(PlainText, IsValidAndChangesNoTerminal) {
  const struct {
    std::string_view text;
    const char *valid, *shown;  ///< Null: as the text is.
  } table[] = {
      {"", nullptr, nullptr},
      {"dc-1 \\x41 \xc3\xa4 \xe5\xb7\xa5 \xf0\x9f\x98\x80", nullptr, nullptr},
      {"a\x1b[31mb", nullptr, "a\\x1b[31mb"},
      {"a\nERROR x\r\t\x7f", nullptr, "a\\x0aERROR x\\x0d\\x09\\x7f"},
      {"\xc2\x9b"
       "31m\xc2\x85",
       nullptr, "\\u{009b}31m\\u{0085}"},  // C1: CSI, NEL
      {"\xe2\x80\xae"
       "evil\xe2\x81\xa6",
       nullptr, "\\u{202e}evil\\u{2066}"},  // RLO, LRI
      {"\xd8\x9c\xe2\x80\x8f\xe2\x80\xa8", nullptr, "\\u{061c}\\u{200f}\\u{2028}"},
      {"\xff\xfe"
       "a\x9b",
       "\\xff\\xfea\\x9b", "\\xff\\xfea\\x9b"},
      {"\xc0\xaf \xed\xa0\x80 \xf4\x90\x80\x80", "\\xc0\\xaf \\xed\\xa0\\x80 \\xf4\\x90\\x80\\x80",
       "\\xc0\\xaf \\xed\\xa0\\x80 \\xf4\\x90\\x80\\x80"},  // overlong, surrogate, past the end
      {"cut \xe2\x80", "cut \\xe2\\x80", "cut \\xe2\\x80"},
  };
  for (const auto& row : table) {
    EXPECT_EQ(valid_utf8(row.text), row.valid ? row.valid : row.text);
    EXPECT_EQ(for_terminal(row.text), row.shown ? row.shown : row.text);
  }
  const std::string_view zero("a\0b", 3);
  EXPECT_EQ(valid_utf8(zero), zero);
  EXPECT_EQ(for_terminal(zero), "a\\x00b");
}

}  // namespace
}  // namespace vmirror
