#include "agent/engine/dissect/it/http.hpp"

#include <gtest/gtest.h>

#include "tests/unit/agent/engine/dissect/connection.hpp"
#include "tests/unit/agent/engine/dissect/tables.hpp"

namespace vmirror {
namespace {

using namespace test;

TEST(Http, Tells) {
  expect_tells(
      kHttp, "http",
      {
          {"get",
           "http {type: \"request\", protocol: \"HTTP/1.1\", http_method: \"GET\", url: "
           "\"/status?unit=7\", hostname: \"plc-7.example.lan\", http_port: 8080, http_user_agent: "
           "\"curl/8.5.0\"}\n"},
          {"answer",
           "http {type: \"response\", protocol: \"HTTP/1.1\", http_content_type: \"text/html; "
           "charset=utf-8\", length: 12, status: 200, server: \"Boa/0.94.13\"}\n"
           "fact 10.0.0.2 service = \"http\" (http.status, implied)\n"},
          {"post",
           "http {type: \"request\", protocol: \"HTTP/1.1\", http_content_type: "
           "\"application/json\", length: 9, http_method: \"POST\", url: \"/api/v1/write\", "
           "hostname: \"[2001:db8::7]\", http_refer: \"http://plc-7.example.lan/\"}\n"},
          {"no content",
           "http {type: \"response\", protocol: \"HTTP/1.1\", status: 204}\n"
           "fact 10.0.0.2 service = \"http\" (http.status, implied)\n"},
          {"head",
           "http {type: \"request\", protocol: \"HTTP/1.0\", http_method: \"HEAD\", url: "
           "\"/firmware.bin\"}\n"},
          {"answer to head",
           "http {type: \"response\", protocol: \"HTTP/1.0\", length: 1048576, status: 200}\n"
           "fact 10.0.0.2 service = \"http\" (http.status, implied)\n"},
          {"get, basic",
           "http {type: \"request\", protocol: \"HTTP/1.1\", http_method: \"GET\", url: "
           "\"/config\", hostname: \"plc-7\", auth_scheme: \"Basic\", username: \"admin\"}\n"
           "act 10.0.0.1 weak_authentication 10.0.0.2 (http.authorization)\n"},
          {"unauthorized",
           "http {type: \"response\", protocol: \"HTTP/1.1\", length: 0, status: 401, "
           "auth_schemes: [\"Negotiate\", \"Basic\"]}\n"
           "fact 10.0.0.2 service = \"http\" (http.status, implied)\n"},
          {"get, ntlm",
           "http {type: \"request\", protocol: \"HTTP/1.1\", http_method: \"GET\", url: "
           "\"/wsman\", hostname: \"hv-1\", auth_scheme: \"Negotiate\"}\n"},
          {"ntlm challenge",
           "http {type: \"response\", protocol: \"HTTP/1.1\", length: 0, status: 401, "
           "auth_schemes: [\"Negotiate\"]}\n"
           "fact 10.0.0.2 service = \"http\" (http.status, implied)\n"},
          {"get, ntlm authenticate",
           "http {type: \"request\", protocol: \"HTTP/1.1\", http_method: \"GET\", url: "
           "\"/wsman\", hostname: \"hv-1\", auth_scheme: \"Negotiate\"}\n"},
          {"chunked",
           "http {type: \"response\", protocol: \"HTTP/1.1\", status: 200}\n"
           "fact 10.0.0.2 service = \"http\" (http.status, implied)\n"},
          {"moved",
           "http {type: \"response\", protocol: \"HTTP/1.1\", length: 0, status: 302, redirect: "
           "\"https://plc-7.example.lan/\"}\n"
           "fact 10.0.0.2 service = \"http\" (http.status, implied)\n"},
          {"to the end",
           "http {type: \"response\", protocol: \"HTTP/1.0\", status: 200, server: \"old\"}\n"
           "fact 10.0.0.2 service = \"http\" (http.status, implied)\n"},
          {"connect",
           "http {type: \"request\", protocol: \"HTTP/1.1\", http_method: \"CONNECT\", url: "
           "\"updates.example.com:443\", hostname: \"updates.example.com\", http_port: 443}\n"},
          {"connected",
           "http {type: \"response\", protocol: \"HTTP/1.1\", status: 200}\n"
           "fact 10.0.0.2 service = \"http\" (http.status, implied)\n"},
          {"upgrade to websocket",
           "http {type: \"request\", protocol: \"HTTP/1.1\", http_method: \"GET\", url: \"/ws\", "
           "hostname: \"hmi-3\"}\n"},
          {"upgraded",
           "http {type: \"response\", protocol: \"HTTP/1.1\", status: 101}\n"
           "fact 10.0.0.2 service = \"http\" (http.status, implied)\n"},
          {"continue",
           "http {type: \"response\", protocol: \"HTTP/1.1\", status: 100}\n"
           "fact 10.0.0.2 service = \"http\" (http.status, implied)\n"},
      });
}

TEST(Http, Malformed) {
  expect_malformed(
      kHttp, {
                 {"474554202f20485454502f312e310d0a486f73743a20610d0a", "truncated"},
                 {"474554202f", "truncated"},
                 {"676574202f20485454502f312e310d0a0d0a", "bad_value"},
                 {"474554202f20485454502f322e300d0a0d0a", "bad_value"},
                 {"485454502f312e312032300d0a0d0a", "bad_value"},
                 {"505554202f20485454502f312e310d0a436f6e74656e742d4c656e6774683a2031780d0a0d0a",
                  "bad_value"},
             });
}

struct HttpWire : Connection {
  explicit HttpWire(std::uint16_t port = 80) : Connection(port, facts_text) {}
  void up(const char* what) { feed(true, payload("http", what)); }
  void down(const char* what) { feed(false, payload("http", what)); }
  /// What was told since the last call.
  std::string said() { return std::exchange(out, ""); }
  std::uint64_t lost() const {
    return dissection.counters(all_dissectors().find("http", Carrier::stream)).lost;
  }
};

TEST(Http, BodiesArePassedOver) {
  HttpWire wire;
  wire.up("get");
  wire.down("answer");
  wire.feed(false, hex("68656c6c6f"));
  wire.feed(false, hex("2c20776f726c64"));
  wire.said();
  wire.down("no content");
  EXPECT_EQ(wire.said(),
            "http {type: \"response\", protocol: \"HTTP/1.1\", status: 204}\n"
            "fact 10.0.0.2 service = \"http\" (http.status, implied)\n");
  EXPECT_EQ(wire.lost(), 0u);
}

TEST(Http, AnAnswerToHeadHasNoBody) {
  HttpWire wire;
  wire.up("head");
  wire.down("answer to head");
  wire.said();
  wire.down("no content");
  EXPECT_NE(wire.said().find("status: 204"), std::string::npos);
}

TEST(Http, ChunksEndWhereTheySay) {
  for (std::size_t piece : {1, 2, 3, 7, 100}) {
    HttpWire wire;
    wire.up("get");
    wire.down("chunked");
    wire.said();
    const Buffer chunks =
        hex("350d0a 68656c6c6f 0d0a 413b713d310d0a 30313233343536373839 0d0a 300d0a 0d0a");
    for (std::size_t at = 0; at < chunks.size(); at += piece)
      wire.feed(false, Bytes(chunks).subspan(at, std::min(piece, chunks.size() - at)));
    EXPECT_EQ(wire.said(), "") << piece;
    wire.down("no content");
    EXPECT_NE(wire.said().find("status: 204"), std::string::npos) << piece;
    EXPECT_EQ(wire.lost(), 0u) << piece;
  }
}

TEST(Http, TokensGoDownAndTheFlowKeepsItsName) {
  HttpWire wire(5985);
  wire.up("get, ntlm");
  EXPECT_NE(wire.said().find("ntlm {type: \"negotiate\", version: \"10.0 build 17763 rev 15\"}"),
            std::string::npos);
  wire.down("ntlm challenge");
  EXPECT_NE(wire.said().find("server_dns_computer_name: \"dc7.example.lan\""), std::string::npos);
  wire.up("get, ntlm authenticate");
  EXPECT_NE(wire.said().find("ntlm {type: \"authenticate\", user: \"ann\""), std::string::npos);
  EXPECT_STREQ(all_dissectors().name(wire.conversation.application()), "http");
}

TEST(Http, ATunnelToAPortOfTlsBecomesTls) {
  HttpWire wire(8081);
  wire.up("connect");
  wire.down("connected");
  EXPECT_STREQ(all_dissectors().name(wire.conversation.dissector), "tls");
}

TEST(Http, AfterAnotherUpgradeNothingIsRead) {
  HttpWire wire(8080);
  wire.up("upgrade to websocket");
  wire.down("upgraded");
  EXPECT_TRUE(is_done(wire.conversation.dissector));
  EXPECT_STREQ(all_dissectors().name(wire.conversation.dissector), "http");
}

TEST(Http, CutAtEveryByte) {
  expect_no_cut_passes(kHttp, "http");
}

}  // namespace
}  // namespace vmirror
