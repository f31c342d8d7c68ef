#include "agent/engine/dissect/it/llmnr.hpp"

#include <gtest/gtest.h>

#include "tests/unit/agent/engine/dissect/told.hpp"

namespace vmirror {
namespace {

using namespace test;

TEST(Llmnr, Tells) {
  const struct {
    const char* what;
    bool to_server;
    const char* told;
  } cases[] = {
      {"query", true, "llmnr {type: \"query\", id: 15617, rrname: \"plc-7\", rrtype: \"A\"}\n"},
      {"answer", false,
       "llmnr {type: \"answer\", id: 15617, rrname: \"plc-7\", rrtype: \"A\", rcode: "
       "0, answers: [{rrname: \"plc-7\", rrtype: \"A\", ttl: 30, rdata: 10.0.0.7}]}\n"
       "fact 10.0.0.7 host_name = \"plc-7\" (llmnr.a)\n"},
  };
  for (const auto& c : cases)
    EXPECT_EQ(told(kLlmnr, payload("llmnr", c.what), context_of(c.to_server)), c.told) << c.what;
}

TEST(Llmnr, Malformed) {
  const struct {
    const char *bytes, *name;
  } cases[] = {
      {"3d01 0000 0001 0000 0000", "truncated"},
      {"3d01 0000 0001 0000 0000 0000", "truncated"},
      {"3d01 0000 0001 0000 0000 0000 c00c 0001 0001", "bad_value"},
  };
  for (const auto& c : cases) {
    const std::string out = told(kLlmnr, hex(c.bytes), context_of());
    EXPECT_NE(out.find(std::string("malformed ") + c.name), std::string::npos)
        << c.bytes << ": " << out;
  }
}

TEST(Llmnr, CutAtEveryByte) {
  for (const Payload& each : payloads_of("llmnr"))
    EXPECT_EQ(accepted_cuts(kLlmnr, each.bytes, context_of(each.to_server),
                            [](std::size_t) { return false; }),
              "")
        << each.what;
}

}  // namespace
}  // namespace vmirror
