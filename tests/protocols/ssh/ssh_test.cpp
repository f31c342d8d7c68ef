#include "agent/engine/dissect/it/ssh.hpp"

#include <gtest/gtest.h>

#include "tests/unit/agent/engine/dissect/told.hpp"

namespace vmirror {
namespace {

using namespace test;

TEST(Ssh, Tells) {
  const struct {
    const char* what;
    bool to_server;
    const char* told;
  } cases[] = {
      {"client", true,
       "ssh {client: {proto_version: \"2.0\", software_version: \"OpenSSH_9.2p1 "
       "Debian-2\"}}\n"},
      {"server", false,
       "ssh {server: {proto_version: \"2.0\", software_version: "
       "\"dropbear_2022.83\"}}\n"
       "fact 10.0.0.2 service = \"ssh\" (ssh.server)\n"
       "fact 10.0.0.2 description = \"dropbear_2022.83\" "
       "(ssh.server.software_version)\n"},
      {"old server", false,
       "ssh {server: {proto_version: \"1.99\", software_version: \"Cisco-1.25\"}}\n"
       "fact 10.0.0.2 service = \"ssh\" (ssh.server)\n"
       "fact 10.0.0.2 description = \"Cisco-1.25\" (ssh.server.software_version)\n"},
  };
  for (const auto& c : cases)
    EXPECT_EQ(told(kSsh, payload("ssh", c.what), context_of(c.to_server)), c.told) << c.what;
}

TEST(Ssh, Malformed) {
  const struct {
    const char *bytes, *name;
  } cases[] = {
      {"474554", "bad_value"},
      {"5353482d", "truncated"},
  };
  for (const auto& c : cases) {
    const std::string out = told(kSsh, hex(c.bytes), context_of());
    EXPECT_NE(out.find(std::string("malformed ") + c.name), std::string::npos)
        << c.bytes << ": " << out;
  }
}

TEST(Ssh, TheFlowIsReadUntilBothHaveSpoken) {
  Dissection dissection(all_dissectors());
  Context client = context_of(), server = context_of(false);
  client.engine = server.engine = &dissection;
  client.self = server.self = all_dissectors().find("ssh", Carrier::stream);
  Facts facts;
  const Buffer packet = hex("00000010 0a 14");
  EXPECT_EQ(kSsh.frame(packet, server).status, Framing::Status::lost);
  EXPECT_EQ(kSsh.dissect(payload("ssh", "server"), server, facts).then, Outcome::Then::same);
  EXPECT_EQ(kSsh.frame(packet, server).size, 20u) << "the server goes on with its key exchange";
  EXPECT_EQ(kSsh.frame(packet, client).status, Framing::Status::lost);
  EXPECT_EQ(kSsh.dissect(payload("ssh", "client"), client, facts).then, Outcome::Then::done);
}

TEST(Ssh, CutAtEveryByte) {
  for (const Payload& each : payloads_of("ssh"))
    EXPECT_EQ(accepted_cuts(kSsh, each.bytes, context_of(each.to_server),
                            [](std::size_t) { return false; }),
              "")
        << each.what;
}

}  // namespace
}  // namespace vmirror
