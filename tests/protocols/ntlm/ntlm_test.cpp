#include "agent/engine/dissect/it/ntlm.hpp"

#include <gtest/gtest.h>

#include "tests/unit/agent/engine/dissect/tables.hpp"

namespace vmirror {
namespace {

using namespace test;

TEST(Ntlm, Tells) {
  expect_tells(
      kNtlm, "ntlm",
      {
          {"negotiate", "ntlm {type: \"negotiate\", version: \"10.0 build 17763 rev 15\"}\n"},
          {"negotiate, with names",
           "ntlm {type: \"negotiate\", domain: \"EXAMPLE\", host: \"HMI-3\", version: \"10.0 build "
           "17763 rev 15\"}\n"},
          {"challenge",
           "ntlm {type: \"challenge\", target: \"EXAMPLE\", server_nb_computer_name: \"DC7\", "
           "server_nb_domain_name: \"EXAMPLE\", server_dns_computer_name: \"dc7.example.lan\", "
           "server_dns_domain_name: \"example.lan\", server_tree_name: \"example.lan\", version: "
           "\"10.0 build 17763 rev 15\"}\n"
           "fact 10.0.0.2 host_name = \"dc7.example.lan\" (ntlm.challenge)\n"
           "fact 10.0.0.2 domain = \"example.lan\" (ntlm.challenge)\n"},
          {"authenticate",
           "ntlm {type: \"authenticate\", user: \"ann\", domain: \"EXAMPLE\", host: \"HMI-3\", "
           "response: \"ntlmv2\", version: \"10.0 build 17763 rev 15\"}\n"
           "fact 10.0.0.1 host_name = \"HMI-3\" (ntlm.host)\n"},
          {"authenticate, version 1",
           "ntlm {type: \"authenticate\", user: \"ann\", domain: \"EXAMPLE\", host: \"HMI-3\", "
           "response: \"ntlmv1\", version: \"10.0 build 17763 rev 15\"}\n"
           "fact 10.0.0.1 host_name = \"HMI-3\" (ntlm.host)\n"
           "act 10.0.0.1 weak_authentication 10.0.0.2 (ntlm.response)\n"},
          {"authenticate, version 1 with session security",
           "ntlm {type: \"authenticate\", user: \"ann\", domain: \"EXAMPLE\", host: \"HMI-3\", "
           "response: \"ntlmv1_session_security\", version: \"10.0 build 17763 rev 15\"}\n"
           "fact 10.0.0.1 host_name = \"HMI-3\" (ntlm.host)\n"
           "act 10.0.0.1 weak_authentication 10.0.0.2 (ntlm.response)\n"},
          {"authenticate, LM alone",
           "ntlm {type: \"authenticate\", user: \"ann\", domain: \"EXAMPLE\", host: \"OLD-1\", "
           "response: \"lm\"}\n"
           "fact 10.0.0.1 host_name = \"OLD-1\" (ntlm.host)\n"
           "act 10.0.0.1 weak_authentication 10.0.0.2 (ntlm.response)\n"},
          {"authenticate, nobody",
           "ntlm {type: \"authenticate\", response: \"anonymous\", version: \"10.0 build 17763 rev "
           "15\"}\n"},
      });
}

TEST(Ntlm, Malformed) {
  expect_malformed(
      kNtlm,
      {
          {"4e544c4d53535000 01", "truncated"},
          {"4e544c4d53535000 04000000", "bad_value"},
          {"4e544c4d53535001 01000000", "bad_value"},
          {"4e544c4d53535000 01000000 07820000 0500 0500 28000000", "truncated"},
          {"4e544c4d53535000 02000000 0e00 0e00 38000000 15828962 1122334455667788", "truncated"},
      });
}

TEST(Ntlm, CutAtEveryByte) {
  expect_no_cut_passes(kNtlm, "ntlm", [](const Payload& each, std::size_t size) {
    // Messages of old clients and servers end before their last fields.
    return each.what == "negotiate" ? size == 16 || size >= 32
                                    : each.what == "negotiate, with names" && size == 16;
  });
}

}  // namespace
}  // namespace vmirror
