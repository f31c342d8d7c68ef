// What agents tell each other of the sensor's sources, over a real link; and what becomes of a
// decision, with libvirt's built-in test driver, which has a guest `test` and can't migrate it.
#include "agent/control/follow/sensor_follower.hpp"

#include <gtest/gtest.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

namespace vmirror {
namespace {

constexpr std::chrono::seconds kPatience{30};
constexpr const char* kTestUuid = "6695eb01-f6a4-8304-79aa-97f2502e193f";  // The guest `test`.

Policy policy(Policy::Sensor sensor) {
  Policy out;
  out.name = "watch";
  out.select.emplace_back().vm = "dc*";
  out.sensor = sensor;
  return out;
}
const std::vector<Policy> kFollow{policy(Policy::Sensor::follow)};

/// A host with these guests' ports.
ControlSnapshot ports(const std::vector<std::string>& guests,
                      Presence presence = Presence::active) {
  ControlSnapshot out;
  for (const std::string& guest : guests) {
    LocationStatus is;
    is.at.presence = presence;
    is.at.vm_name = guest;
    is.at.vm_uuid = "uuid-" + guest;
    out.locations.set({"br0", "tap-" + guest}, is);
  }
  return out;
}

SensorFollowerOptions options(const std::string& host, const std::string& other) {
  return {.host = host,
          .sensor = "dc-sensor",
          .follow = {.settle = kSecond, .spacing = kSecond},
          .peers = {other},
          .libvirt = {{other, "qemu+tcp://127.0.0.1:1/system"}}};
}

PeersOptions link(const std::string& host, const std::string& other, std::uint16_t port) {
  PeersOptions out;
  out.host = host;
  if (host > other) out.listen = *PeerEndpoint::parse("127.0.0.1:0");
  out.peers = {{host, *PeerEndpoint::parse("127.0.0.1:1")},  // Its own; passed over.
               {other, *PeerEndpoint::parse("127.0.0.1:" + std::to_string(port))}};
  return out;
}

/// One agent, as agent/app/wiring.cpp makes it.
struct Agent {
  Agent(boost::asio::io_context& io, const std::string& host, const std::string& other,
        std::uint16_t port) {
    const auto later = [this, &io](auto call) {
      boost::asio::post(io, [this, call] { call(*follower); });
    };
    PeersHandlers handlers;
    handlers.on_message = [=, this](const std::string& host, const std::string& type,
                                    std::string body) {
      if (type == SensorFollower::kMessage)
        later([=, this](SensorFollower& f) { f.on_message(host, body, now()); });
    };
    handlers.on_up = [=, this](const std::string& host) {
      later([=, this](SensorFollower& f) { f.on_peer_up(host, now()); });
    };
    handlers.on_down = [=](const std::string& host, const std::string&) {
      later([=](SensorFollower& f) { f.on_peer_down(host); });
    };
    peers = std::move(*Peers::start(link(host, other, port), std::move(handlers)));
    follower = std::make_unique<SensorFollower>(io, options(host, other), nullptr, peers.get());
  }
  std::uint16_t port() const { return peers->status().listen->port; }
  boost::json::value sources(const std::string& host) const {
    return follower->status(now()).at("sources").as_object().at(host);
  }
  std::int64_t moves() const {
    return follower->status(now()).at("moves_in_an_hour").to_number<std::int64_t>();
  }
  void look(const ControlSnapshot& control, const std::vector<Policy>& policies = kFollow) {
    follower->look(control, policies, {}, now());
  }
  Time now() const { return wall_clock() + ahead; }

  Time ahead = 0;  ///< The host's clock.

