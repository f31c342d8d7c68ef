// TLS: what a handshake tells in clear, and where it ends.
#include "agent/engine/dissect/it/tls.hpp"

#include <gtest/gtest.h>

#include "tests/unit/agent/engine/dissect/told.hpp"

namespace vmirror {
namespace {

using namespace test;

TEST(Tls, Hellos) {
  EXPECT_EQ(told(kTls, payload("tls", "client hello"), context_of()),
            "tls {type: \"client_hello\", version: \"TLS 1.3\", sni: \"www.example.com\", alpn: "
            "\"h2\", cipher_suites: 3}\n");
  EXPECT_EQ(told(kTls, payload("tls", "server hello"), context_of(false)),
            "tls {type: \"server_hello\", version: \"TLS 1.3\", cipher_suite: 4865}\n"
            "fact 10.0.0.2 service = \"tls\" (tls.server_hello, implied)\n");
}

TEST(Tls, ACertificatesNames) {
  const std::string out =
      told(kTls, payload("tls", "server hello and certificate of tls 1.2"), context_of(false));
  EXPECT_NE(out.find("tls {type: \"certificate\", from: \"server\", subject: \"www.example.com\", "
                     "issuerdn: \"Example CA\", subjectaltname: [\"www.example.com\", "
                     "\"example.com\"]}"),
            std::string::npos)
      << out;
}

/// One connection.
struct TlsWire {
  Dissection dissection{all_dissectors()};
  Conversation conversation;
  std::size_t records = 0;

  TlsWire() { conversation.dissector = all_dissectors().for_stream(40000, 443); }
  void feed(bool up, std::string_view what) {
    Context context = context_of(up);
    context.source_port = up ? 40000 : 443;
    context.destination_port = up ? 443 : 40000;
    context.engine = &dissection;
    Facts facts;
    dissection.feed(conversation, payload("tls", what), context, facts);
    records += facts.records().size();
    facts.clear();
    dissection.settle();
  }
  bool done() const { return is_done(conversation.dissector); }
};

TEST(Tls, DoneOnceBothEncrypt) {
  TlsWire new_one;
  new_one.feed(true, "client hello");
  EXPECT_FALSE(new_one.done());
  new_one.feed(false, "server hello");
  EXPECT_TRUE(new_one.done());

  TlsWire old;
  old.feed(true, "client hello of tls 1.2");
  old.feed(false, "server hello and certificate of tls 1.2");
  old.feed(true, "change of cipher");
  EXPECT_FALSE(old.done());
  old.feed(false, "change of cipher");
  EXPECT_TRUE(old.done());
  EXPECT_STREQ(all_dissectors().name(old.conversation.dissector), "tls");
}

TEST(Tls, AMessageOverTwoRecords) {
  TlsWire wire;
  wire.feed(true, "client hello of tls 1.2");
  wire.feed(false, "certificate, first record");
  EXPECT_EQ(wire.records, 2u);  // Both hellos.
  wire.feed(false, "certificate, second record");
  EXPECT_EQ(wire.records, 3u);
  EXPECT_EQ(wire.dissection.joins().used, 0u);
}

TEST(Tls, WhatIsSeenFromItsMiddleIsDoneAtOnce) {
  TlsWire wire;
  wire.feed(true, "data");
  EXPECT_TRUE(wire.done());
}

TEST(Tls, Malformed) {
  EXPECT_EQ(told(kTls, hex("16 03 01 00 05 01 00 00 08 03"), context_of()),
            "malformed truncated\n");
  EXPECT_EQ(told(kTls, hex("16 03 01 00 06 01 00 00 02 03 03"), context_of()),
            "malformed truncated\n");
}

TEST(Tls, CutAtEveryByteNothingIsReadPastTheEnd) {
  for (const Payload& each : payloads_of("tls"))
    accepted_cuts(kTls, each.bytes, context_of(each.to_server), [](std::size_t) { return true; });
}

}  // namespace
}  // namespace vmirror
