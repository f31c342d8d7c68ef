// MMS and S7comm-plus, which share COTP with S7comm.
#include "agent/engine/dissect/ot/mms.hpp"

#include <gtest/gtest.h>

#include "agent/engine/dissect/ot/s7comm_plus.hpp"
#include "tests/unit/agent/engine/dissect/tables.hpp"

namespace vmirror {
namespace {

using namespace test;

TEST(Mms, Tells) {
  expect_tells(
      kMms, "mms",
      {
          {"initiate", "mms {type: \"initiate_request\"}\n"},
          {"initiate answer",
           "mms {type: \"initiate_response\"}\n"
           "fact 10.0.0.2 service = \"mms\" (mms.type, implied)\n"},
          {"identify", "mms {type: \"confirmed_request\", invoke_id: 1, service: \"identify\"}\n"},
          {"identify answer",
           "mms {type: \"confirmed_response\", invoke_id: 1, service: \"identify\", "
           "identity: {vendor: \"Example\", model: \"Relay 7\", revision: \"1.0\"}}\n"
           "fact 10.0.0.2 vendor = \"Example\" (mms.identify.vendor)\n"
           "fact 10.0.0.2 model = \"Relay 7\" (mms.identify.model)\n"
           "fact 10.0.0.2 firmware = \"1.0\" (mms.identify.revision)\n"
           "fact 10.0.0.2 service = \"mms\" (mms.type, implied)\n"},
          {"read",
           "mms {type: \"confirmed_request\", invoke_id: 2, service: \"read\", variables: "
           "[\"LD0/XCBR1$ST$Pos\"]}\n"
           "act 10.0.0.1 read 10.0.0.2 (mms.service)\n"},
          {"write",
           "mms {type: \"confirmed_request\", invoke_id: 3, service: \"write\", "
           "variables: [\"LD0/XCBR1$CO$Pos\"]}\n"
           "act 10.0.0.1 write 10.0.0.2 (mms.service)\n"},
          {"report",
           "mms {type: \"unconfirmed\", service: \"information_report\", variables: "
           "[\"RPT\"]}\n"},
          {"directory",
           "mms {type: \"confirmed_request\", invoke_id: 4, service: \"file_directory\"}\n"},
          {"name list",
           "mms {type: \"confirmed_request\", invoke_id: 5, service: \"get_name_list\", "
           "object_class: \"named_variable\", domain: \"LD0\"}\n"},
          {"names",
           "mms {type: \"confirmed_response\", invoke_id: 5, service: \"get_name_list\", "
           "names: [\"LLN0\", \"XCBR1$ST$Pos\"], name_count: 2}\n"
           "fact 10.0.0.2 service = \"mms\" (mms.type, implied)\n"},
          {"values",
           "mms {type: \"confirmed_response\", invoke_id: 2, service: \"read\", results: "
           "2, failures: 1}\n"
           "fact 10.0.0.2 service = \"mms\" (mms.type, implied)\n"},
          {"open a file",
           "mms {type: \"confirmed_request\", invoke_id: 6, service: \"file_open\", file: "
           "\"COMTRADE/1.cfg\"}\n"},
          {"read of iccp",
           "mms {type: \"confirmed_request\", invoke_id: 3, service: \"read\", variables: "
           "[\"TASE2_Version\"]}\n"
           "fact 10.0.0.2 service = \"iccp\" (mms.variables, implied)\n"
           "act 10.0.0.1 read 10.0.0.2 (mms.service)\n"},
      });
}

TEST(Mms, Malformed) {
  EXPECT_EQ(told(kMms, hex("01 00 02 00"), context_of()), "malformed bad_value\n");
  EXPECT_EQ(told(kMms, hex("77"), context_of()), "malformed bad_value\n");
  EXPECT_EQ(told(kMms, hex("01 00 01 00 61 05"), context_of()), "malformed truncated\n");
}

TEST(Mms, ASessionThatEndsTellsNothing) {
  EXPECT_EQ(told(kMms, hex("09 00"), context_of()), "");
}

TEST(S7commPlus, TheHeaderOfEveryVersion) {
  EXPECT_EQ(told(kS7commPlus, payload("s7comm_plus", "request"), context_of()),
            "s7comm_plus {version: 1, opcode: \"request\", function: \"create_object\", sequence: "
            "1}\n");
  EXPECT_NE(told(kS7commPlus, payload("s7comm_plus", "version 3"), context_of())
                .find("version: 3, opcode: \"request\", function: \"get_multi_variables\""),
            std::string::npos);
  EXPECT_EQ(told(kS7commPlus, hex("72 04 0000"), context_of()), "malformed bad_value\n");
}

}  // namespace
}  // namespace vmirror
