#include <gtest/gtest.h>

#include "agent/engine/dissect/ot/presence.hpp"
#include "tests/unit/agent/engine/dissect/tables.hpp"

namespace vmirror {
namespace {

using namespace test;

TEST(RocPlus, Tells) {
  expect_tells(
      kRocPlus, "roc_plus",
      {
          {"system configuration", ""},
          {"its answer", "fact 10.0.0.2 service = \"roc_plus\" (roc_plus.opcode, implied)\n"},
      });
}

TEST(RocPlus, Malformed) {
  expect_malformed(kRocPlus, {
                                 {"01", "truncated"},
                                 {"0102 0301 06 00 00", "truncated"},
                                 {"0102 0301 06 00 0000", "bad_value"},
                                 {"0102030106002a3500", "bad_length"},
                             });
}

TEST(RocPlus, CutAtEveryByte) {
  expect_no_cut_passes(kRocPlus, "roc_plus");
}

}  // namespace
}  // namespace vmirror
