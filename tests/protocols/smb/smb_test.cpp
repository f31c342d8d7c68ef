// SMB: its messages, and the DCE/RPC that its pipes carry.
#include "agent/engine/dissect/it/smb.hpp"

#include <gtest/gtest.h>

#include "tests/unit/agent/engine/dissect/connection.hpp"

namespace vmirror {
namespace {

using namespace test;

/// What the pipes carry: the records of other protocols than SMB.
std::string carried(const Facts& facts) {
  std::string out;
  for (const Record& record : facts.records())
    if (record.protocol != std::string_view("smb")) out += record_text(facts, record) + "\n";
  return out;
}

struct Wire : Connection {
  Wire() : Connection(445, carried) {}
};

TEST(Smb, NamesOfSharesAndFiles) {
  EXPECT_NE(told(kSmb, payload("smb", "tree connect"), context_of())
                .find("share: \"\\\\\\\\10.0.0.2\\\\IPC$\""),
            std::string::npos);
  EXPECT_NE(told(kSmb, payload("smb", "create"), context_of()).find("filename: \"svcctl\""),
            std::string::npos);
}

TEST(Smb, APipeCarriesDcerpc) {
  Wire wire;
  for (const char* what :
       {"negotiate", "negotiated", "tree connect", "tree connected", "create", "created",
        "write to the pipe", "read of the pipe", "what the pipe said", "transceive", "transceived"})
    for (const Payload& each : payloads_of("smb"))
      if (each.what == what) wire.feed(each.to_server, each.bytes);
  EXPECT_NE(wire.out.find("dcerpc {type: \"bind\""), std::string::npos) << wire.out;
  EXPECT_NE(wire.out.find("dcerpc {type: \"bind_ack\""), std::string::npos) << wire.out;
  EXPECT_NE(wire.out.find("dcerpc {type: \"response\", call_id: 2, context_id: 0, opnum: 15"),
            std::string::npos)
      << wire.out;
  EXPECT_STREQ(all_dissectors().name(wire.conversation.application()), "dcerpc");
}

TEST(Smb, AFileIsNoPipe) {
  Wire wire;
  Buffer disk = payload("smb", "tree connected");
  disk[4 + 64 + 2] = 1;  // A share of files.
  wire.feed(false, disk);
  for (const char* what : {"create", "created", "write to the pipe"})
    for (const Payload& each : payloads_of("smb"))
      if (each.what == what) wire.feed(each.to_server, each.bytes);
  EXPECT_EQ(wire.out, "");
}

TEST(Smb, OfALongMessageTheFrontIsWanted) {
  Buffer head = hex("00 01 00 00 fe 53 4d 42");
  const Framing framing = kSmb.frame(head, context_of());
  EXPECT_EQ(framing.size, 65540u);
  EXPECT_EQ(framing.wanted, 1024u);
  head[1] = 0;
  head[3] = 100;
  EXPECT_EQ(kSmb.frame(head, context_of()).wanted, Framing::kAll);
}

TEST(Smb, ALogonThatIsRefused) {
  const struct {
    std::uint8_t command;
    std::uint32_t status;
    bool refuses;
  } cases[] = {{1, 0xc000006d, true},   // STATUS_LOGON_FAILURE
               {1, 0xc0000234, true},   // STATUS_ACCOUNT_LOCKED_OUT
               {1, 0xc0000016, false},  // STATUS_MORE_PROCESSING_REQUIRED: it goes on.
               {5, 0xc000006d, false},  // Another command.
               {1, 0, false}};
  for (const auto& c : cases) {
    Buffer message = payload("smb", "refused");
    for (int i = 0; i < 4; ++i)
      message[12 + static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(c.status >> (8 * i));
    message[16] = c.command;
    EXPECT_EQ(told(kSmb, message, context_of(false))
                      .find("act 10.0.0.1 refused_authentication 10.0.0.2 (smb.status)") !=
                  std::string::npos,
              c.refuses)
        << int{c.command} << " " << c.status;
  }
}

TEST(Smb, Malformed) {
  Buffer wrong = payload("smb", "negotiate");
  wrong[8] = 63;
  EXPECT_EQ(told(kSmb, wrong, context_of()), "malformed bad_value\n");
}

TEST(Smb, CutAtEveryByteNothingIsReadPastTheEnd) {
  for (const Payload& each : payloads_of("smb"))
    accepted_cuts(kSmb, each.bytes, context_of(each.to_server), [](std::size_t) { return true; });
}

}  // namespace
}  // namespace vmirror
