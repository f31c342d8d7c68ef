#include "agent/engine/dissect/it/telnet.hpp"

#include <gtest/gtest.h>

#include "tests/unit/agent/engine/dissect/tables.hpp"

namespace vmirror {
namespace {

using namespace test;

TEST(Telnet, Tells) {
  expect_tells(
      kTelnet, "telnet",
      {
          {"negotiation", "fact 10.0.0.2 service = \"telnet\" (telnet.negotiation, implied)\n"},
          {"answer", ""},
          {"negotiation and a parameter",
           "fact 10.0.0.2 service = \"telnet\" (telnet.negotiation, implied)\n"},
      });
}

TEST(Telnet, Malformed) {
  expect_malformed(kTelnet, {
                                {"", "truncated"},
                                {"fffd", "truncated", false},
                            });
}

TEST(Telnet, CutAtEveryByte) {
  expect_no_cut_passes(kTelnet, "telnet", [](const Payload&, std::size_t size) {
    return size >= 3;  // One negotiation is enough.
  });
}

}  // namespace
}  // namespace vmirror
