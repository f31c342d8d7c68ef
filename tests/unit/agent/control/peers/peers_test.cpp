// Links between agents in one process over loopback: messages, restarts, silence, bounds, and who
// is refused in which words.
#include "agent/control/peers/peers.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <deque>
#include <mutex>
#include <thread>

#include "agent/control/peers/frame.hpp"
#include "plugin/base/slots.hpp"
#include "tests/support/tcp_proxy.hpp"
#include "tests/unit/agent/control/peers/agents.hpp"

namespace vmirror {
namespace {

using test::Agent;
using test::dials;
using test::local;
using test::waits;
using State = PeerStatus::State;
using Lines = std::vector<std::string>;

TEST(Peers, MessagesGoBothWaysInOrder) {
  Agent b(waits()), a(dials(b.port()));
  ASSERT_TRUE(a.told("up b"));
  ASSERT_TRUE(b.told("up a"));
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(a.link().send("b", "n", std::to_string(i)));
    EXPECT_TRUE(b.link().send("a", "m", std::to_string(i)));
  }
  EXPECT_TRUE(a.link().send("b", "empty", ""));
  EXPECT_TRUE(a.link().send("b", "large", std::string(16 << 20, 'x')));
  ASSERT_TRUE(b.told("a large 16777216 bytes"));
  ASSERT_TRUE(a.told("b m 2"));
  EXPECT_EQ(b.lines(),
            (Lines{"up a", "a n 0", "a n 1", "a n 2", "a empty ", "a large 16777216 bytes"}));
  EXPECT_EQ(a.lines(), (Lines{"up b", "b m 0", "b m 1", "b m 2"}));
}

TEST(Peers, StatusSaysWhatThereIs) {
  Agent b(waits()), a(dials(b.port()));
  ASSERT_TRUE(a.told("up b"));
  ASSERT_TRUE(a.link().send("b", "n", "12345"));
  ASSERT_TRUE(b.told("a n 12345"));
  ASSERT_TRUE(a.becomes([&](const PeersStatus&) {
    return a.peer("b").clock_offset && a.peer("b").sent_messages == 1;
  }));
  const PeerStatus seen = a.peer("b");
  EXPECT_EQ(seen.endpoint, local(b.port()));
  EXPECT_EQ(seen.state, State::up);
  EXPECT_EQ(seen.reason, "");
  EXPECT_TRUE(seen.dials);
  EXPECT_FALSE(seen.encrypted);
  EXPECT_NE(seen.instance, 0u);
  EXPECT_EQ(seen.connections, 1u);
  EXPECT_EQ(seen.sent_bytes, 5u);
  EXPECT_EQ(seen.queued_bytes, 0u);
  EXPECT_GT(*seen.rtt, 0);
  // Both have one clock: the estimate is off by what it may be at most.
  EXPECT_LE(std::abs(*seen.clock_offset), *seen.rtt / 2 + 1);
  EXPECT_EQ(b.peer("a").received_messages, 1u);
  EXPECT_EQ(b.peer("a").received_bytes, 5u);
  EXPECT_FALSE(b.peer("a").dials);
  EXPECT_FALSE(b.link().status().encrypted);
  EXPECT_FALSE(a.link().status().listen);
}

TEST(Peers, ThreeOfThemByOneList) {
  PeersOptions c;
  c.host = "c";
  c.listen = local(0);
  c.peers = {{"a", local(1)}, {"b", local(1)}, {"c", local(1)}};
  Agent third(c);
  PeersOptions b = waits();
  b.peers = {{"a", local(1)}, {"b", local(1)}, {"c", local(third.port())}};
  Agent second(b);
  PeersOptions a = dials(second.port());
  a.peers = {{"b", local(second.port())}, {"c", local(third.port())}};
  Agent first(a);
  for (const char* host : {"a", "b"}) {
    ASSERT_TRUE(third.told(std::string("up ") + host));
    EXPECT_TRUE(third.link().send(host, "from", "c"));
  }
  EXPECT_TRUE(first.told("c from c"));
  EXPECT_TRUE(second.told("c from c"));
  ASSERT_TRUE(first.told("up b"));
  EXPECT_TRUE(first.link().send("b", "from", "a"));
  EXPECT_TRUE(second.told("a from a"));
}

TEST(Peers, ARestartOfEitherSideIsSeenAndMended) {
  auto b = std::make_unique<Agent>(waits());
  const std::uint16_t port = b->port();
  auto a = std::make_unique<Agent>(dials(port));
  ASSERT_TRUE(a->told("up b"));
  const std::uint64_t before = a->peer("b").instance;
  b.reset();
  ASSERT_TRUE(a->told("down b"));
  const auto sent = a->link().send("b", "n", "");
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().kind, Error::Kind::unreachable);
  b = std::make_unique<Agent>(waits(port));
  ASSERT_TRUE(a->told("up b", 2));
  EXPECT_NE(a->peer("b").instance, before);
  EXPECT_EQ(a->peer("b").connections, 2u);

