#include "agent/engine/dissect/ot/enip.hpp"

#include <gtest/gtest.h>

#include "tests/unit/agent/engine/dissect/tables.hpp"

namespace vmirror {
namespace {

using namespace test;

TEST(Enip, Tells) {
  expect_tells(
      kEnip, "enip",
      {
          {"list identity", "enip {type: \"request\", command: \"list_identity\", session: 0}\n"},
          {"an identity",
           "enip {type: \"response\", command: \"list_identity\", session: 0, identity: "
           "{vendor_id: 1, device_type: \"plc\", product_code: 54, revision: \"20.11\", "
           "status: 96, serial: \"00c0ffee\", product_name: \"1756-L7\"}, state: 3}\n"
           "fact 10.0.0.2 service = \"enip\" (enip.command, implied)\n"
           "fact 10.0.0.2 vendor = \"Rockwell Automation\" (enip.identity)\n"
           "fact 10.0.0.2 model = \"1756-L7\" (enip.identity)\n"
           "fact 10.0.0.2 role = \"plc\" (enip.identity)\n"
           "fact 10.0.0.2 firmware = \"20.11\" (enip.identity)\n"
           "fact 10.0.0.2 serial_number = \"00c0ffee\" (enip.identity)\n"},
          {"list services", "enip {type: \"request\", command: \"list_services\", session: 0}\n"},
          {"services",
           "enip {type: \"response\", command: \"list_services\", session: 0, services: "
           "[{name: \"Communications\", version: 1, flags: 288}]}\n"
           "fact 10.0.0.2 service = \"enip\" (enip.command, implied)\n"},
          {"register",
           "enip {type: \"request\", command: \"register_session\", session: 0, "
           "protocol_version: 1}\n"},
          {"registered",
           "enip {type: \"response\", command: \"register_session\", session: 1558516276, "
           "protocol_version: 1}\n"
           "fact 10.0.0.2 service = \"enip\" (enip.command, implied)\n"},
          {"unconnected",
           "enip {type: \"request\", command: \"send_rr_data\", session: 1558516276}\n"},
          {"its answer",
           "enip {type: \"response\", command: \"send_rr_data\", session: 1558516276}\n"
           "fact 10.0.0.2 service = \"enip\" (enip.command, implied)\n"},
          {"connected",
           "enip {type: \"request\", command: \"send_unit_data\", session: 1558516276, "
           "connection_id: 4097, sequence: 9}\n"},
          {"no such session",
           "enip {type: \"response\", command: \"send_rr_data\", session: 1558516276, "
           "status: \"invalid_session\"}\n"
           "fact 10.0.0.2 service = \"enip\" (enip.command, implied)\n"},
          {"unregister",
           "enip {type: \"request\", command: \"unregister_session\", session: "
           "1558516276}\n"},
      });
}

TEST(Enip, Malformed) {
  expect_malformed(kEnip,
                   {
                       {"63", "truncated"},
                       {"6300 0100 00000000 00000000 0000000000000000 00000000", "truncated"},
                       {"6200 0000 00000000 00000000 0000000000000000 00000000", "bad_value"},
                       {"6300 0000 00000000 00000000 0000000000000000 01000000", "bad_value"},
                       {"6300 0000 00000000 00000000 0000000000000000 00000000 00", "bad_length"},
                       {"6500 0200 00000000 00000000 0000000000000000 00000000 0100", "bad_length"},
                       {"6300 0200 00000000 00000000 0000000000000000 00000000 0100", "truncated"},
                       {"6300 0200 00000000 00000000 0000000000000000 00000000 0900", "bad_value"},
                   });
}

TEST(Enip, CutAtEveryByte) {
  expect_no_cut_passes(kEnip, "enip");
}

}  // namespace
}  // namespace vmirror
