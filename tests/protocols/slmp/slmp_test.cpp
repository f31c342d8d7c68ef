#include <gtest/gtest.h>

#include "agent/engine/dissect/ot/presence.hpp"
#include "tests/unit/agent/engine/dissect/tables.hpp"

namespace vmirror {
namespace {

using namespace test;

TEST(Slmp, Tells) {
  expect_tells(kSlmp, "slmp",
               {
                   {"read words", ""},
                   {"words", "fact 10.0.0.2 service = \"slmp\" (slmp.subheader, implied)\n"},
                   {"with a serial", ""},
                   {"its answer", "fact 10.0.0.2 service = \"slmp\" (slmp.subheader, implied)\n"},
               });
}

TEST(Slmp, Malformed) {
  expect_malformed(kSlmp, {
                              {"", "truncated"},
                              {"50 00 00 ff", "truncated"},
                              {"51 00", "bad_value"},
                              {"50 01", "bad_value"},
                              {"50 00 00 ff ff03 00 0400 0000", "truncated"},
                              {"50 00 00 ff ff03 00 0200 0000 00", "bad_length"},
                              {"50 00 00 ff ff03 00 0100 00", "bad_length"},
                              {"50 00 00 ff 0000 00 0200 0000", "bad_value"},
                          });
}

TEST(Slmp, CutAtEveryByte) {
  expect_no_cut_passes(kSlmp, "slmp");
}

}  // namespace
}  // namespace vmirror
