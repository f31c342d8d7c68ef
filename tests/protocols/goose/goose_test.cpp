// GOOSE: one message, and what a control block's numbers say.
#include "agent/engine/dissect/ot/goose.hpp"

#include <gtest/gtest.h>

#include "tests/unit/agent/engine/dissect/told.hpp"

namespace vmirror {
namespace {

using namespace test;

TEST(Goose, AMessage) {
  EXPECT_EQ(told(kGoose, payload("goose", "trip, first"), context_of()),
            "goose {appid: 1, gocb_ref: \"RELAY7LD0/LLN0$GO$gcb01\", dat_set: "
            "\"RELAY7LD0/LLN0$Trip\", go_id: \"trip7\", time_allowed_ms: 2000, t_us: "
            "1767316277500000, st_num: 1, sq_num: 0, conf_rev: 1, entries: 2}\n"
            "fact 52:54:00:00:00:01 service = \"goose\" (goose.gocb_ref, implied)\n");
}

TEST(Goose, WhatItsNumbersSay) {
  Dissection dissection(all_dissectors());
  Context context = context_of();
  context.engine = &dissection;
  const auto says = [&](const char* what, const char* said) {
    return told(kGoose, payload("goose", what), context).find(said) != std::string::npos;
  };
  EXPECT_FALSE(says("trip, first", "lost"));
  EXPECT_FALSE(says("trip, second", "lost"));
  EXPECT_TRUE(says("trip, fifth", "lost: 2"));
  EXPECT_TRUE(says("after a restart", "restarted: true"));  // Not: lost 4,294,967,291.
  EXPECT_FALSE(says("another state", "lost"));
  EXPECT_TRUE(says("trip, second", "restarted: true"));  // The state went back.
}

TEST(Goose, Malformed) {
  EXPECT_EQ(told(kGoose, hex("0001 0007 0000 0000"), context_of()), "malformed bad_length\n");
  EXPECT_EQ(told(kGoose, hex("0001 000a 0000 0000 30 00"), context_of()), "malformed bad_value\n");
  EXPECT_EQ(told(kGoose, hex("0001 000d 0000 0000 61 03 84 01 00"), context_of()),
            "malformed bad_value\n");
}

TEST(Goose, CutAtEveryByte) {
  EXPECT_EQ(accepted_cuts(kGoose, payload("goose", "trip, first"), context_of(),
                          [](std::size_t) { return false; }),
            "");
}

}  // namespace
}  // namespace vmirror
