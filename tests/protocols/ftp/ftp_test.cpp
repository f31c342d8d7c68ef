#include "agent/engine/dissect/it/ftp.hpp"

#include <gtest/gtest.h>

#include "tests/unit/agent/engine/dissect/connection.hpp"
#include "tests/unit/agent/engine/dissect/tables.hpp"

namespace vmirror {
namespace {

using namespace test;

TEST(Ftp, Tells) {
  expect_tells(kFtp, "ftp",
               {
                   {"greeting",
                    "ftp {completion_code: 220, reply: \"Welcome\"}\n"
                    "fact 10.0.0.2 service = \"ftp\" (ftp.completion_code, implied)\n"},
                   {"user", "ftp {command: \"USER\", command_data: \"ann\"}\n"},
                   {"password required",
                    "ftp {completion_code: 331, reply: \"Password required\"}\n"
                    "fact 10.0.0.2 service = \"ftp\" (ftp.completion_code, implied)\n"},
                   {"pass",
                    "ftp {command: \"PASS\"}\n"
                    "act 10.0.0.1 weak_authentication 10.0.0.2 (ftp.command)\n"},
                   {"logged in",
                    "ftp {completion_code: 230, reply: \"Logged in\"}\n"
                    "fact 10.0.0.2 service = \"ftp\" (ftp.completion_code, implied)\n"},
                   {"passive", "ftp {command: \"PASV\"}\n"},
                   {"passive port",
                    "ftp {completion_code: 227, reply: \"Entering Passive Mode "
                    "(10,0,0,2,195,80)\", dynamic_port: 50000, mode: \"passive\"}\n"
                    "fact 10.0.0.2 service = \"ftp\" (ftp.completion_code, implied)\n"},
                   {"extended passive", "ftp {command: \"EPSV\"}\n"},
                   {"extended passive port",
                    "ftp {completion_code: 229, reply: \"Entering Extended Passive Mode "
                    "(|||50001|)\", dynamic_port: 50001, mode: \"passive\"}\n"
                    "fact 10.0.0.2 service = \"ftp\" (ftp.completion_code, implied)\n"},
                   {"port",
                    "ftp {command: \"PORT\", command_data: \"10,0,0,1,156,65\", dynamic_port: "
                    "40001, mode: \"active\"}\n"},
                   {"extended port",
                    "ftp {command: \"EPRT\", command_data: \"|1|10.0.0.1|40001|\", dynamic_port: "
                    "40001, mode: \"active\"}\n"},
                   {"retrieve",
                    "ftp {command: \"RETR\", command_data: \"firmware.bin\"}\n"
                    "act 10.0.0.1 read 10.0.0.2 (ftp.command)\n"},
                   {"store",
                    "ftp {command: \"stor\", command_data: \"recipe.csv\"}\n"
                    "act 10.0.0.1 write 10.0.0.2 (ftp.command)\n"},
                   {"auth", "ftp {command: \"AUTH\", command_data: \"TLS\"}\n"},
                   {"auth accepted",
                    "ftp {completion_code: 234, reply: \"AUTH TLS OK\"}\n"
                    "fact 10.0.0.2 service = \"ftp\" (ftp.completion_code, implied)\n"},
               });
}

TEST(Ftp, Malformed) {
  expect_malformed(kFtp, {
                             {"", "truncated"},
                             {"5553455220616e6e", "truncated"},
                             {"3232302d610d0a", "truncated"},
                             {"010d0a", "bad_value"},
                             {"32320d0a", "bad_value"},
                         });
}

TEST(Ftp, ConnectionsForDataAreExpected) {
  const std::tuple<bool, const char*, bool, std::uint16_t> cases[] = {
      {false, "passive port", true, 50000},
      {false, "extended passive port", true, 50001},
      {true, "port", false, 40001},
      {true, "extended port", false, 40001}};
  for (const auto& [up, what, data_up, port] : cases) {
    Connection wire(21, facts_text);
    wire.feed(up, payload("ftp", what));
    wire.conversation = {};
    Context context = context_of(data_up);
    context.engine = &wire.dissection;
    context.source_port = 20000;
    context.destination_port = port;
    Conversation data;
    data.dissector = all_dissectors().for_stream(20000, port);
    Facts facts;
    wire.dissection.feed(data, hex("612c62"), context, facts);
    EXPECT_STREQ(all_dissectors().name(data.dissector), "ftp_data") << what;
    wire.dissection.close(data);
  }
}

TEST(Ftp, AnAcceptedAuthBecomesTls) {
  Connection wire(2121, facts_text);
  wire.feed(false, payload("ftp", "greeting"));
  wire.feed(true, payload("ftp", "auth"));
  wire.feed(false, payload("ftp", "auth accepted"));
  EXPECT_STREQ(all_dissectors().name(wire.conversation.dissector), "tls");
}

TEST(Ftp, CutAtEveryByte) {
  expect_no_cut_passes(kFtp, "ftp");
}

}  // namespace
}  // namespace vmirror