  ASSERT_TRUE(b->told("up a"));
  a.reset();
  ASSERT_TRUE(b->told("down a"));
  EXPECT_EQ(b->peer("a").reason, "the agent there closed the connection");
  a = std::make_unique<Agent>(dials(port));
  ASSERT_TRUE(b->told("up a", 2));
  EXPECT_TRUE(b->link().send("a", "n", "again"));
  EXPECT_TRUE(a->told("b n again"));
}

TEST(Peers, SilenceIsSeenByBothAndNothingOldIsDelivered) {
  PeersOptions waiting = waits();
  waiting.limits.ping_interval = std::chrono::milliseconds(50);
  waiting.limits.dead_after = std::chrono::milliseconds(400);
  Agent b(waiting);
  test::TcpProxy proxy(b.port());
  PeersOptions dialing = dials(proxy.port());
  dialing.limits = waiting.limits;
  Agent a(dialing);
  ASSERT_TRUE(a.told("up b"));
  ASSERT_TRUE(b.told("up a"));
  proxy.hold(true);
  ASSERT_TRUE(a.link().send("b", "n", "never"));
  ASSERT_TRUE(a.told("down b"));
  ASSERT_TRUE(b.told("down a"));
  EXPECT_EQ(b.peer("a").reason,
            "it was silent for 400 ms (does its host run, and does the network between?)");
  proxy.hold(false);
  ASSERT_TRUE(a.told("up b", 2));
  ASSERT_TRUE(a.link().send("b", "n", "new"));
  ASSERT_TRUE(b.told("a n new"));
  EXPECT_EQ(b.lines(), (Lines{"up a", "down a", "up a", "a n new"}));
}

TEST(Peers, WhatIsTooMuchIsRefusedAndCounted) {
  PeersOptions waiting = waits();
  PeersOptions dialing = dials(0);
  dialing.limits.message_bytes = 1 << 20;
  dialing.limits.queue_bytes = 3 << 20;
  dialing.limits.dead_after = std::chrono::seconds(60);  // Silence isn't what this is about.
  Agent b(waiting);
  test::TcpProxy proxy(b.port());
  dialing.peers = {{"b", local(proxy.port())}};
  Agent a(dialing);
  const auto refused = [&](const std::string& host, std::string type, std::size_t size) {
    const auto done = a.link().send(host, type, std::string(size, 'x'));
    return done ? "" : done.error().text();
  };
  EXPECT_EQ(refused("c", "n", 0), "no peer `c` (add it to peers.hosts)");
  ASSERT_TRUE(a.told("up b"));
  EXPECT_EQ(refused("b", "", 0), "peer b: a message's type has 1 to 32 bytes");
  EXPECT_EQ(refused("b", std::string(33, 't'), 0), "peer b: a message's type has 1 to 32 bytes");
  EXPECT_EQ(refused("b", "n", (1 << 20) + 1),
            "peer b: a message of 1048577 bytes, 1048576 are allowed (send it in parts, or less of "
            "it)");
  EXPECT_EQ(a.peer("b").refused_messages, 3u);

  proxy.hold(true);  // What the kernel takes meanwhile is bounded, too.
  std::string full;
  for (int i = 0; i < 200 && full.empty(); ++i) full = refused("b", "n", 1 << 20);
  EXPECT_NE(full.find("bytes wait to be sent, 3145728 may (try again later)"), full.npos) << full;
  EXPECT_EQ(a.peer("b").refused_messages, 4u);
  EXPECT_LE(a.peer("b").queued_bytes, 3u << 20);
  proxy.hold(false);
  ASSERT_TRUE(a.becomes([&](const PeersStatus&) { return a.peer("b").queued_bytes == 0; }));
  ASSERT_TRUE(a.link().send("b", "n", "last"));
  EXPECT_TRUE(b.told("a n last"));
}

