// How far a session through a tunnel is proven: each test is the story of one session, told by what
// the switch and the collector count, second by second.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "agent/control/reconcile/judge.hpp"
#include "tests/unit/agent/control/reconcile/one_session.hpp"

namespace vmirror {
namespace {

IpAddress ip(const char* text) {
  return *IpAddress::parse(text);
}

/// One session, vnet0@erspan-192.0.2.9, on br0 of the userspace datapath; the tunnel's packets
/// leave through br-wan, whose port eth1 leads to the collector. The switch writes its counters
/// every 5 s.
struct TunnelStory {
  TunnelStory() {
    Session s;
    s.name = "vnet0@erspan";
    s.target = ErspanTarget{ip("192.0.2.9"), 2, 7};
    test::serve_by_one_mirror(s, 7, resolved, realisation, observed);

    Switch& sw = observed.switches["br0"];
    sw.datapath = Datapath::userspace;
    sw.mirrors["m"].copied_bytes = 0;
    add("br0", "vnet0").mtu = 1500;
    Port& out = add("br0", "out");
    out.owned = true;
    out.type = "erspan";
    out.tunnel = TunnelEnd{"192.0.2.9", 7};
    out.egress = "br-wan";
    out.carrier = true;
    observed.switches["br-wan"].name = "br-wan";
    observed.switches["br-wan"].datapath = Datapath::userspace;
    add("br-wan", "br-wan").mtu = 9000;
    add("br-wan", "eth1");
    observed.own_addresses = {ip("192.0.2.1")};
  }

  Port& add(const std::string& on, const std::string& name) {
    Port& port = observed.switches[on].ports[name];
    port.name = port.id = name;
    port.counters = PortCounters{};
    return port;
  }
  Port& port(const std::string& on, const std::string& name) {
    return observed.switches[on].ports[name];
  }
  Port& out() { return port("br0", "out"); }

  /// The guest sends so many frames of 100 bytes, all copied; `left` of the copies leave the host,
  /// and `came` are received.
  void talk(std::uint64_t frames, std::uint64_t left, std::uint64_t came) {
    port("br0", "vnet0").counters->out_frames += frames;
    Mirror& m = observed.switches["br0"].mirrors.at("m");
    *m.copied_frames += frames;
    *m.copied_bytes += frames * 100 + std::min(left, frames) * 50;
    out().counters->in_frames += frames + left;  // Open vSwitch counts what leaves twice.
    leaves(left, 150);
    received += came;
  }
  void leaves(std::uint64_t frames, std::uint64_t bytes_each) {
    port("br-wan", "eth1").counters->in_frames += frames;
    port("br-wan", "eth1").counters->in_bytes += frames * bytes_each;
  }
  void talk(std::uint64_t frames) { talk(frames, frames, frames); }

  /// A collector that is one of us, and tells.
  void link(bool linked) {
    collector.host = "c1";
    collector.linked = linked;
    collector.since = now;
  }
  std::string second() {
    now += kSecond;
    if (!collector.host.empty()) {
      if (collector.linked) {
        collector.told_at = now;
        collector.report.sessions[{Encapsulation::erspan2, 7, sender}].received = received;
      }
      collectors[ip("192.0.2.9")] = std::make_shared<const Collector>(collector);
    }
    tracks = judge(
        tracks, {resolved, realisation, observed, evidence, std::nullopt, std::nullopt, collectors},
        now);
    return state_text(tracks.at(0).status);
  }
  /// Five seconds, at whose begin the switch wrote what `talk` told.
  std::string seconds(int n = 5) {
    std::string out;
    for (int i = 0; i < n; ++i) out = second();
    return out;
  }
  const SessionStatus& status() const { return tracks.at(0).status; }

