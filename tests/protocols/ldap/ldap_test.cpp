// LDAP: its messages, and how a connection is sealed or becomes TLS.
#include "agent/engine/dissect/it/ldap.hpp"

#include <gtest/gtest.h>

#include "tests/unit/agent/engine/dissect/connection.hpp"

namespace vmirror {
namespace {

using namespace test;

struct Wire : Connection {
  Wire() : Connection(389, facts_text) {}
};

TEST(Ldap, ASearchInItsTextForm) {
  EXPECT_EQ(told(kLdap, payload("ldap", "search by filter"), context_of()),
            "ldap {message_id: 9, operation: \"search_request\", base: \"DC=example,DC=lan\", "
            "scope: \"subtree\", filter: \"(&(objectCategory=person)(cn=ann*7))\"}\n");
}

TEST(Ldap, TheRootSaysWhatTheServerIs) {
  const std::string out = told(kLdap, payload("ldap", "the root"), context_of(false));
  for (const char* fact : {"host_name = \"dc7.example.lan\"", "domain = \"DC=example,DC=lan\"",
                           "role = \"domain_controller\""})
    EXPECT_NE(out.find(fact), std::string::npos) << out;
}

TEST(Ldap, AfterASaslBindItIsSealedNotMalformed) {
  Wire wire;
  wire.feed(true, payload("ldap", "sasl bind"));
  wire.feed(false, payload("ldap", "bind accepted"));
  wire.out.clear();
  const Buffer sealed = hex("00 00 00 08 05 04 06 ff 00 00 00 00");
  wire.feed(true, sealed);
  EXPECT_EQ(wire.out, "ldap {operation: \"sealed\"}\n");
  EXPECT_TRUE(is_done(wire.conversation.dissector));
  wire.feed(false, sealed);
  const DissectorCounters& counters =
      wire.dissection.counters(all_dissectors().find("ldap", Carrier::stream));
  EXPECT_EQ(counters.lost, 0u);
  EXPECT_EQ(counters.malformed[static_cast<std::size_t>(Malformed::bad_value)], 0u);
}

TEST(Ldap, WhatIsSignedAloneIsReadOn) {
  Wire wire;
  wire.feed(true, payload("ldap", "sasl bind"));
  wire.feed(false, payload("ldap", "bind accepted"));
  wire.out.clear();
  const Buffer bytes = hex(
      "0000 0047 0504 04ff 000c 000c 0000 0000 0000 0001 c1c2 c3c4 c5c6 c7c8 c9ca cbcc 3029 0201 "
      "0763 2404 000a 0100 0a01 0002 0100 0201 0001 0100 870b 6f62 6a65 6374 43 6c61 7373 3004 "
      "0402 636e");
  const Bytes signed_search(bytes);
  wire.feed(true, signed_search.first(15));  // The token's head tells, wherever a segment ends.
  wire.feed(true, signed_search.subspan(15));
  EXPECT_EQ(wire.out,
            "ldap {message_id: 7, operation: \"search_request\", base: \"\", scope: \"base\", "
            "filter: \"(objectClass=*)\", attributes: [\"cn\"]}\n");
}

TEST(Ldap, ATextThatBeginsLikeKerberosIsNone) {  // RFC 5802, section 7: "n,,n=user"
  Wire wire;
  wire.feed(true, payload("ldap", "scram bind"));
  EXPECT_EQ(wire.out.find("krb5"), std::string::npos) << wire.out;
  EXPECT_NE(wire.out.find("mechanism: \"SCRAM-SHA-512\""), std::string::npos) << wire.out;
}

TEST(Ldap, APasswordInClear) {
  EXPECT_NE(told(kLdap, payload("ldap", "simple bind"), context_of())
                .find("act 10.0.0.1 weak_authentication 10.0.0.2"),
            std::string::npos);
}

TEST(Ldap, AWrongPasswordIsRefused) {
  const auto refuses = [](Bytes answer) {
    return told(kLdap, answer, context_of(false))
               .find("act 10.0.0.1 refused_authentication 10.0.0.2 (ldap.result_code)") !=
           std::string::npos;
  };
  EXPECT_FALSE(refuses(payload("ldap", "bind refused"))) << "8: it wants more, and goes on";
  EXPECT_TRUE(refuses(hex("300c 0201 02 61 07 0a01 31 0400 0400")));
  EXPECT_FALSE(refuses(hex("300c 0201 02 61 07 0a01 00 0400 0400")));
}

TEST(Ldap, StartTlsBecomesTls) {
  Wire wire;
  wire.feed(true, payload("ldap", "starttls"));
  wire.feed(false, payload("ldap", "starttls accepted"));
  EXPECT_STREQ(all_dissectors().name(wire.conversation.dissector), "tls");
}

TEST(Ldap, Malformed) {
  EXPECT_EQ(told(kLdap, hex("31 00"), context_of()), "malformed bad_value\n");
  EXPECT_EQ(told(kLdap, hex("30 05 02 01 01 7f 00"), context_of()), "malformed bad_length\n");
  EXPECT_EQ(told(kLdap, hex("30 05 02 01 01 5d 00"), context_of()), "malformed bad_value\n");
}

TEST(Ldap, CutAtEveryByte) {
  for (const Payload& each : payloads_of("ldap"))
    EXPECT_EQ(accepted_cuts(kLdap, each.bytes, context_of(each.to_server),
                            [](std::size_t) { return false; }),
              "")
        << each.what;
}

}  // namespace
}  // namespace vmirror
