#include "agent/engine/dissect/it/nbns.hpp"

#include <gtest/gtest.h>

#include "tests/unit/agent/engine/dissect/told.hpp"

namespace vmirror {
namespace {

using namespace test;

TEST(Nbns, Tells) {
  const struct {
    const char* what;
    bool to_server;
    const char* told;
  } cases[] = {
      {"query", true,
       "nbns {type: \"query\", id: 20481, opcode: \"query\", name: \"HMI-3\", suffix: "
       "\"20\"}\n"},
      {"answer", false,
       "nbns {type: \"answer\", id: 20481, opcode: \"query\", rcode: 0, name: "
       "\"HMI-3\", suffix: \"20\", addresses: [10.0.0.3]}\n"
       "fact 10.0.0.3 host_name = \"HMI-3\" (nbns.name)\n"},
      {"registration", true,
       "nbns {type: \"query\", id: 20482, opcode: \"registration\", name: \"HMI-3\", "
       "suffix: \"00\", addresses: [10.0.0.3]}\n"
       "fact 10.0.0.3 host_name = \"HMI-3\" (nbns.name)\n"},
      {"domain controllers", true,
       "nbns {type: \"query\", id: 20483, opcode: \"registration\", name: \"PLANT\", "
       "suffix: \"1c\", addresses: [10.0.0.10], group: true}\n"
       "fact 10.0.0.10 domain = \"PLANT\" (nbns.name)\n"
       "fact 10.0.0.10 role = \"domain_controller\" (nbns.suffix)\n"},
      {"status query", true,
       "nbns {type: \"query\", id: 20484, opcode: \"query\", name: \"*\", suffix: "
       "\"00\"}\n"},
      {"status", false,
       "nbns {type: \"answer\", id: 20484, opcode: \"query\", rcode: 0, name: \"*\", "
       "suffix: \"00\", names: [{name: \"HMI-3\", suffix: \"00\", group: false}, "
       "{name: \"PLANT\", suffix: \"00\", group: true}, {name: \"HMI-3\", suffix: "
       "\"20\", group: false}], mac: 52:54:00:00:00:03}\n"
       "fact 10.0.0.2 host_name = \"HMI-3\" (nbns.name)\n"
       "fact 10.0.0.2 domain = \"PLANT\" (nbns.name)\n"
       "fact 10.0.0.2 host_name = \"HMI-3\" (nbns.name)\n"},
      {"no such name", false, "nbns {type: \"answer\", id: 20481, opcode: \"query\", rcode: 3}\n"},
  };
  for (const auto& c : cases)
    EXPECT_EQ(told(kNbns, payload("nbns", c.what), context_of(c.to_server)), c.told) << c.what;
}

TEST(Nbns, Malformed) {
  const struct {
    const char *bytes, *name;
  } cases[] = {
      {"5001 0110 0001 0000 0000", "truncated"},
      {"5001 0110 0001 0000 0000 0000 03 616263 00 0020 0001", "bad_value"},
  };
  for (const auto& c : cases) {
    const std::string out = told(kNbns, hex(c.bytes), context_of());
    EXPECT_NE(out.find(std::string("malformed ") + c.name), std::string::npos)
        << c.bytes << ": " << out;
  }
}

TEST(Nbns, CutAtEveryByte) {
  for (const Payload& each : payloads_of("nbns"))
    EXPECT_EQ(accepted_cuts(kNbns, each.bytes, context_of(each.to_server),
                            [](std::size_t) { return false; }),
              "")
        << each.what;
}

}  // namespace
}  // namespace vmirror
