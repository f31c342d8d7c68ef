#include <gtest/gtest.h>

#include "agent/engine/dissect/link/presence.hpp"
#include "tests/unit/agent/engine/dissect/tables.hpp"

namespace vmirror {
namespace {

using namespace test;

TEST(Ethercat, Tells) {
  expect_tells(kEthercat, "ethercat",
               {
                   {"read of all",
                    "fact 52:54:00:00:00:01 service = \"ethercat\" (ethercat.type, implied)\n"},
               });
}

TEST(Ethercat, Malformed) {
  expect_malformed(kEthercat, {
                                  {"01", "truncated"},
                                  {"0020", "bad_value"},
                                  {"0e10 01", "truncated"},
                              });
}

TEST(Ethercat, CutAtEveryByte) {
  expect_no_cut_passes(kEthercat, "ethercat");
}

}  // namespace
}  // namespace vmirror
