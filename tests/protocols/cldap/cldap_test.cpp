// CLDAP: how a domain controller is located.
#include <gtest/gtest.h>

#include "agent/engine/dissect/it/ldap.hpp"
#include "tests/unit/agent/engine/dissect/told.hpp"

namespace vmirror {
namespace {

using namespace test;

TEST(Cldap, APongSaysWhoTheControllerIs) {
  const std::string out = told(kCldap, payload("cldap", "pong"), context_of(false));
  EXPECT_NE(out.find("netlogon: {domain_guid: \"d1e7a3f6-4c2b-4a8f-9d5e-0123456789ab\", forest: "
                     "\"example.lan\", domain: \"example.lan\", host: \"dc7.example.lan\", "
                     "netbios_domain: \"EXAMPLE\", netbios_computer: \"DC7\", server_site: "
                     "\"Site7\", client_site: \"Site7\"}"),
            std::string::npos)
      << out;
  EXPECT_NE(out.find("cldap {message_id: 7, operation: \"search_result_done\""), std::string::npos)
      << out;  // Both are in one datagram.
  EXPECT_NE(out.find("role = \"domain_controller\" (ldap.netlogon)"), std::string::npos) << out;
}

}  // namespace
}  // namespace vmirror