  Resolved resolved;
  Realisation realisation;
  Observed observed;
  Evidence evidence;
  Collectors collectors;
  Collector collector;
  IpAddress sender = ip("192.0.2.1");
  std::uint64_t received = 0;
  std::vector<Track> tracks;
  Time now = 1000 * kSecond;
};

TEST(Tunnel, ASilentGuestIsReady) {
  TunnelStory s;
  EXPECT_EQ(s.seconds(), "ready");
}

TEST(Tunnel, ANextHopThatDoesNotAnswerTheKernelGetsNothing) {
  TunnelStory s;
  s.observed.switches["br0"].datapath = Datapath::kernel;
  s.seconds(8);
  s.talk(20);
  EXPECT_EQ(s.seconds(), "active (sent)");
  s.observed.silent = {ip("192.0.2.9")};
  EXPECT_NE(s.second(), "failed") << "the kernel may be asking just now";
  EXPECT_EQ(s.seconds(), "failed");
  EXPECT_NE(s.status().reason.find("192.0.2.9, or the gateway to it, does not answer ARP"),
            std::string::npos)
      << s.status().reason;
  s.observed.silent = {ip("192.0.2.8")};
  s.talk(20);
  EXPECT_EQ(s.seconds(), "active (sent)");
}

TEST(Tunnel, SentOnceWhatTheTunnelWasGivenLeft) {
  TunnelStory s;
  s.seconds(8);
  s.talk(20);
  EXPECT_EQ(s.seconds(), "active, not proven") << "one writing can have too much";
  s.talk(20);
  EXPECT_EQ(s.seconds(), "active (sent)");
  s.talk(20, 2, 0);  // The edge of a burst: some were counted later.
  EXPECT_EQ(s.seconds(), "active (sent)");
  s.talk(20, 38, 0);
  EXPECT_EQ(s.seconds(), "active (sent)");
  EXPECT_EQ(s.seconds(60), "active (sent)") << "a silent guest proves nothing else";
}

TEST(Tunnel, WhatNeverLeavesIsNotProvenAndThenFailed) {
  TunnelStory s;
  s.seconds(8);
  s.talk(20, 1, 0);
  EXPECT_EQ(s.seconds(), "active, not proven");
  s.talk(20, 1, 0);
  EXPECT_EQ(s.seconds(), "active, not proven");
  for (int i = 0; i < 3; ++i) {
    s.talk(20, 1, 0);
    s.seconds();
  }
  EXPECT_EQ(state_text(s.status()), "failed");
  EXPECT_NE(s.status().reason.find("answer ARP"), std::string::npos) << s.status().reason;
  s.talk(20, 12, 12);
  EXPECT_EQ(s.seconds(), "active, not proven") << "somebody answers, since some time in between";
  s.talk(20);
  s.seconds();
  s.talk(20);
  EXPECT_EQ(s.seconds(), "active (sent)");
}

/// A writing that read the bridge's own port before the port behind it has a frame of the host's
/// own in the latter's count alone.
TEST(Tunnel, WhatTheHostSendsBetweenTwoReadingsIsNoProof) {
  TunnelStory s;
  s.seconds(8);
  for (int i = 0; i < 8; ++i) {
    s.port("br0", "vnet0").counters->out_frames += 2;
    Mirror& m = s.observed.switches["br0"].mirrors.at("m");
    *m.copied_frames += 2;
    *m.copied_bytes += std::uint64_t{2} * 42;
    s.out().counters->in_frames += 2;
    s.leaves(2, 42);
    s.leaves(1, 60);
    EXPECT_NE(s.seconds(), "active (sent)") << i;
  }
}

/// For each copy whose next hop is not known the switch asks: a frame as short as a guest's ARP.
TEST(Tunnel, AskingForTheNextHopIsNoProof) {
  for (const std::uint64_t flooded : {1, 4}) {
    TunnelStory s;
    s.seconds(8);
    s.port("br0", "vnet0").counters->out_frames += 2;
    Mirror& m = s.observed.switches["br0"].mirrors.at("m");
    *m.copied_frames += 2;
    *m.copied_bytes += std::uint64_t{2} * 42;
    s.out().counters->in_frames += 2;
    s.leaves(2 * flooded, 42);
    EXPECT_EQ(s.seconds(), "active, not proven") << flooded;
    s.talk(20, 0, 0);
    s.leaves(20 * flooded, 42);
    EXPECT_EQ(s.seconds(), "active, not proven") << flooded;
    s.talk(20);
    s.seconds();
    s.talk(20);
    EXPECT_EQ(s.seconds(), "active (sent)") << flooded;
  }
}

TEST(Tunnel, WhatTheHostItselfSendsIsNoProof) {
  TunnelStory s;
  s.seconds(8);
  s.talk(20, 0, 0);
  s.port("br-wan", "br-wan").counters->out_bytes += 50000;
  s.port("br-wan", "eth1").counters->in_bytes += 50000;
  EXPECT_EQ(s.seconds(), "active, not proven");
  for (int i = 0; i < 2; ++i) {
    s.talk(20);
    s.seconds();
  }
  s.talk(20);
  EXPECT_EQ(s.seconds(), "active (sent)") << "of which no writing has the 50,000 bytes";
}

TEST(Tunnel, WhichOfTwoCollectorsGetsNothingCantBeTold) {
  TunnelStory s;
  s.seconds(8);
  Port& other = s.add("br0", "other");
  other.type = "gre";
  other.tunnel = TunnelEnd{"192.0.2.10", {}};
  other.egress = "br-wan";
  for (int i = 0; i < 8; ++i) {
    s.talk(20);
    other.counters->in_bytes += 6000;
    s.seconds();
  }
  EXPECT_EQ(state_text(s.status()), "active, not proven");
}

TEST(Tunnel, NoWayOutIsAFaultAfterAMoment) {
  const struct {
    const char* name;
    void (*change)(TunnelStory&);
    const char *state, *reason;
  } cases[] = {
      {"no route", [](TunnelStory& s) { s.out().egress.clear(); }, "failed",
       "no route to 192.0.2.9"},
      {"no carrier", [](TunnelStory& s) { s.out().carrier = false; }, "failed", "has no carrier"},
      {"no bridge", [](TunnelStory& s) { s.out().egress = "eth7"; }, "failed",
       "no port of a bridge"},
      {"a bridge of the kernel",
       [](TunnelStory& s) { s.observed.switches["br-wan"].datapath = Datapath::kernel; }, "failed",
       "no port of a bridge"},
      {"the kernel routes by itself",
       [](TunnelStory& s) {
         s.observed.switches["br0"].datapath = Datapath::kernel;
         s.out().egress.clear();
       },
       "active, not proven", "knows no route"},
      {"the kernel sends through any device",
       [](TunnelStory& s) {
         s.observed.switches["br0"].datapath = Datapath::kernel;
         s.out().egress = "eth7";
       },
       "active (sent)", "out through eth7"},
  };
  for (const auto& c : cases) {
    TunnelStory s;
    c.change(s);
    EXPECT_NE(s.second(), "failed") << c.name << ": the switch tells a moment later";
    s.seconds(8);
    s.talk(20);
    s.seconds();
    s.talk(20);
    EXPECT_EQ(s.seconds(), c.state) << c.name;
    EXPECT_NE(s.status().reason.find(c.reason), std::string::npos)
        << c.name << ": " << s.status().reason;
  }
}

TEST(Tunnel, DeliveredWhenTheCollectorsCountMovesWithThePorts) {
  TunnelStory s;
  s.link(true);
  s.seconds(8);
  s.talk(20);
  EXPECT_EQ(s.seconds(), "active (delivered)");
  s.talk(20);
  EXPECT_EQ(s.seconds(), "active (delivered)");
  s.collector.linked = false;
  EXPECT_EQ(s.second(), "active (sent)");
  EXPECT_NE(s.status().reason.find("agent of c1, the collector, is not linked"), std::string::npos);
  s.talk(20);
  EXPECT_EQ(s.seconds(), "active (sent)");
  s.received = 0;  // It was started again.
  s.link(true);
  s.seconds(8);
  s.talk(20);
  EXPECT_EQ(s.seconds(), "active (delivered)");
}

TEST(Tunnel, CountsThatStandStillWhileCopiesLeaveAreAFault) {
  TunnelStory s;
  s.link(true);
  s.seconds(8);
  s.talk(20);
  s.seconds();
  s.talk(20, 20, 0);
  EXPECT_EQ(s.seconds(), "failed");
  EXPECT_NE(s.status().reason.find("received 0 of 20 copies"), std::string::npos)
      << s.status().reason;
  s.talk(20);
  EXPECT_EQ(s.seconds(), "active (delivered)");
}

TEST(Tunnel, AFewCopiesThatDoNotComeAreNoFaultAtOnce) {
  TunnelStory s;
  s.link(true);
  s.seconds(8);
  s.talk(3, 3, 0);
  EXPECT_EQ(s.seconds(), "active, not proven");
  for (int i = 0; i < 3; ++i) {
    s.talk(3, 3, 1);
    s.seconds();
  }
  EXPECT_EQ(state_text(s.status()), "failed") << s.status().reason;
}

TEST(Tunnel, AFewThatAreLostAgainAndAgainAreSeen) {
  TunnelStory s;
  s.link(true);
  s.seconds(8);
  // 5 of 100 are lost; each window of the collector's has 20 of the next window's frames, too.
  s.received = 20;
  std::set<std::string> seen;
  for (int i = 0; i < 12; ++i) {
    s.talk(100, 100, 95);
    seen.insert(s.seconds());
  }
  EXPECT_EQ(seen.size(), 2u);
  EXPECT_EQ(state_text(s.status()), "active (sent)") << s.status().reason;
  for (int i = 0; i < 14; ++i) {
    s.talk(100);
    s.seconds();
  }
  EXPECT_EQ(state_text(s.status()), "active (delivered)") << s.status().reason;
}

TEST(Tunnel, CopiesOfAnotherSenderAreNotOurs) {
  TunnelStory s;
  s.sender = ip("192.0.2.66");
  s.link(true);
  s.seconds(8);
  s.talk(20);
  s.seconds();
  s.talk(20);
  EXPECT_EQ(s.seconds(), "active (sent)");
  EXPECT_NE(s.status().reason.find("from 192.0.2.66"), std::string::npos) << s.status().reason;
  s.observed.own_addresses.clear();  // The agent is elsewhere: the only sender is taken for ours.
  s.seconds(8);
  s.talk(20);
  EXPECT_EQ(s.seconds(), "active (delivered)");
}

TEST(WayOut, HeadersOfEachEncapsulation) {
  const IpAddress v4 = ip("192.0.2.9"), v6 = ip("2001:db8::9");
  const struct {
    Target target;
    std::uint32_t bytes;
  } cases[] = {
      {ErspanTarget{v4, 2, {}}, 36}, {ErspanTarget{v4, 3, {}}, 40}, {ErspanTarget{v6, 2, {}}, 56},
      {ErspanTarget{v6, 3, {}}, 60}, {GreTarget{v4, {}}, 24},       {GreTarget{v4, 7}, 28},
      {GreTarget{v6, {}}, 44},       {GreTarget{v6, 7}, 48},        {LocalTarget{}, 0},
      {RspanTarget{100}, 0},
  };
  for (const auto& c : cases) EXPECT_EQ(overhead_of(c.target), c.bytes) << to_text(c.target);
}

TEST(WayOut, WarnsWhereTheLongestCopyDoesNotFit) {
  const IpAddress v4 = ip("192.0.2.9"), v6 = ip("2001:db8::9");
  const struct {
    const char* name;
    Target target;
    std::uint32_t source, path;
    std::optional<std::uint16_t> vlan;
    std::uint32_t snaplen;
    const char* words;  ///< Null: no warning.
  } cases[] = {
      {"1500 and 1500", ErspanTarget{v4, 2, {}}, 1500, 1500, {}, 0, "need an MTU of 1550"},
      {"just enough", ErspanTarget{v4, 2, {}}, 1500, 1550, {}, 0, nullptr},
      {"one too few", ErspanTarget{v4, 2, {}}, 1500, 1549, {}, 0, "more than 1513 bytes"},
      {"a VLAN's tag is copied, too", ErspanTarget{v4, 2, {}}, 1500, 1550, 10, 0, "1554"},
      {"type III", ErspanTarget{v4, 3, {}}, 1500, 1550, {}, 0, "1554"},
      {"over IPv6", ErspanTarget{v6, 2, {}}, 1500, 1550, {}, 0, "1570"},
      {"GRE", GreTarget{v4, {}}, 1500, 1500, {}, 0, "1538"},
      {"GRE with a key", GreTarget{v4, 7}, 1500, 1538, {}, 0, "1542"},
      {"jumbo frames", GreTarget{v6, 7}, 9000, 9000, {}, 0, "9062"},
      {"cut frames", ErspanTarget{v4, 2, {}}, 1500, 1500, {}, 1464, nullptr},
      {"cut, but not enough", ErspanTarget{v4, 2, {}}, 1500, 1500, {}, 1465, "1501"},
  };
  for (const auto& c : cases) {
    Session s;
    s.port = "vnet0";
    s.target = c.target;
    s.snaplen = c.snaplen;
    Port source, output;
    source.mtu = c.source;
    source.vlan = c.vlan;
    output.egress = "eth0";
    Underlay underlay;
    underlay.mtu = c.path;
    Switch on;
    const auto warning = path_warning(s, source, on, output, underlay);
    EXPECT_EQ(warning.has_value(), c.words != nullptr) << c.name << ": " << warning.value_or("");
    if (!c.words || !warning) continue;
    EXPECT_NE(warning->find(c.words), std::string::npos) << c.name << ": " << *warning;
    EXPECT_NE(warning->find("snaplen"), std::string::npos) << c.name;
    on.datapath = Datapath::userspace;
    EXPECT_EQ(path_warning(s, source, on, output, underlay)->find("snaplen"), std::string::npos)
        << "it is refused there";
    output.egress.clear();
    EXPECT_FALSE(path_warning(s, source, on, output, underlay)) << "the way is not known";
  }
}

}  // namespace
}  // namespace vmirror
