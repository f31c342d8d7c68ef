#include <gtest/gtest.h>

#include "agent/engine/dissect/link/presence.hpp"
#include "tests/unit/agent/engine/dissect/tables.hpp"

namespace vmirror {
namespace {

using namespace test;

TEST(SampledValues, Tells) {
  expect_tells(
      kSampledValues, "sampled_values",
      {
          {"one sample",
           "fact 52:54:00:00:00:01 service = \"sampled_values\" (sampled_values.appid, implied)\n"},
      });
}

TEST(SampledValues, Malformed) {
  expect_malformed(kSampledValues, {
                                       {"4000 0008", "truncated"},
                                       {"4000 0007 00000000", "bad_length"},
                                       {"4000 0009 00000000", "truncated"},
                                       {"4000 000a 00000000 6001", "bad_length"},
                                       {"4000 000a 00000000 6100", "bad_value"},
                                   });
}

TEST(SampledValues, CutAtEveryByte) {
  expect_no_cut_passes(kSampledValues, "sampled_values");
}

}  // namespace
}  // namespace vmirror
