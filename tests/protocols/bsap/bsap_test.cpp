#include <gtest/gtest.h>

#include "agent/engine/dissect/ot/presence.hpp"
#include "tests/unit/agent/engine/dissect/tables.hpp"

namespace vmirror {
namespace {

using namespace test;

TEST(Bsap, Tells) {
  expect_tells(kBsap, "bsap",
               {
                   {"request", ""},
                   {"answer", "fact 10.0.0.2 service = \"bsap\" (bsap.frame, implied)\n"},
               });
}

TEST(Bsap, Malformed) {
  expect_malformed(kBsap, {
                              {"1002", "truncated"},
                              {"1001072aa0000103001003", "bad_value"},
                              {"1002072aa00001030000000000", "truncated"},
                          });
}

TEST(Bsap, CutAtEveryByte) {
  expect_no_cut_passes(kBsap, "bsap");
}

}  // namespace
}  // namespace vmirror
