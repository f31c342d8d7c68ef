#include <gtest/gtest.h>

#include "agent/engine/dissect/ot/presence.hpp"
#include "tests/unit/agent/engine/dissect/tables.hpp"

namespace vmirror {
namespace {

using namespace test;

TEST(GeSrtp, Tells) {
  expect_tells(kGeSrtp, "ge_srtp",
               {
                   {"begin", ""},
                   {"begun", "fact 10.0.0.2 service = \"ge_srtp\" (ge_srtp.type, implied)\n"},
                   {"read", ""},
                   {"answer", "fact 10.0.0.2 service = \"ge_srtp\" (ge_srtp.type, implied)\n"},
               });
}

TEST(GeSrtp, Malformed) {
  expect_malformed(kGeSrtp, {
                                {"02", "truncated"},
                                {"07000000000000000000000000000000000000000000000000000000000000000"
                                 "00000000000000000000000000000000000000000000000",
                                 "bad_value"},
                            });
}

TEST(GeSrtp, CutAtEveryByte) {
  expect_no_cut_passes(kGeSrtp, "ge_srtp");
}

}  // namespace
}  // namespace vmirror
