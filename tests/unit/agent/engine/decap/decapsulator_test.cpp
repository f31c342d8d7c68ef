#include <gtest/gtest.h>

#include "agent/engine/decap/decap.hpp"
#include "tests/support/encapsulate.hpp"

namespace vmirror {
namespace {

using namespace test;
using Status = Decapsulated::Status;

/// A decapsulator and what it made of the last frame.
struct Bench {
  explicit Bench(DecapOptions options = {}) : decapsulator(std::move(options)) {}
  Decapsulated take(Bytes frame, Time time = 0) {
    const Frame f = frame_of(frame, time);
    return decapsulator.take(f, parse_packet(f.bytes, f.link));
  }
  Decapsulated take(const Frame& f) {
    return decapsulator.take(f, parse_packet(f.bytes, f.link, f.stripped));
  }
  Decapsulator decapsulator;
};

Buffer bytes_of(const Decapsulated& d) {
  return {d.frame.bytes.begin(), d.frame.bytes.end()};
}
std::string ending(const Decapsulated& d) {
  if (d.status == Status::frame) return "frame";
  if (d.status == Status::held) return "held";
  return to_text(d.drop);
}
Buffer over_gre(const Gre& header, Bytes payload) {
  return outer_frame({}, ip_protocol::kGre, gre(header, payload));
}
Buffer over_udp(std::uint16_t port, Bytes payload) {
  return udp_frame({.destination_port = port}, payload);
}
const Buffer kGuest = udp_frame({.tags = {{0x8100, 12}}}, counting(60));

TEST(Decapsulator, GivesBackTheFrameOfEveryWrapping) {
  const Buffer guests[] = {kGuest, ping_frame({}), udp_frame({}, counting(1400)),
                           tcp_frame({.source = ip("fe80::1"), .destination = ip("fe80::2")}),
                           llc(0x42, 0x42, 3, counting(35))};
  for (const Wrapping& w : wrappings()) {
    for (const Buffer& guest : guests) {
      Bench bench({.rspan_vlan = kRspanVlan});
      const auto copies = w.wrap(guest, 7);
      if (copies.empty()) continue;
      Decapsulated out;
      for (const Buffer& copy : copies) {
        out = bench.take(copy);
        if (&copy != &copies.back()) {
          EXPECT_EQ(ending(out), "held") << w.name;
        }
      }
      ASSERT_EQ(ending(out), "frame") << w.name << " " << to_text(out.error);
      EXPECT_EQ(out.frames, copies.size()) << w.name;
      EXPECT_EQ(out.origin.encapsulation, w.encapsulation) << w.name;
      const Buffer expected = w.keeps_link ? guest : ip_part(guest);
      EXPECT_EQ(bytes_of(out), expected) << w.name;
      EXPECT_EQ(out.frame.wire_size, expected.size()) << w.name;
      EXPECT_EQ(out.frame.link, w.keeps_link ? LinkType::ethernet : LinkType::ip) << w.name;
      EXPECT_EQ(out.packet.protocol, parse_packet(guest, LinkType::ethernet).protocol) << w.name;
      EXPECT_EQ(bench.decapsulator.sessions().size(), 1u) << w.name;
    }
  }
}

TEST(Decapsulator, EndsCutAtEveryByteInSomethingNamed) {
  for (const Wrapping& w : wrappings()) {
    for (const bool accept_bare : {true, false}) {
      const Buffer copy = w.wrap(kGuest, 1).front();
      for (std::size_t size = 0; size < copy.size(); ++size) {
        Bench bench({.accept_bare = accept_bare, .rspan_vlan = kRspanVlan});
        // On the heap at its exact size, so that a sanitizer sees a read past the end.
        const Buffer cut(copy.begin(), copy.begin() + static_cast<std::ptrdiff_t>(size));
        Frame f = frame_of(cut);
        f.wire_size = static_cast<std::uint32_t>(copy.size());
        const Decapsulated out = bench.take(f);
        EXPECT_EQ(out.frames, 1u);
        if (out.status == Status::drop) {
          EXPECT_LT(out.drop, Drop::count_) << w.name << " cut at " << size;
        }
      }
    }
  }
}

TEST(Decapsulator, AnalysesATruncatedCopyAsFarAsItGoes) {
  const Buffer copy = wrapping("erspan2").wrap(kGuest, 1).front();
  Frame f = frame_of(Bytes(copy).first(copy.size() - 30));
  f.wire_size = static_cast<std::uint32_t>(copy.size());
  const Decapsulated out = Bench().take(f);
  ASSERT_EQ(ending(out), "frame");
  EXPECT_EQ(out.frame.bytes.size(), kGuest.size() - 30);
  EXPECT_EQ(out.frame.wire_size, kGuest.size()) << "the outer header tells the length";
  EXPECT_EQ(out.packet.payload_size, 30);
  EXPECT_EQ(out.packet.payload_wire_size, 60);
}

TEST(Decapsulator, KeepsWhatTheHeadersTell) {
  const Erspan3 header{.session = 33,
                       .vlan = 20,
                       .bso = 3,
                       .truncated = true,
                       .timestamp = 5,
                       .egress = true,
                       .granularity = 2,
                       .subheader = subheader(5, 77, 6)};
  Bench bench;
  const Decapsulated out =
      bench.take(over_gre({.protocol = 0x22eb, .sequence = 1}, erspan3(header, kGuest)));
  const Origin& o = out.origin;
  EXPECT_EQ(o.session, 33u);
  EXPECT_TRUE(o.has_session);
  EXPECT_EQ(o.vlan, 20);
  EXPECT_EQ(o.bad_frame, 3);
  EXPECT_TRUE(o.truncated);
  EXPECT_EQ(o.hardware_time, 0x6'0000'0005u);
  EXPECT_EQ(o.granularity, 2);
  EXPECT_EQ(o.port_index, 77u);
  EXPECT_EQ(o.depth, 1);
  EXPECT_EQ(o.sender, ip("192.0.2.1"));
  EXPECT_EQ(o.direction, Direction::in) << "egress of the switch's port is what the guest gets";
  EXPECT_FALSE(out.frame.stripped.present()) << "type III says nothing of a lost tag";
  const auto sessions = bench.decapsulator.sessions();
  ASSERT_EQ(sessions.size(), 1u);
  EXPECT_EQ(sessions[0].truncated, 1u);
  EXPECT_EQ(sessions[0].bad, 1u);
  EXPECT_EQ(sessions[0].bytes, kGuest.size());
}

TEST(Decapsulator, RestoresTheTagWhereTheFrameLostItAndNowhereElse) {
  const Buffer plain = udp_frame({}, counting(8));
  for (const std::uint8_t en : {0, 1, 2, 3}) {
    const auto out = Bench().take(over_gre({.protocol = 0x88be, .sequence = 1},
                                           erspan2({.vlan = 5, .cos = 6, .en = en}, plain)));
    ASSERT_EQ(ending(out), "frame");
    const bool restored = en == 1 || en == 2;
    EXPECT_EQ(out.frame.stripped, (restored ? VlanTag{0x8100, 0xc005} : VlanTag{})) << int{en};
    EXPECT_EQ(out.packet.vlan(), restored ? 5 : 0) << int{en};
    EXPECT_EQ(out.frame.wire_size, plain.size() + (restored ? 4 : 0)) << int{en};
    EXPECT_EQ(out.origin.vlan, 5) << "as metadata always";
  }
}

TEST(Decapsulator, TellsTypeOneFromTypeTwoByTheSequenceNumber) {
  // A type I frame whose first byte looks like a type II version.
  Buffer frame = kGuest;
  frame[0] = 0x10;
  const Buffer copy = over_gre({.protocol = 0x88be}, frame);
  const auto out = Bench().take(copy);
  EXPECT_EQ(out.origin.encapsulation, Encapsulation::erspan1);
  EXPECT_FALSE(out.origin.has_session);
  EXPECT_EQ(bytes_of(out), frame);
}

TEST(Decapsulator, DropsOrPassesWhatItCannotTakeOff) {
  const Buffer packet = ip_part(udp_frame({}));
  const struct {
    const char* name;
    Buffer frame;
    const char* on_any_input;     // accept_bare
    const char* on_a_collectors;  // not accept_bare
    DecapError error;
  } cases[] = {
      {"a bare frame", kGuest, "frame", "not_mirrored", DecapError::none},
      {"a GRE protocol that is not read", over_gre({.protocol = 0x0021}, packet), "frame",
       "decap_unsupported", DecapError::gre_protocol},
      {"PPTP", over_gre({.protocol = 0x880b, .key = 1, .extra_flags = 1}, packet), "frame",
       "decap_unsupported", DecapError::gre_version},
      {"GRE with endless routes", over_gre({.extra_flags = 0x4000}, hex("0000 0000 0800 0004")),
       "frame", "decap_unsupported", DecapError::gre_routing},
      {"GRE of 22 bytes and a frame, without the frame", over_gre({.protocol = 0x8949}, hex("00")),
       "decap_truncated", "decap_truncated", DecapError::gre_truncated},
      {"some datagram to TZSP's port", over_udp(37008, text("hello")), "frame", "decap_malformed",
       DecapError::datagram_header},
      {"TZSP with half an 802.11 header", over_udp(37008, hex("0100 0012 01 08020000")), "frame",
       "decap_unsupported", DecapError::datagram_unsupported},
      {"TZSP with a beacon of 802.11",
       over_udp(37008, concat({hex("0100 0012 01 8000 0000"), counting(40)})), "frame",
       "decap_unsupported", DecapError::datagram_unsupported},
      {"GTP's echo", over_udp(2152, hex("3201 0004 00000000 00010000")), "frame", "decap_malformed",
       DecapError::datagram_header},
      {"CAPWAP with DTLS", over_udp(5247, hex("01000000 16fefd00")), "frame", "decap_unsupported",
       DecapError::datagram_unsupported},
      {"CAPWAP with an encrypted frame of 802.11",
       over_udp(5247, concat({hex("00 100300 00000000 0841 0000"), counting(40)})), "frame",
       "decap_unsupported", DecapError::datagram_unsupported},
      {"CAPWAP of 802.16", over_udp(5247, concat({hex("00 100500 00000000 0801"), counting(40)})),
       "frame", "decap_unsupported", DecapError::datagram_unsupported},
      {"Teredo's port, and no IPv6", over_udp(3544, hex("4500 0000")), "frame", "decap_malformed",
       DecapError::datagram_header},
      {"GRE with a wrong sum", outer_frame({}, 47, concat({hex("8000 6558 1234 0000"), kGuest})),
       "decap_malformed", "decap_malformed", DecapError::gre_checksum},
      {"GRE cut off", outer_frame({}, 47, hex("2000 6558")), "decap_truncated", "decap_truncated",
       DecapError::gre_truncated},
      {"ERSPAN of another version",
       over_gre({.protocol = 0x22eb, .sequence = 1}, erspan2({}, kGuest)), "decap_unsupported",
       "decap_unsupported", DecapError::erspan_version},
      {"ERSPAN III of frame type 7",
       over_gre({.protocol = 0x22eb, .sequence = 1}, erspan3({.frame = 7}, kGuest)),
       "decap_unsupported", "decap_unsupported", DecapError::erspan_frame_type},
      {"ERSPAN cut off", over_gre({.protocol = 0x88be, .sequence = 1}, hex("1000 00")),
       "decap_truncated", "decap_truncated", DecapError::erspan_truncated},
      {"ERSPAN without a frame", over_gre({.protocol = 0x88be, .sequence = 1}, erspan2({}, {})),
       "short_frame", "short_frame", DecapError::none},
      {"some datagram to VXLAN's port", over_udp(4789, text("hello, world")), "frame",
       "decap_malformed", DecapError::vxlan_flags},
      {"VXLAN cut off", over_udp(4789, hex("08000000")), "decap_truncated", "decap_truncated",
       DecapError::vxlan_truncated},
      {"GENEVE that carries MPLS", over_udp(6081, geneve(1, packet, {}, false, 0x8847)), "frame",
       "decap_unsupported", DecapError::geneve_protocol},
      {"some datagram to GENEVE's port", over_udp(6081, hex("ff00 0000 0000 0000")), "frame",
       "decap_unsupported", DecapError::geneve_version},
  };
  for (const auto& c : cases) {
    Bench any, collectors({.accept_bare = false});
    const Decapsulated passed = any.take(c.frame);
    EXPECT_EQ(ending(passed), c.on_any_input) << c.name;
    if (passed.status == Status::frame) {
      EXPECT_EQ(bytes_of(passed), c.frame) << c.name;
    }
    const Decapsulated dropped = collectors.take(c.frame);
    EXPECT_EQ(ending(dropped), c.on_a_collectors) << c.name;
    EXPECT_STREQ(to_text(dropped.error), to_text(c.error)) << c.name;
    const auto index = static_cast<std::size_t>(c.error);
    if (c.error != DecapError::none) {
      EXPECT_EQ(any.decapsulator.errors()[index], 1u) << c.name;
      EXPECT_EQ(collectors.decapsulator.errors()[index], 1u) << c.name;
    }
  }
}

TEST(Decapsulator, PassesTheGuestsOwnTunnelInsideAMirror) {
  // What is no mirror is the guest's traffic once a mirror was taken off, also for a collector.
  const Buffer inner = over_gre({.protocol = 0x880b, .key = 1, .extra_flags = 1}, counting(20));
  Bench bench({.accept_bare = false});
  const Buffer copy = wrapping("erspan2").wrap(inner, 1).front();
  const auto out = bench.take(copy);
  EXPECT_EQ(ending(out), "frame");
  EXPECT_EQ(bytes_of(out), inner);
}

TEST(Decapsulator, TakesOffNestedLayersToABound) {
  Buffer frame = kGuest;
  for (int depth = 1; depth <= 6; ++depth) {
    frame = over_gre({.protocol = 0x88be, .sequence = 1}, erspan2({}, frame));
    Bench bench({.max_depth = 4});
    const auto out = bench.take(frame);
    EXPECT_EQ(ending(out), depth <= 4 ? "frame" : "nesting_too_deep") << depth;
    EXPECT_EQ(out.origin.depth, std::min(depth, 4)) << depth;
  }
}

TEST(Decapsulator, EndsAGreBomb) {
  // As many empty layers as fit a datagram: 65,000 / 38.
  Buffer frame = kGuest;
  while (frame.size() < 65000) frame = over_gre({}, frame);
  EXPECT_EQ(ending(Bench({.max_depth = 4}).take(frame)), "nesting_too_deep");
}

TEST(Decapsulator, ToldOfByTheOutermostErspanElseTheOutermostLayer) {
  const Buffer in_vxlan = wrapping("erspan2_in_vxlan").wrap(kGuest, 1).front();
  EXPECT_EQ(Bench().take(in_vxlan).origin.session, 22u);
  EXPECT_EQ(Bench().take(in_vxlan).origin.depth, 2);
  const Buffer guests_vxlan = wrapping("vxlan").wrap(kGuest, 1).front();
  const Buffer copy = wrapping("erspan3").wrap(guests_vxlan, 1).front();
  const auto mirrored = Bench().take(copy);
  EXPECT_EQ(mirrored.origin.encapsulation, Encapsulation::erspan3);
  EXPECT_EQ(bytes_of(mirrored), kGuest);
  const auto twice = Bench().take(over_udp(6081, geneve(43, guests_vxlan)));
  EXPECT_EQ(twice.origin.encapsulation, Encapsulation::geneve);
}

TEST(Decapsulator, RefusesAndCountsUnknownSessions) {
  Bench bench({.sessions = {22}});
  const auto of = [&](std::uint16_t session) {
    return ending(bench.take(
        over_gre({.protocol = 0x88be, .sequence = 1}, erspan2({.session = session}, kGuest))));
  };
  EXPECT_EQ(of(22), "frame");
  EXPECT_EQ(of(23), "unknown_session");
  EXPECT_EQ(of(23), "unknown_session");
  EXPECT_EQ(ending(bench.take(over_gre({.protocol = 0x88be}, kGuest))), "unknown_session")
      << "type I has no session, which counts as 0";
  EXPECT_EQ(ending(bench.take(kGuest)), "frame") << "bare frames have no session";
  std::uint64_t refused = 0;
  for (const auto& s : bench.decapsulator.sessions()) refused += s.accepted ? 0 : s.received;
  EXPECT_EQ(refused, 3u);
}

TEST(Decapsulator, TellsSessionsApartByEncapsulationIdAndSender) {
  Bench bench;
  Outer other;
  other.source = ip("192.0.2.9");
  for (int i = 0; i < 3; ++i) {
    const std::uint32_t n = i * 2;  // Every other number: one lost between two.
    const Buffer packet = gre({.protocol = 0x88be, .sequence = n}, erspan2({}, kGuest));
    bench.take(outer_frame({}, 47, packet));
    bench.take(outer_frame(other, 47, packet));
    bench.take(over_gre({.protocol = 0x22eb, .sequence = n}, erspan3({}, kGuest)));
  }
  const auto sessions = bench.decapsulator.sessions();
  EXPECT_EQ(sessions.size(), 3u);
  for (const auto& s : sessions) {
    EXPECT_EQ(s.session, 1u);
    EXPECT_EQ(s.received, 3u);
    EXPECT_EQ(s.sequence.lost, 2u);
  }
}

TEST(Decapsulator, BoundsTheSessionsThatItTellsApart) {
  Bench bench;
  for (std::uint32_t vni = 0; vni < 3000; ++vni) bench.take(over_udp(4789, vxlan(vni, kGuest)));
  const auto sessions = bench.decapsulator.sessions();
  EXPECT_EQ(sessions.size(), Decapsulator::kMaxSessions);
  std::uint64_t received = 0;
  for (const auto& s : sessions) received += s.received;
  EXPECT_EQ(received, 3000u);
  EXPECT_EQ(bench.decapsulator.sessions_overflowed(), 3000u - (Decapsulator::kMaxSessions - 1));
}

TEST(Decapsulator, TakesRspanOnlyOnItsVlan) {
  const Buffer copy = tagged({0x8100, 100}, kGuest);
  EXPECT_EQ(bytes_of(Bench().take(copy)), copy);
  EXPECT_EQ(bytes_of(Bench({.rspan_vlan = 101}).take(copy)), copy);
  Bench bench({.accept_bare = false, .rspan_vlan = 100});
  const auto out = bench.take(copy);
  EXPECT_EQ(bytes_of(out), kGuest);
  EXPECT_EQ(out.origin.session, 100u);
  EXPECT_EQ(bench.decapsulator.taken_off()[static_cast<std::size_t>(Encapsulation::rspan)], 1u);
  EXPECT_EQ(ending(bench.take(kGuest)), "not_mirrored");
}

TEST(Decapsulator, TakesAnRspanTagThatTheRingTookOut) {
  Frame f = frame_of(kGuest);
  f.stripped = {0x8100, 100};
  f.wire_size += 4;
  const auto out = Bench({.rspan_vlan = 100}).take(f);
  EXPECT_EQ(bytes_of(out), kGuest);
  EXPECT_EQ(out.packet.vlan(), 12) << "the guest's own tag is the one left";
}

TEST(Decapsulator, NamesTheGreProtocolsThatItCannotRead) {
  Bench bench;
  for (const std::uint16_t protocol : {0x0021, 0x6559, 0x0021})
    bench.take(over_gre({.protocol = protocol}, counting(20)));
  const std::vector<std::pair<std::uint16_t, std::uint64_t>> expected = {{0x0021, 2}, {0x6559, 1}};
  EXPECT_EQ(bench.decapsulator.gre_unknown().counts(), expected);
}

TEST(Decapsulator, ReadsBehindTheLabelsThatGreCarries) {
  const Buffer labels = hex("00064040 000c8140");
  const Buffer copy = over_gre({.protocol = 0x8847}, concat({labels, ip_part(udp_frame({}))}));
  const auto out = Bench().take(copy);
  EXPECT_EQ(ending(out), "frame");
  EXPECT_EQ(out.packet.skipped_tags, 2);
  EXPECT_EQ(out.packet.source_ip(out.frame.bytes), ip("10.0.0.1"));
}

TEST(Decapsulator, TakesUdpByThePortsOfItsInput) {
  const Buffer copy = over_udp(9300, concat({hex("0102030405060708 0000c800"), kGuest}));
  DecapOptions options;
  EXPECT_EQ(Bench(options).take(copy).origin.depth, 0) << "HP's mirrors have no port of their own";
  options.udp.set(9300, Encapsulation::hp_erm);
  Bench bench(options);
  const auto out = bench.take(copy);
  EXPECT_EQ(bytes_of(out), kGuest);
  EXPECT_EQ(out.origin.encapsulation, Encapsulation::hp_erm);
  EXPECT_EQ(out.origin.vlan, 200);
  options.udp.clear(Encapsulation::vxlan);
  options.udp.set(5000, Encapsulation::vxlan);
  EXPECT_EQ(Bench(options).take(over_udp(4789, vxlan(1, kGuest))).origin.depth, 0);
  EXPECT_EQ(Bench(options).take(over_udp(5000, vxlan(1, kGuest))).origin.session, 1u);
}

TEST(Decapsulator, TellsTheSessionOfEachKindOfTunnel) {
  const struct {
    const char* wrapping;
    std::uint32_t session;
    bool has_session;
  } cases[] = {{"gtp", 0x01020304, true},   {"pbb", 0xabcdef, true},  {"fabricpath", 10, true},
               {"isl", 100, true},          {"mpls_pw", 2000, true},  {"tzsp", 0, false},
               {"ip_in_ip", 0, false},      {"gre_ip", 0xcafe, true}, {"capwap", 0, false},
               {"gre_in_udp", 0xcafe, true}};
  for (const auto& c : cases) {
    const auto out = Bench().take(wrapping(c.wrapping).wrap(udp_frame({}), 1).front());
    EXPECT_EQ(out.origin.session, c.session) << c.wrapping;
    EXPECT_EQ(out.origin.has_session, c.has_session) << c.wrapping;
  }
}

TEST(Decapsulator, TakesALabelStackOutOfUdp) {
  const Buffer with_packet =
      over_udp(6635, concat({hex("00064040 007d01ff"), ip_part(udp_frame({}))}));
  const Decapsulated packet = Bench().take(with_packet);
  EXPECT_EQ(packet.origin.encapsulation, Encapsulation::mpls);
  EXPECT_EQ(packet.origin.session, 2000u) << "the label at the bottom";
  EXPECT_EQ(packet.origin.depth, 1);
  EXPECT_EQ(packet.frame.link, LinkType::mpls);
  EXPECT_EQ(packet.packet.ip_version, 4);
  const Buffer with_frame = over_udp(6635, concat({hex("007d01ff 00000000"), kGuest}));
  const Decapsulated frame = Bench().take(with_frame);
  EXPECT_EQ(bytes_of(frame), kGuest);
  EXPECT_EQ(frame.origin.session, 2000u);
}

TEST(Decapsulator, LeavesWhatOnlyHasThePortOfALabelStack) {
  for (const char* payload : {"", "007d", "007d0040 4500", "00000140 45000014", "ffffffff"}) {
    const Decapsulated out = Bench().take(over_udp(6635, hex(payload)));
    EXPECT_EQ(out.origin.depth, 0) << payload;
    EXPECT_EQ(ending(out), std::string("frame")) << payload;
  }
}

TEST(Decapsulator, KnowsAnswersByTheirSourcePort) {
  const Buffer capwap = concat({hex("00 100200 00000000"), kGuest});
  const struct {
    const char* name;
    std::uint16_t from, to;
    Encapsulation encapsulation;
  } cases[] = {
      {"an access point to its controller", 40000, 5247, Encapsulation::capwap},
      {"the controller's answer", 5247, 40000, Encapsulation::capwap},
      {"a client that chose the port, and asks a DNS server", 5247, 53, Encapsulation::none},
      {"a client that chose VXLAN's port", 4789, 40000, Encapsulation::none},
  };
  for (const auto& c : cases) {
    const auto out =
        Bench().take(udp_frame({.source_port = c.from, .destination_port = c.to}, capwap));
    EXPECT_EQ(out.origin.encapsulation, c.encapsulation) << c.name;
  }
}

TEST(Decapsulator, TakesA80211FrameOutOfATunnel) {
  const Buffer wlan = concat({hex("0801 0000 0a0000000001 0a0000000002 0a0000000003 1000"),
                              hex("aaaa03 000000 0800"), ip_part(udp_frame({}))});
  for (const Buffer& outer : {over_udp(5247, concat({hex("00 100300 00000000"), wlan})),
                              over_udp(37008, concat({hex("0100 0012 01"), wlan})),
                              over_gre({.protocol = 0x8200}, wlan)}) {
    const Decapsulated out = Bench().take(outer);
    EXPECT_EQ(ending(out), std::string("frame"));
    EXPECT_EQ(bytes_of(out), wlan);
    EXPECT_EQ(out.frame.link, LinkType::wlan);
    EXPECT_EQ(out.packet.ip_version, 4);
  }
}

TEST(MayBeEncapsulated, IsTrueForAllThatTakeLooksInto) {
  const auto may = [](const Buffer& frame, std::optional<std::uint16_t> rspan = {}) {
    return may_be_encapsulated(parse_packet(frame, LinkType::ethernet), UdpCarriers(), rspan);
  };
  EXPECT_FALSE(may(kGuest));
  EXPECT_FALSE(may(tcp_frame({.destination_port = 4789})));
  EXPECT_TRUE(may(over_gre({}, kGuest)));
  EXPECT_TRUE(may(over_udp(4789, {})));
  EXPECT_TRUE(may(over_udp(8472, {})));
  EXPECT_TRUE(may(over_udp(6081, {})));
  EXPECT_TRUE(may(udp_frame({.source_port = 5247, .destination_port = 40000})));
  EXPECT_TRUE(may(outer_frame({}, ip_protocol::kIpv6, ip_part(kGuest))));
  EXPECT_TRUE(may(wrapping("pbb").wrap(kGuest, 1).front()));
  EXPECT_TRUE(may(kGuest, 12)) << "UDP, on the RSPAN VLAN";
  EXPECT_FALSE(may(kGuest, 13));
  EXPECT_TRUE(may(fragments(udp_frame({}, counting(100)), 40).back()));
}

}  // namespace
}  // namespace vmirror