TEST(Peers, WhatWasQueuedForADeadPeerIsCountedAsLost) {
  Agent b(waits());
  test::TcpProxy proxy(b.port());
  PeersOptions dialing = dials(proxy.port());
  dialing.limits.dead_after = std::chrono::milliseconds(300);
  Agent a(dialing);
  ASSERT_TRUE(a.told("up b"));
  proxy.hold(true);
  while (a.link().send("b", "n", std::string(8 << 20, 'x'))) {
  }
  ASSERT_TRUE(a.told("down b"));
  const PeerStatus status = a.peer("b");
  EXPECT_GT(status.lost_messages, 0u);
  EXPECT_EQ(status.queued_bytes, 0u);
}

TEST(Peers, ASenderOfTooMuchIsRefusedByTheReceiver) {
  PeersOptions waiting = waits();
  waiting.limits.message_bytes = 1000;
  Agent b(waiting), a(dials(b.port()));
  ASSERT_TRUE(a.told("up b"));
  ASSERT_TRUE(a.link().send("b", "n", std::string(1001, 'x')));
  ASSERT_TRUE(a.told("down b"));
  ASSERT_TRUE(b.told("down a"));
}

TEST(Peers, WhoIsNotWantedIsToldWhy) {
  struct Case {
    const char* what;
    const char *host, *dialed;  // The dialer's name, and whom it expects.
    const char* by_dialer;      // What the dialer's status says.
    const char* by_listener;    // What the listener's says of its last refusal.
  };
  for (const Case& c : {
           Case{"a stranger", "aa", "b",
                "it refuses: `aa` is not among the peers of `b` (add it to peers.hosts there)",
                "a stranger at 127.0.0.1: `aa` is not among the peers of `b` (add it to "
                "peers.hosts there)"},
           Case{"a wrong name", "a", "bb",
                "the agent there calls itself `b`, not `bb` (correct peers.hosts, or `host` "
                "there)",
                ""},
       }) {
    Agent b(waits());
    PeersOptions dialing = dials(b.port());
    dialing.host = c.host;
    dialing.peers[0].host = c.dialed;
    Agent a(dialing);
    ASSERT_TRUE(a.is_refused(c.dialed)) << c.what;
    EXPECT_EQ(a.peer(c.dialed).reason, c.by_dialer) << c.what;
    EXPECT_EQ(a.lines(), Lines{}) << c.what;
    if (*c.by_listener == '\0') continue;
    EXPECT_TRUE(b.becomes([](const PeersStatus& s) { return s.refused_connections >= 2; }));
    EXPECT_EQ(b.link().status().last_refusal, c.by_listener) << c.what;
    EXPECT_EQ(b.peer("a").state, State::down) << c.what;
    EXPECT_EQ(b.peer("a").reason, "it has not dialed yet") << c.what;
  }
}

TEST(Peers, AFreePortIsNoAgent) {
  std::uint16_t port = 0;
  {
    const Agent gone(waits());
    port = gone.port();
  }
  Agent a(dials(port));
  ASSERT_TRUE(
      a.becomes([&](const PeersStatus&) { return a.peer("b").reason != "not reached yet"; }));
  EXPECT_EQ(a.peer("b").state, State::down);
  EXPECT_EQ(a.peer("b").reason,
            "no agent answers at 127.0.0.1: Connection refused (does vmirrord run there, with this "
            "peers.listen?)");
}

TEST(Peers, APortIsListenedOnByOne) {
  const Agent b(waits());
  const auto second = Peers::start(waits(b.port()), {});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind, Error::Kind::refused);
  EXPECT_NE(second.error().what.find("can't listen: Address already in use"), std::string::npos);
}

// ---- What a stranger's bytes do ----------------------------------------------------------------

/// A connection of the test's own, that speaks bytes.
class Raw {
 public:
  explicit Raw(std::uint16_t port) {
    socket_.connect({boost::asio::ip::address_v4::loopback(), port});
  }
  void say(const std::string& bytes) { boost::asio::write(socket_, boost::asio::buffer(bytes)); }
  PeerFrame hear() {
    for (;;) {
      const auto space = reader_.space();
      const std::size_t n = socket_.read_some(boost::asio::buffer(space.data(), space.size()));
      auto frame = reader_.filled(n);
      if (frame && *frame) return **frame;
    }
  }

 private:
  boost::asio::io_context io_;
  boost::asio::ip::tcp::socket socket_{io_};
  PeerFrameReader reader_;
};

