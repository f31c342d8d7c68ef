#include "agent/engine/dissect/network/vrrp.hpp"

#include <gtest/gtest.h>

#include "tests/unit/agent/engine/dissect/told.hpp"

namespace vmirror {
namespace {

using namespace test;

TEST(Vrrp, Tells) {
  const struct {
    const char* what;
    bool to_server;
    const char* told;
  } cases[] = {
      {"version 2", true,
       "vrrp {version: 2, vrid: 10, priority: 100, interval_ms: 1000, addresses: "
       "[192.0.2.1], auth: \"none\"}\n"
       "fact 10.0.0.1 router = true (vrrp.vrid, implied)\n"},
      {"with a password", true,
       "vrrp {version: 2, vrid: 1, priority: 255, interval_ms: 1000, addresses: "
       "[192.0.2.2], auth: \"password\"}\n"
       "fact 10.0.0.1 router = true (vrrp.vrid, implied)\n"
       "act 10.0.0.1 weak_authentication 10.0.0.2 (vrrp.auth)\n"},
      {"version 3", true,
       "vrrp {version: 3, vrid: 7, priority: 200, interval_ms: 1000, addresses: "
       "[192.0.2.3, 192.0.2.4]}\n"
       "fact 10.0.0.1 router = true (vrrp.vrid, implied)\n"},
  };
  for (const auto& c : cases)
    EXPECT_EQ(told(kVrrp, payload("vrrp", c.what), context_of(c.to_server)), c.told) << c.what;
}

TEST(Vrrp, Malformed) {
  const struct {
    const char *bytes, *name;
  } cases[] = {
      {"21 0a 64", "truncated"},
      {"41 0a 64 00 00 01 0000", "bad_value"},
      {"22 0a 64 00 00 01 0000", "bad_value"},
      {"21 0a 64 02 00 01 0000 c0000201", "truncated"},
  };
  for (const auto& c : cases) {
    const std::string out = told(kVrrp, hex(c.bytes), context_of());
    EXPECT_NE(out.find(std::string("malformed ") + c.name), std::string::npos)
        << c.bytes << ": " << out;
  }
}

TEST(Vrrp, CutAtEveryByte) {
  for (const Payload& each : payloads_of("vrrp"))
    EXPECT_EQ(
        accepted_cuts(kVrrp, each.bytes, context_of(each.to_server),
                      [&](std::size_t size) { return each.bytes[0] >> 4 == 2 && size >= 12; }),
        "")
        << each.what;
}

}  // namespace
}  // namespace vmirror