  std::unique_ptr<SensorFollower> follower;
  std::unique_ptr<Peers> peers;  // The last: its thread uses the rest.
};

struct SensorFollowerTest : testing::Test {
  template <typename Condition>
  bool becomes(Condition condition) {
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (!condition() && std::chrono::steady_clock::now() < end)
      io.run_one_for(std::chrono::milliseconds(100));
    return condition();
  }
  boost::asio::io_context io{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> stay{io.get_executor()};
};

TEST_F(SensorFollowerTest, AgentsTellEachOtherTheirSources) {
  Agent b(io, "b", "a", 1);
  b.look(ports({"dc1", "web", "dc-sensor"}));  // One that is followed; before there is a link.
  EXPECT_TRUE(b.sources("a").is_null());
  {
    Agent a(io, "a", "b", b.port());
    EXPECT_TRUE(becomes([&] { return a.sources("b") == 1; }));
    EXPECT_TRUE(b.sources("a").is_null()) << "it has not looked yet";
    a.look(ports({"dc2", "dc3"}));
    EXPECT_TRUE(becomes([&] { return b.sources("a") == 2; }));
    a.look(ports({"dc2", "dc3"}, Presence::incoming));
    EXPECT_TRUE(becomes([&] { return b.sources("a") == 0; })) << "they have not come yet";
    b.look(ports({"dc1"}), {policy(Policy::Sensor::stay)});
    EXPECT_TRUE(becomes([&] { return a.sources("b") == 0; })) << "nobody is followed";
    a.peers.reset();
    EXPECT_TRUE(becomes([&] { return b.sources("a").is_null(); })) << "unknown is not empty";
  }
}

/// A host whose clock is set back knows of a migration that is yet to come: it is the one that the
/// others know, and is told as such.
TEST_F(SensorFollowerTest, AClockThatIsSetBackMakesNoMoves) {
  Agent b(io, "b", "a", 1);
  Agent a(io, "a", "b", b.port());
  a.ahead = 7200 * kSecond;
  const auto look = [&](const std::vector<std::string>& guests) {
    a.look(ports(guests));
    EXPECT_TRUE(becomes([&] { return b.sources("a") == guests.size(); }));
    b.look(ports(guests));
    EXPECT_TRUE(becomes([&] { return a.sources("b") == guests.size(); }));
  };
  b.look({});
  ASSERT_TRUE(becomes([&] { return a.sources("b") == 0; }));
  a.follower->on_message("c", R"({"sources": [], "moved_ms_ago": [100000]})", a.now());
  look({"dc1"});
  ASSERT_EQ(b.moves(), 1);
  a.ahead = 0;
  for (int i = 0; i < 10; ++i) {
    look(i % 2 == 0 ? std::vector<std::string>{"dc1", "dc2"} : std::vector<std::string>{"dc1"});
    a.ahead += kSecond;
    b.ahead += kSecond;
  }
  EXPECT_LE(a.moves(), 2) << "by how much the clock was set back is known to a second";
  EXPECT_LE(b.moves(), 2);
}

TEST_F(SensorFollowerTest, APolicyThatExpiredFollowsNobody) {
  Agent b(io, "b", "a", 1);
  std::vector<Policy> expired = kFollow;
  expired[0].expires = wall_clock() - kSecond;
  b.look(ports({"dc1"}), expired);
  EXPECT_EQ(b.sources("b"), 0);
}

TEST_F(SensorFollowerTest, WhatIsNoMessageIsPassedOver) {
  Agent b(io, "b", "a", 1);
  const Time now = wall_clock();
  struct Case {
    const char* body;
    boost::json::value sources;
    int moves;
  };
  for (const Case& c : {
           Case{"", nullptr, 0}, Case{"[]", nullptr, 0}, Case{R"({"sources": 3})", nullptr, 0},
           Case{R"({"sources": []})", 0, 0},
           Case{R"({"sources": [1, {}, {"vm": "x"}, {"vm": 1, "here_ms": 5}]})", 0, 0},
           Case{R"({"sources": [{"vm": "x", "here_ms": -5}]})", 0, 0},
           Case{R"({"sources": [{"vm": "x", "here_ms": 9223372036854775807}]})", 0, 0},
           Case{R"({"sources": [{"vm": "x", "here_ms": 5}], "moved_ms_ago": ["x", -1]})", 1, 0},
           Case{R"({"sources": [], "moved_ms_ago": [7200000, 60000, 5000]})", 0, 2},
           Case{R"({"sources": [], "moved_ms_ago": [59990, 5010]})", 0, 2},  // The same two again.
       }) {
    b.follower->on_message("a", c.body, now);
    EXPECT_EQ(b.sources("a"), c.sources) << c.body;
    EXPECT_EQ(b.follower->status(now).at("moves_in_an_hour"), c.moves) << c.body;
  }
}

/// The sensor runs here, and its source is on b: by its name or its UUID.
TEST_F(SensorFollowerTest, AMigrationThatFailsIsToldAndPutOff) {
  for (const std::string name : {"test", kTestUuid}) {
    SensorFollowerOptions here = options("a", "b");
    here.sensor = name;
    LibvirtOptions options;
    options.uri = "test:///default";
    const auto libvirt = Libvirt::start(std::move(options));
    ASSERT_TRUE(becomes([&] { return !libvirt->guests()->error; }));
    SensorFollower follower(io, here, libvirt.get(), nullptr);
    const auto says = [&](Time now) {
      follower.look({}, kFollow, {}, now);
      return std::string(follower.status(now).at("decision").as_string());
    };
    const Time begin = wall_clock();
    EXPECT_EQ(says(begin), "stays: no policy has a guest for it to follow");
    follower.on_message("b", R"({"sources": [{"vm": "dc1", "here_ms": 900}]})", begin);
    EXPECT_EQ(says(begin), "stays: b has had its sources for 0 s only");
    EXPECT_EQ(says(begin + kSecond / 2), "stays: the sensor has been here for 0 s only");
    const std::string goes = "migrates to b: 1 of 1 sources are on b since 1 s";
    EXPECT_EQ(says(begin + kSecond), goes);
    EXPECT_EQ(says(begin + 2 * kSecond), goes) << "one at a time";
    ASSERT_TRUE(becomes([&] { return !follower.status(begin).at("error").is_null(); }));
    EXPECT_EQ(says(wall_clock() + 2 * kSecond), "stays: its last migration failed");
    const auto status = follower.status(wall_clock());
    EXPECT_EQ(status.at("moves_in_an_hour"), 1);
    EXPECT_NE(status.at("error").as_string().find("qemu+tcp://127.0.0.1:1/system"),
              std::string::npos)
        << status.at("error");
  }
}

TEST_F(SensorFollowerTest, StaysWhereThereIsNoWayToTheOtherHost) {
  SensorFollowerOptions here = options("a", "b");
  here.sensor = "test";
  here.libvirt.clear();
  LibvirtOptions options;
  options.uri = "test:///default";
  const auto libvirt = Libvirt::start(std::move(options));
  ASSERT_TRUE(becomes([&] { return !libvirt->guests()->error; }));
  SensorFollower follower(io, here, libvirt.get(), nullptr);
  const Time now = wall_clock();
  follower.look({}, kFollow, {}, now);
  follower.on_message("b", R"({"sources": [{"vm": "dc1", "here_ms": 5000}]})", now);
  follower.look({}, kFollow, {}, now + kSecond);
  EXPECT_EQ(follower.status(now).at("decision"),
            "stays: 1 of 1 sources are on b since 6 s, but `peers` names no libvirt of b");
}

}  // namespace
}  // namespace vmirror
