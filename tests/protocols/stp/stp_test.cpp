#include "agent/engine/dissect/link/stp.hpp"

#include <gtest/gtest.h>

#include "tests/unit/agent/engine/dissect/told.hpp"

namespace vmirror {
namespace {

using namespace test;

TEST(Stp, Tells) {
  const struct {
    const char* what;
    bool to_server;
    const char* told;
  } cases[] = {
      {"configuration", true,
       "stp {version: \"stp\", type: \"config\", topology_change: true, "
       "root_priority: 32775, root_mac: 52:54:00:00:00:10, root_path_cost: 4, "
       "bridge_priority: 32775, bridge_mac: 52:54:00:00:00:11, port_id: 32770}\n"
       "fact 52:54:00:00:00:01 role = \"bridge\" (stp.type)\n"},
      {"topology change", true,
       "stp {version: \"stp\", type: \"tcn\"}\n"
       "fact 52:54:00:00:00:01 role = \"bridge\" (stp.type)\n"},
      {"rapid", true,
       "stp {version: \"rstp\", type: \"rapid\", topology_change: false, "
       "root_priority: 32775, root_mac: 52:54:00:00:00:10, root_path_cost: 20000, "
       "bridge_priority: 32775, bridge_mac: 52:54:00:00:00:11, port_id: 32771, "
       "port_role: \"designated\"}\n"
       "fact 52:54:00:00:00:01 role = \"bridge\" (stp.type)\n"},
      {"multiple", true,
       "stp {version: \"mstp\", type: \"rapid\", topology_change: false, "
       "root_priority: 32775, root_mac: 52:54:00:00:00:10, root_path_cost: 0, "
       "bridge_priority: 32775, bridge_mac: 52:54:00:00:00:10, port_id: 32769, "
       "port_role: \"designated\", mst_name: \"plant-east\", mst_revision: 7}\n"
       "fact 52:54:00:00:00:01 role = \"bridge\" (stp.type)\n"},
  };
  for (const auto& c : cases)
    EXPECT_EQ(told(kStp, payload("stp", c.what), context_of(c.to_server)), c.told) << c.what;
}

TEST(Stp, Malformed) {
  const struct {
    const char *bytes, *name;
  } cases[] = {
      {"0000 00", "truncated"},
      {"0001 00 00", "bad_value"},
      {"0000 00 07", "bad_value"},
      {"0000 02 02 3c 8007525400000010", "truncated"},
  };
  for (const auto& c : cases) {
    const std::string out = told(kStp, hex(c.bytes), context_of());
    EXPECT_NE(out.find(std::string("malformed ") + c.name), std::string::npos)
        << c.bytes << ": " << out;
  }
}

TEST(Stp, CutAtEveryByte) {  // MSTP's data unit may end where RSTP's does.
  for (const Payload& each : payloads_of("stp"))
    EXPECT_EQ(accepted_cuts(kStp, each.bytes, context_of(each.to_server),
                            [](std::size_t size) { return size == 36; }),
              "")
        << each.what;
}

}  // namespace
}  // namespace vmirror
