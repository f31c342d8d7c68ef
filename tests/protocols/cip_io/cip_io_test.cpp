#include <gtest/gtest.h>

#include "agent/engine/dissect/ot/enip.hpp"
#include "tests/unit/agent/engine/dissect/tables.hpp"

namespace vmirror {
namespace {

using namespace test;

TEST(CipIo, Tells) {
  expect_tells(kCipIo, "cip_io",
               {
                   {"one packet", "cip_io {connection_id: 8193, sequence: 9, size: 12}\n"},
               });
}

TEST(CipIo, Malformed) {
  expect_malformed(kCipIo, {
                               {"02", "truncated"},
                               {"0300 0280 0800 01200000 09000000 b100 0000", "bad_value"},
                               {"0200 0280 0800 01200000 09000000 b100 0100", "truncated"},
                               {"0200 0280 0800 01200000 09000000 b100 0000 00", "bad_length"},
                           });
}

TEST(CipIo, CutAtEveryByte) {
  expect_no_cut_passes(kCipIo, "cip_io");
}

}  // namespace
}  // namespace vmirror
