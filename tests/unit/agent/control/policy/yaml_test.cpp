// The guard in front of yaml-cpp. Bounds are passed as arguments, so that the text is harmless to
// the library even where the guard would fail.
#include "agent/control/policy/yaml.hpp"

#include <gtest/gtest.h>

namespace vmirror {
namespace {

constexpr yaml::Bounds kSmall{.bytes = 64, .nodes = 8, .depth = 3, .aliases = 2};

std::string error_of(const std::string& text) {
  const yaml::Reader any = [](const yaml::Node&) -> Result<void> { return {}; };
  const auto done = yaml::read(text, "f.yaml", any, kSmall);
  return done ? "" : done.error().text();
}

TEST(YamlGuard, EachBoundIsNamed) {
  const struct {
    const char* text;
    const char* error;
  } table[] = {
      {"a: 1", ""},
      {"--- a\n...\n", ""},
      {"[1, 2, 3, 4, 5, 6, 7]", ""},
      {"[1, 2, 3, 4, 5, 6, 7, 8]", "f.yaml:1: more than 8 values (split the file)"},
      {"{a: 1, b: 2, c: 3,\n d: 4}", "f.yaml:2: more than 8 values (split the file)"},
      {"[[[]]]", ""},
      {"[[\n[[]]]]", "f.yaml:2: more than 3 levels (split the file)"},
      {"- &a x\n- *a\n- *a", ""},
      {"- &a x\n- *a\n- *a\n- *a", "f.yaml:4: more than 2 aliases (split the file)"},
      // The list of the anchor counts with its values.
      {"- &a [1, 2]\n- *a", ""},
      {"- &a [1, 2]\n- *a\n- *a", "f.yaml:3: more than 8 values (split the file)"},
      {"&a [*a]", "f.yaml:1: an alias within its own anchor (write the value out)"},
      {"0123456789012345678901234567890123456789012345678901234567890123456789",
       "f.yaml: more than 64 bytes (split it)"},
      {"", "f.yaml: the file is empty (write it, or remove it)"},
      {"# nothing\n", "f.yaml: the file is empty (write it, or remove it)"},
      {"---\n...\n", "f.yaml: the file is empty (write it, or remove it)"},
      {"a: 1\n---\nb: 2", "f.yaml:2: a second document begins here (keep one document a file)"},
      {"a: 1\n---\n---\nb: 2",
       "f.yaml:2: a second document begins here (keep one document a file)"},
  };
  for (const auto& row : table) EXPECT_EQ(error_of(row.text), row.error) << row.text;
}

}  // namespace
}  // namespace vmirror
