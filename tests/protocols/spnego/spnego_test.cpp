#include "agent/engine/dissect/it/spnego.hpp"

#include <gtest/gtest.h>

#include "tests/unit/agent/engine/dissect/tables.hpp"

namespace vmirror {
namespace {

using namespace test;

TEST(Spnego, Tells) {
  expect_tells(
      kSpnego, "spnego",
      {
          {"hint",
           "spnego {type: \"init\", mechanisms: [\"ms_krb5\", \"krb5\", \"ntlm\"], principal: "
           "\"not_defined_in_RFC4178@please_ignore\"}\n"},
          {"init, ntlm", "spnego {type: \"init\", mechanisms: [\"ntlm\"]}\n"},
          {"ntlm challenge",
           "spnego {type: \"response\", state: \"accept_incomplete\", mechanism: \"ntlm\"}\n"},
          {"ntlm authenticate", "spnego {type: \"response\"}\n"},
          {"accepted", "spnego {type: \"response\", state: \"accept_completed\"}\n"},
          {"rejected", "spnego {type: \"response\", state: \"reject\"}\n"},
          {"init, kerberos",
           "spnego {type: \"init\", mechanisms: [\"ms_krb5\", \"krb5\", \"ntlm\"]}\n"},
          {"kerberos answer",
           "spnego {type: \"response\", state: \"accept_completed\", mechanism: \"ms_krb5\"}\n"},
          {"kerberos, without spnego", ""},
      });
}

TEST(Spnego, Malformed) {
  expect_malformed(kSpnego, {
                                {"60", "truncated"},
                                {"60 02 05 00", "bad_value"},
                                {"60 08 06 06 2b 06 01 05 05 02", "bad_length"},
                                {"a2 00", "bad_value"},
                                {"a1 02 31 00", "bad_length"},
                                {"a1 06 30 04 a0 02 02 00", "bad_value"},
                                {"a0 04 30 02 a0 05", "bad_length"},
                            });
}

TEST(Spnego, CutAtEveryByte) {
  expect_no_cut_passes(kSpnego, "spnego");
}

}  // namespace
}  // namespace vmirror
