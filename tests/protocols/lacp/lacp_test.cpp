#include "agent/engine/dissect/link/lacp.hpp"

#include <gtest/gtest.h>

#include "tests/unit/agent/engine/dissect/told.hpp"

namespace vmirror {
namespace {

using namespace test;

TEST(Lacp, Tells) {
  const struct {
    const char* what;
    bool to_server;
    const char* told;
  } cases[] = {
      {"bundled", true,
       "lacp {version: 1, actor: {system_priority: 32768, system: 52:54:00:00:00:10, "
       "key: 13, port_priority: 32768, port: 22, state: [\"active\", "
       "\"aggregatable\", \"synchronized\", \"collecting\", \"distributing\"]}, "
       "partner: {system_priority: 32768, system: 52:54:00:00:00:11, key: 13, "
       "port_priority: 32768, port: 25, state: [\"active\", \"aggregatable\", "
       "\"synchronized\", \"collecting\", \"distributing\"]}}\n"},
      {"nobody answers", true,
       "lacp {version: 1, actor: {system_priority: 32768, system: 52:54:00:00:00:10, "
       "key: 13, port_priority: 32768, port: 22, state: [\"active\", "
       "\"aggregatable\", \"defaulted\"]}, partner: {system_priority: 32768, system: "
       "00:00:00:00:00:00, key: 0, port_priority: 32768, port: 0, state: "
       "[\"short_timeout\"]}}\n"},
  };
  for (const auto& c : cases)
    EXPECT_EQ(told(kLacp, payload("lacp", c.what), context_of(c.to_server)), c.told) << c.what;
}

TEST(Lacp, Malformed) {
  const struct {
    const char *bytes, *name;
  } cases[] = {
      {"", "truncated"},
      {"01 01 01 14 8000", "truncated"},
  };
  for (const auto& c : cases) {
    const std::string out = told(kLacp, hex(c.bytes), context_of());
    EXPECT_NE(out.find(std::string("malformed ") + c.name), std::string::npos)
        << c.bytes << ": " << out;
  }
}

TEST(Lacp, CutAtEveryByte) {  // What follows the partner is not read.
  for (const Payload& each : payloads_of("lacp"))
    EXPECT_EQ(accepted_cuts(kLacp, each.bytes, context_of(each.to_server),
                            [](std::size_t size) { return size >= 42; }),
              "")
        << each.what;
}

}  // namespace
}  // namespace vmirror