TEST(Peers, StrangersBytesAreAnsweredInWords) {
  std::string other_version = encode(PeerHello{1, 1, 1, "a"});
  other_version[5] = 7;
  struct Case {
    const char* what;
    std::string bytes;
    const char* answer;
  };
  for (const Case& c : {
           Case{"another version", encode_peer_frame(PeerFrame::Kind::hello, other_version),
                "it speaks version 7 of the agents' protocol, `b` speaks version 1 (bring both to "
                "one version of vmirror)"},
           Case{"no hello", encode_peer_frame(PeerFrame::Kind::ping, encode_ping(1)),
                "it did not say who it is"},
           Case{"a browser", "GET / HTTP/1.1\r\n\r\n",
                "this is not the agents' protocol (does a vmirrord of this version listen there?)"},
           Case{"TLS", "\x16\x03\x01\x02",
                "it speaks TLS, this agent does not (set peers.tls on both hosts, or on neither)"},
       }) {
    Agent b(waits());
    Raw raw(b.port());
    raw.say(c.bytes);
    const PeerFrame answer = raw.hear();
    EXPECT_EQ(answer.kind, PeerFrame::Kind::bye) << c.what;
    EXPECT_EQ(answer.body, c.answer) << c.what;
    EXPECT_TRUE(b.becomes([](const PeersStatus& s) { return s.refused_connections == 1; }));
    EXPECT_EQ(b.lines(), Lines{}) << c.what;
  }
}

TEST(Peers, ANewerConnectionReplacesAnOlderOneAndNeverTheOtherWayRound) {
  Agent b(waits());
  const auto hello = [](std::uint64_t connection) {
    return encode_peer_frame(PeerFrame::Kind::hello, encode(PeerHello{1, 99, connection, "a"}));
  };
  const auto message = [](const char* body) {
    return encode_peer_head(PeerFrame::Kind::message, "n", 3) + body;
  };
  Raw first(b.port());
  first.say(hello(1) + message("one"));
  ASSERT_TRUE(b.told("a n one"));
  Raw third(b.port());
  third.say(hello(3) + message("two"));
  ASSERT_TRUE(b.told("a n two"));
  Raw late(b.port());
  late.say(hello(2) + message("old"));
  EXPECT_EQ(late.hear().body, "`a` has a newer connection");
  third.say(message("six"));
  ASSERT_TRUE(b.told("a n six"));
  EXPECT_EQ(b.lines(), (Lines{"up a", "a n one", "down a", "up a", "a n two", "a n six"}));
}

