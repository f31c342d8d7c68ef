// Frames of the agents' link: what one looks like, that it may be cut anywhere, and the words for
// what is none.
#include "agent/control/peers/frame.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "tests/support/frames.hpp"

namespace vmirror {
namespace {

using Kind = PeerFrame::Kind;

std::string bytes(std::string_view hex) {
  const test::Buffer out = test::hex(hex);
  return {out.begin(), out.end()};
}

/// Feeds `wire` in pieces of at most `piece` bytes; the frames, or the error in words.
Result<std::vector<PeerFrame>> read_all(std::string_view wire, std::size_t piece,
                                        std::size_t message_bytes) {
  PeerFrameReader reader;
  if (message_bytes > 0) reader.allow_messages([=](std::string_view) { return message_bytes; });
  std::vector<PeerFrame> out;
  while (!wire.empty()) {
    const auto space = reader.space();
    const std::size_t n = std::min({space.size(), wire.size(), piece});
    std::copy_n(wire.begin(), n, space.begin());
    wire.remove_prefix(n);
    auto frame = reader.filled(n);
    if (!frame) return tl::unexpected(frame.error());
    if (*frame) out.push_back(std::move(**frame));
  }
  return out;
}

TEST(PeerFrame, OnTheWire) {
  struct Case {
    PeerFrame frame;
    const char* wire;
  };
  for (const Case& c : {
           Case{{Kind::bye, "", "no"}, "00000002 02 00 0000 6e6f"},
           Case{{Kind::ping, "", bytes("0000000000000102")},
                "00000008 03 00 0000 0000000000000102"},
           Case{{Kind::message, "record", "{}"}, "00000008 05 06 0000 7265636f7264 7b7d"},
           Case{{Kind::message, "empty", ""}, "00000005 05 05 0000 656d707479"},
       }) {
    const std::string wire =
        encode_peer_head(c.frame.kind, c.frame.type, c.frame.body.size()) + c.frame.body;
    EXPECT_EQ(wire, bytes(c.wire));
    const auto back = read_all(wire, 1000, 100);
    ASSERT_TRUE(back) << back.error().text();
    EXPECT_EQ(*back, std::vector{c.frame});
  }
}

TEST(PeerFrame, MayBeCutAnywhere) {
  const std::vector<PeerFrame> frames{{Kind::hello, "", "hello"},
                                      {Kind::message, "a", std::string(1000, 'x')},
                                      {Kind::message, std::string(32, 't'), ""},
                                      {Kind::pong, "", "12345678"}};
  std::string wire;
  for (const PeerFrame& f : frames)
    wire += encode_peer_head(f.kind, f.type, f.body.size()) + f.body;
  for (std::size_t piece = 1; piece <= 40; ++piece) EXPECT_EQ(read_all(wire, piece, 1000), frames);
}

TEST(PeerFrame, WhatIsNone) {
  const std::string foreign =
      "this is not the agents' protocol (does a vmirrord of this version listen there?)";
  const std::string tls =
      "it speaks TLS, this agent does not (set peers.tls on both hosts, or on neither)";
  struct Case {
    const char* what;
    std::string wire;
    std::size_t message_bytes;
    std::string error;
  };
  for (const Case& c : {
           Case{"a web browser", "GET / HTTP/1.1\r\n\r\n", 0, foreign},
           Case{"a ClientHello", bytes("160301 0200"), 0, tls},
           Case{"an alert", bytes("150301 0002 02 46"), 0, tls},
           Case{"kind 0", bytes("00000000 00 00 0000"), 100, foreign},
           Case{"kind 6", bytes("00000000 06 00 0000"), 100, foreign},
           Case{"a flag", bytes("00000000 02 00 0001"), 100, foreign},
           Case{"a type where there is none", bytes("00000001 02 01 0000"), 100, foreign},
           Case{"a message without a type", bytes("00000001 05 00 0000"), 100, foreign},
           Case{"a type longer than all", bytes("00000001 05 02 0000"), 100, foreign},
           Case{"a type of 33", bytes("00000030 05 21 0000"), 100, foreign},
           Case{"before the hello", bytes("00000001 05 01 0000"), 0,
                "a message came before the hello (does a vmirrord of this version listen there?)"},
           Case{"a message too large", bytes("00000066 05 01 0000 61"), 100,
                "a frame of 101 bytes, 100 are allowed (does a vmirrord of this version listen "
                "there?)"},
           Case{"a hello too large", bytes("00001001 01 00 0000"), 1 << 20,
                "a frame of 4097 bytes, 4096 are allowed (does a vmirrord of this version listen "
                "there?)"},
       }) {
    const auto frames = read_all(c.wire, 1000, c.message_bytes);
    ASSERT_FALSE(frames) << c.what;
    EXPECT_EQ(frames.error().text(), c.error) << c.what;
  }
  EXPECT_TRUE(read_all(bytes("00000065 05 01 0000"), 1000, 100)) << "as large as may be";
}

TEST(PeerHello, OnTheWire) {
  const PeerHello hello{1, 0x1122334455667788, 3, "kvm7"};
  const std::string wire =
      bytes("564d504c 0001 0000 1122334455667788 0000000000000003 0004 6b766d37");
  EXPECT_EQ(encode(hello), wire);
  EXPECT_EQ(parse_peer_hello(wire), hello);
  EXPECT_EQ(parse_peer_hello(wire + "and more"), hello);
  for (std::size_t n = 0; n < wire.size(); ++n)
    EXPECT_FALSE(parse_peer_hello(wire.substr(0, n))) << n;
  EXPECT_FALSE(parse_peer_hello("X" + wire.substr(1)));
  EXPECT_FALSE(parse_peer_hello(wire.substr(0, 24) + bytes("0000"))) << "no name";
}

TEST(PeerHello, OfAnotherVersionOnlyThatIsRead) {
  const auto hello = parse_peer_hello(bytes("564d504c 0002"));
  ASSERT_TRUE(hello);
  EXPECT_EQ(hello->version, 2);
  EXPECT_EQ(hello->host, "");
}

TEST(PeerTimes, OnTheWire) {
  EXPECT_EQ(encode_ping(0x0102030405060708), bytes("0102030405060708"));
  EXPECT_EQ(parse_ping(encode_ping(5)), 5);
  EXPECT_FALSE(parse_ping("1234567"));
  EXPECT_EQ(parse_pong(encode_pong(1, 2, 3), 4), (PeerTimes{1, 2, 3, 4}));
  EXPECT_FALSE(parse_pong(encode_pong(1, 2, 3).substr(1), 4));
}

}  // namespace
}  // namespace vmirror
