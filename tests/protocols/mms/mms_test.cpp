// MMS and S7comm-plus, which share COTP with S7comm.
#include "agent/engine/dissect/ot/mms.hpp"

#include <gtest/gtest.h>

#include "agent/engine/dissect/ot/s7comm_plus.hpp"
#include "tests/unit/agent/engine/dissect/told.hpp"

namespace vmirror {
namespace {

using namespace test;

TEST(Mms, Services) {
  const std::pair<const char*, const char*> cases[] = {
      {"initiate", "mms {type: \"initiate_request\"}\n"},
      {"identify", "mms {type: \"confirmed_request\", invoke_id: 1, service: \"identify\"}\n"},
      {"read",
       "mms {type: \"confirmed_request\", invoke_id: 2, service: \"read\"}\n"
       "act 10.0.0.1 read 10.0.0.2 (mms.service)\n"},
      {"write",
       "mms {type: \"confirmed_request\", invoke_id: 3, service: \"write\"}\n"
       "act 10.0.0.1 write 10.0.0.2 (mms.service)\n"},
      {"report", "mms {type: \"unconfirmed\", service: \"information_report\"}\n"},
      {"directory",
       "mms {type: \"confirmed_request\", invoke_id: 4, service: \"file_directory\"}\n"}};
  for (const auto& [what, out] : cases)
    EXPECT_EQ(told(kMms, payload("mms", what), context_of()), out) << what;
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
