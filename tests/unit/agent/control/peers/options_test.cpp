// Which ways of linking agents are allowed, and the words in which others are refused.
#include <gtest/gtest.h>

#include "agent/control/peers/peers.hpp"

namespace vmirror {
namespace {

PeerEndpoint at(const char* text) {
  return *PeerEndpoint::parse(text);
}

TEST(PeerEndpoint, AsText) {
  struct Case {
    const char *text, *back;
  };
  for (const Case& c : {
           Case{"192.0.2.1", "192.0.2.1:9478"},
           Case{"192.0.2.1:1", "192.0.2.1:1"},
           Case{"2001:db8::1", "[2001:db8::1]:9478"},
           Case{"[2001:db8::1]", "[2001:db8::1]:9478"},
           Case{"[::1]:65535", "[::1]:65535"},
           Case{"127.0.0.1:0", "127.0.0.1:0"},
       }) {
    const auto endpoint = PeerEndpoint::parse(c.text);
    ASSERT_TRUE(endpoint) << c.text;
    EXPECT_EQ(endpoint->text(), c.back);
  }
  for (const char* text : {"", ":", "hosta", "hosta:1", "192.0.2.1:", "192.0.2.1:65536",
                           "192.0.2.1:1x", "192.0.2.1:-1", "[192.0.2.1]:1", "[::1", "[::1]1", "[]"})
    EXPECT_FALSE(PeerEndpoint::parse(text)) << text;
}

TEST(PeerEndpoint, Loopback) {
  for (const char* text : {"127.0.0.1", "127.9.9.9", "::1"})
    EXPECT_TRUE(at(text).is_loopback()) << text;
  for (const char* text : {"0.0.0.0", "192.0.2.1", "::", "::2"})
    EXPECT_FALSE(at(text).is_loopback()) << text;
}

TEST(PeersOptions, WhatIsAllowed) {
  const Peer a{"a", at("192.0.2.1")}, c{"c", at("192.0.2.3")}, near{"c", at("127.0.0.1")};
  const PeerTls tls{"c", "k", "ca"};
  struct Case {
    const char* what;
    PeersOptions options;
    const char* error;
  };
  for (const Case& t : {
           Case{"nobody", {"b", {}, {}, {}, false, {}}, ""},
           Case{"loopback needs no TLS", {"b", at("127.0.0.1"), {near}, {}, false, {}}, ""},
           Case{"with TLS", {"b", at("0.0.0.0"), {a, c}, tls, false, {}}, ""},
           Case{"in the clear, asked for", {"b", at("0.0.0.0"), {a, c}, {}, true, {}}, ""},
           Case{"one that only dials", {"b", {}, {c}, tls, false, {}}, ""},
           Case{"this host is passed over",
                {"b", {}, {{"b", at("192.0.2.2")}, c}, tls, false, {}},
                ""},
           Case{"no name",
                {"", {}, {}, {}, false, {}},
                "peers: a host's name has 1 to 255 characters (write the name that the agent there "
                "calls itself)"},
           Case{"twice",
                {"b", {}, {c, c}, tls, false, {}},
                "peers: host `c` is given twice (keep one of them)"},
           Case{"nowhere",
                {"b", {}, {{"c", {}}}, tls, false, {}},
                "peers: host `c` has no address and port (write its IP address, and a port of 1 to "
                "65535)"},
           Case{"a message that never fits into the queue",
                {"b", {}, {}, {}, false, {.message_bytes = 1000, .queue_bytes = 1000}},
                "peers: a message has 1 byte to 1 GiB, and fits into the queue (raise the queue's "
                "bound, or lower the message's)"},
           Case{"in the clear",
                {"b", at("[::]:1"), {}, {}, false, {}},
                "peers: listening on [::]:1 without TLS would be neither encrypted nor "
                "authenticated (set `tls`, or `insecure: true` on a network where nobody else is)"},
       }) {
    const auto ok = check(t.options);
    EXPECT_EQ(ok ? "" : ok.error().text(), t.error) << t.what;
  }
}

}  // namespace
}  // namespace vmirror