/// So many connections that say nothing, of one address of ours; one that was closed is made
/// again at once.
class Crowd {
 public:
  Crowd(std::uint16_t port, const char* from, std::size_t size) {
    thread_ = std::thread([this, port, from, size] {
      std::deque<Tcp::socket> sockets;
      while (!ends_) {
        for (auto& socket : sockets) {
          char byte = 0;
          boost::system::error_code error;
          socket.read_some(boost::asio::buffer(&byte, 1), error);
          if (error != boost::asio::error::would_block) socket.close();
        }
        std::erase_if(sockets, [](const auto& socket) { return !socket.is_open(); });
        while (sockets.size() < size && !ends_) {
          boost::system::error_code ignored;
          Tcp::socket& socket = sockets.emplace_back(io_, Tcp::v4());
          socket.bind({boost::asio::ip::make_address(from), 0}, ignored);
          socket.connect({boost::asio::ip::address_v4::loopback(), port}, ignored);
          socket.non_blocking(true, ignored);
          ++made_;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
      }
    });
  }
  ~Crowd() {
    ends_ = true;
    thread_.join();
  }
  bool is_there(std::size_t made) const {
    for (int i = 0; i < 3000 && made_ < made; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    return made_ >= made;
  }

 private:
  using Tcp = boost::asio::ip::tcp;
  boost::asio::io_context io_;
  std::atomic<bool> ends_ = false;
  std::atomic<std::size_t> made_ = 0;
  std::thread thread_;
};

TEST(Peers, StrangersThatSayNothingKeepNobodyOut) {
  for (const char* from :
       {"127.0.0.2", "127.0.0.1"}) {  // Elsewhere, and at the peer's own address.
    SCOPED_TRACE(from);
    PeersOptions waiting = waits();
    waiting.limits.dead_after = std::chrono::minutes(2);  // Nobody's time is over meanwhile.
    Agent b(waiting);
    const Crowd crowd(b.port(), from, 40);
    ASSERT_TRUE(crowd.is_there(100));
    Agent a(dials(b.port()));
    // Until b has read its greeting, a is a stranger itself, may have to give way, and dials again.
    ASSERT_TRUE(b.told("up a"));
    ASSERT_TRUE(a.becomes([&](const auto&) { return a.link().send("b", "n", "1").has_value(); }));
    EXPECT_TRUE(b.told("a n 1"));
    EXPECT_GT(b.link().status().refused_connections, 20U);
    EXPECT_NE(b.link().status().last_refusal.find(from), std::string::npos);
  }
}

TEST(Slots, WhoGivesWay) {
  struct Case {
    const char* what;
    std::vector<char> taken;
    char origin;
    std::optional<std::size_t> place;
  };
  for (const Case& c : {Case{"nobody is there", {}, 'a', std::nullopt},
                        Case{"there is room", {'a', 'b'}, 'a', std::nullopt},
                        Case{"its share is used up", {'b', 'a', 'a'}, 'a', 1},
                        Case{"all is, by others", {'b', 'c', 'c', 'd'}, 'a', 1},
                        Case{"all is, by it too", {'b', 'a', 'c', 'c'}, 'a', 2}})
    EXPECT_EQ(gives_way(c.taken, c.origin, {.all = 4, .each = 2}), c.place) << c.what;
  EXPECT_EQ(gives_way<char>({}, 'a', {.all = 0, .each = 0}), std::nullopt);
}

TEST(Peers, WhatIsNotWorkedOffIsReadNoFaster) {
  PeersOptions waiting = waits();
  waiting.limits.waiting_messages = 8;
  waiting.limits.messages_a_second = 100;  // After the first 200 of the 300, some wait for a while.
  std::mutex mutex;
  std::vector<PeerBody> kept;
  bool keep = true;
  std::string read;
  PeersHandlers handlers;
  handlers.on_message = [&](const std::string&, const std::string&, PeerBody body) {
    const std::lock_guard lock(mutex);
    read += body.bytes;
    if (keep) kept.push_back(std::move(body));
  };
  auto b = *Peers::start(waiting, std::move(handlers));
  Agent a(dials(b->status().listen->port));
  ASSERT_TRUE(a.told("up b"));
  std::string sent;
  for (int i = 0; i < 300; ++i) {
    sent += static_cast<char>('a' + i % 26);
    ASSERT_TRUE(a.link().send("b", "n", sent.substr(sent.size() - 1)));
  }
  ASSERT_TRUE(a.becomes([&](const PeersStatus&) { return a.peer("b").sent_messages == 300; }));
  const auto size = [&] {
    const std::lock_guard lock(mutex);
    return kept.size();
  };
  for (int i = 0; i < 3000 && size() < 8; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  ASSERT_TRUE(a.becomes([&](const PeersStatus&) { return a.peer("b").rtt.has_value(); }));
  EXPECT_EQ(size(), 8U) << "as many as may wait";
  std::vector<PeerBody> worked_off;
  {
    const std::lock_guard lock(mutex);
    keep = false;
    worked_off.swap(kept);
  }
  worked_off.clear();
  for (int i = 0; i < 3000; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    const std::lock_guard lock(mutex);
    if (read.size() == 300) break;
  }
  const std::lock_guard lock(mutex);
  EXPECT_EQ(read, sent);
  EXPECT_TRUE(a.told("up b", 1));
  EXPECT_EQ(a.lines().size(), 1U) << "the link stayed up";
}

TEST(Peers, AMessageIsBoundedByItsType) {
  PeersOptions waiting = waits();
  waiting.most_bytes = {{"n", 100}};
  Agent b(waiting), a(dials(b.port()));
  ASSERT_TRUE(a.told("up b"));
  ASSERT_TRUE(a.link().send("b", "n", std::string(100, 'x')));
  ASSERT_TRUE(a.link().send("b", "unknown", std::string(65536, 'x')));
  ASSERT_TRUE(b.told("a unknown 65536 bytes"));
  ASSERT_TRUE(a.link().send("b", "n", std::string(101, 'x')));
  ASSERT_TRUE(b.told("down a"));
  EXPECT_EQ(b.lines().size(), 4U);
  ASSERT_TRUE(a.told("up b", 2));
  ASSERT_TRUE(a.link().send("b", "unknown", std::string(65537, 'x')));
  EXPECT_TRUE(b.told("down a", 2));
}

TEST(Peers, ManyThreadsMaySend) {
  Agent b(waits()), a(dials(b.port()));
  ASSERT_TRUE(a.told("up b"));
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) {
        EXPECT_TRUE(a.link().send("b", "n", "x"));
        (void)a.link().status();
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(b.told("a n x", 800));
}

}  // namespace
}  // namespace vmirror
