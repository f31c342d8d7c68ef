#include "agent/engine/dissect/it/krb5.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "agent/engine/dissect/times.hpp"
#include "tests/unit/agent/engine/dissect/told.hpp"

namespace vmirror {
namespace {

using namespace test;

TEST(Krb5, Tells) {
  const struct {
    const char* what;
    bool to_server;
    const char* told;
  } cases[] = {
      {"as request", true,
       "krb5 {msg_type: \"KRB_AS_REQ\", cname: \"HMI-3$\", realm: \"PLANT.EXAMPLE\", "
       "sname: \"krbtgt/PLANT.EXAMPLE\", pa_types: [2, 128], etypes: "
       "[\"aes256-cts-hmac-sha1-96\", \"aes128-cts-hmac-sha1-96\", \"rc4-hmac\"]}\n"
       "fact 10.0.0.1 host_name = \"HMI-3\" (krb5.cname)\n"},
      {"pre-authentication required", false,
       "krb5 {msg_type: \"KRB_ERROR\", realm: \"PLANT.EXAMPLE\", sname: "
       "\"krbtgt/PLANT.EXAMPLE\", error_code: \"KDC_ERR_PREAUTH_REQUIRED\"}\n"
       "fact 10.0.0.2 service = \"kerberos\" (krb5.msg_type, implied)\n"
       "fact 10.0.0.2 domain = \"PLANT.EXAMPLE\" (krb5.realm)\n"
       "clock 10.0.0.2 2026-01-02T03:04:05.000007Z (krb5.stime)\n"},
      {"as reply", false,
       "krb5 {msg_type: \"KRB_AS_REP\", cname: \"HMI-3$\", realm: \"PLANT.EXAMPLE\", "
       "crealm: \"PLANT.EXAMPLE\", sname: \"krbtgt/PLANT.EXAMPLE\", encryption: "
       "\"aes256-cts-hmac-sha1-96\", ticket_encryption: \"aes256-cts-hmac-sha1-96\", "
       "weak_encryption: false}\n"
       "fact 10.0.0.2 service = \"kerberos\" (krb5.msg_type, implied)\n"
       "fact 10.0.0.2 domain = \"PLANT.EXAMPLE\" (krb5.realm)\n"},
      {"tgs request", true,
       "krb5 {msg_type: \"KRB_TGS_REQ\", realm: \"PLANT.EXAMPLE\", sname: "
       "\"cifs/dc1.plant.example\", pa_types: [1], etypes: "
       "[\"aes256-cts-hmac-sha1-96\", \"rc4-hmac\"]}\n"},
      {"tgs reply", false,
       "krb5 {msg_type: \"KRB_TGS_REP\", cname: \"HMI-3$\", realm: \"PLANT.EXAMPLE\", "
       "crealm: \"PLANT.EXAMPLE\", sname: \"cifs/dc1.plant.example\", encryption: "
       "\"aes256-cts-hmac-sha1-96\", ticket_encryption: \"rc4-hmac\", "
       "weak_encryption: true}\n"
       "fact 10.0.0.2 service = \"kerberos\" (krb5.msg_type, implied)\n"
       "fact 10.0.0.2 domain = \"PLANT.EXAMPLE\" (krb5.realm)\n"
       "act 10.0.0.1 weak_authentication 10.0.0.2 (krb5.encryption)\n"},
  };
  for (const auto& c : cases)
    EXPECT_EQ(told(kKrb5, payload("krb5", c.what), context_of(c.to_server)), c.told) << c.what;
}

TEST(Krb5, EachErrorOfTheStandardHasItsName) {
  const Buffer& error = payload("krb5", "pre-authentication required");
  const Buffer before = hex("a603 0201 19");
  for (const auto& [code, name] : {std::pair<int, const char*>{1, "\"KDC_ERR_NAME_EXP\""},
                                   {50, "\"KRB_AP_ERR_INAPP_CKSUM\""},
                                   {68, "\"KDC_ERR_WRONG_REALM\""},
                                   {30, "\"30\""}}) {
    Buffer message = error;
    const auto at = std::search(message.begin(), message.end(), before.begin(), before.end());
    ASSERT_NE(at, message.end());
    at[4] = static_cast<std::uint8_t>(code);
    EXPECT_NE(told(kKrb5, message, context_of(false)).find(std::string("error_code: ") + name),
              std::string::npos)
        << code << told(kKrb5, message, context_of(false));
  }
}

TEST(Krb5, AnErrorRefusesUnlessItIsAStepOfALogon) {
  const struct {
    std::uint8_t code;
    bool refuses;
  } cases[] = {{6, true},  {18, true},  {24, true}, {25, false},
               {37, true}, {52, false}, {60, true}, {68, false}};
  const Buffer& error = payload("krb5", "pre-authentication required");
  for (const auto& c : cases) {
    Buffer message = error;
    const Buffer before = hex("a603 0201 19");
    const auto at = std::search(message.begin(), message.end(), before.begin(), before.end());
    ASSERT_NE(at, message.end());
    at[4] = c.code;
    const std::string all = told(kKrb5, message, context_of(false));
    EXPECT_EQ(all.find("act 10.0.0.1 refused_authentication 10.0.0.2 (krb5.error_code)") !=
                  std::string::npos,
              c.refuses)
        << int{c.code} << "\n"
        << all;
    EXPECT_EQ(all.find("clock 10.0.0.1 refused by 10.0.0.2 (krb5.error_code)") != std::string::npos,
              c.code == 37)
        << int{c.code} << "\n"
        << all;
  }
}

TEST(Krb5, ATimeThatIsNoneIsNotTold) {
  const struct {
    const char *text, *time;
  } cases[] = {{"20260102030405Z", "2026-01-02T03:04:05.000000Z"},
               {"20240229235960Z", "2024-03-01T00:00:00.000000Z"},
               {"20230229030405Z", ""},
               {"20261302030405Z", ""},
               {"20260002030405Z", ""},
               {"19691231235959Z", ""},
               {"20260102240405Z", ""},
               {"20260102036005Z", ""},
               {"2026010203040-Z", ""},
               {"-0260102030405Z", ""},
               {"20260102030405", ""},
               {"", ""}};
  for (const auto& c : cases) {
    const auto time = generalized_time(c.text);
    EXPECT_EQ(time ? format_time(*time) : "", c.time) << c.text;
  }
}

TEST(Krb5, Malformed) {
  const struct {
    const char *bytes, *name;
  } cases[] = {
      {"", "truncated"},
      {"6a", "truncated"},
      {"6b 05 30 03 02 01 05", "bad_value"},
      {"61 02 30 00", "bad_value"},
      {"6a 10 30 03", "truncated"},
      {"6a 05 30 03 02 01 05", "bad_value"},
  };
  for (const auto& c : cases) {
    const std::string out = told(kKrb5, hex(c.bytes), context_of());
    EXPECT_NE(out.find(std::string("malformed ") + c.name), std::string::npos)
        << c.bytes << ": " << out;
  }
}

TEST(Krb5, OverTcpALengthStandsInFront) {
  for (const char* what : {"tgs request", "tgs reply"}) {
    const Buffer message = payload("krb5/tcp", what);
    const Context context = context_of(std::string_view(what) == "tgs request");
    EXPECT_EQ(kKrb5Tcp.frame(message, context).size, message.size());
    EXPECT_EQ(told(kKrb5Tcp, message, context), told(kKrb5, payload("krb5", what), context));
    for (std::size_t size = 1; size < 20; ++size)
      EXPECT_EQ(kKrb5Tcp.probe(Bytes(message).first(size), context), Probe::maybe) << size;
  }
}

TEST(Krb5, CutAtEveryByte) {
  for (const Payload& each : payloads_of("krb5"))
    EXPECT_EQ(accepted_cuts(kKrb5, each.bytes, context_of(each.to_server),
                            [](std::size_t) { return false; }),
              "")
        << each.what;
}

}  // namespace
}  // namespace vmirror
