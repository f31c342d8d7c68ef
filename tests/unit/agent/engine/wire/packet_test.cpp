// The header parser: one table for what it reads, one for what is wrong, and every frame cut at
// every byte.
#include "agent/engine/wire/packet.hpp"

#include <gtest/gtest.h>

#include "agent/engine/wire/tags.hpp"
#include "tests/support/encapsulate.hpp"

namespace vmirror {
namespace {

using namespace test;

const Buffer kMacs = hex("020000000002 020000000001");

Packet parse(Bytes frame, VlanTag stripped = {}) {
  return parse_packet(frame, LinkType::ethernet, stripped);
}
Buffer payload_of(Bytes frame) {
  const Bytes part = parse(frame).payload_of(frame);
  return {part.begin(), part.end()};
}

TEST(Packet, ReadsTcpOverIpv4) {
  Ip header;
  header.ttl = 17;
  header.protocol = ip_protocol::kTcp;
  header.options = hex("94040000");
  Tcp t{.source_port = 1234,
        .destination_port = 502,
        .sequence = 0x01020304,
        .acknowledgement = 0x05060708,
        .flags = tcp_flag::kPsh | tcp_flag::kAck,
        .window = 4096,
        .options = hex("0101080a0000000100000002")};
  const Buffer frame = ethernet(ip_packet(header, tcp(t, text("hello"), header)), 0x0800);
  const Packet p = parse(frame);
  EXPECT_EQ(p.error, HeaderError::none);
  EXPECT_TRUE(p.has_macs);
  EXPECT_EQ(p.source_mac(frame), mac("52:54:00:00:00:01"));
  EXPECT_EQ(p.destination_mac(frame), mac("52:54:00:00:00:02"));
  EXPECT_EQ(p.ethertype, 0x0800);
  EXPECT_EQ(p.ip_version, 4);
  EXPECT_EQ(p.source_ip(frame), ip("10.0.0.1"));
  EXPECT_EQ(p.destination_ip(frame), ip("10.0.0.2"));
  EXPECT_EQ(p.ttl, 17);
  EXPECT_EQ(p.protocol, ip_protocol::kTcp);
  EXPECT_EQ(p.source_port, 1234);
  EXPECT_EQ(p.destination_port, 502);
  EXPECT_EQ(p.sequence, 0x01020304u);
  EXPECT_EQ(p.acknowledgement, 0x05060708u);
  EXPECT_EQ(p.tcp_flags, tcp_flag::kPsh | tcp_flag::kAck);
  EXPECT_EQ(p.window, 4096);
  EXPECT_EQ(p.network, 14);
  EXPECT_EQ(p.transport, 14 + 24);
  EXPECT_EQ(p.payload, 14 + 24 + 32);
  EXPECT_EQ(p.payload_size, 5);
  EXPECT_EQ(p.payload_wire_size, 5);
}

TEST(Packet, ReadsUdpOverIpv6BehindEveryExtension) {
  Ip header;
  header.source = ip("2001:db8::1");
  header.destination = ip("2001:db8::2");
  header.extensions = {
      {0, Buffer(6)}, {60, Buffer(14)}, {43, Buffer(6)}, {51, Buffer(10)}, {135, Buffer(6)}};
  const Buffer frame = ethernet(ip_packet(header, udp({1, 2}, text("abc"), header)), 0x86dd);
  const Packet p = parse(frame);
  EXPECT_EQ(p.error, HeaderError::none);
  EXPECT_EQ(p.protocol, ip_protocol::kUdp);
  EXPECT_EQ(p.source_ip(frame), ip("2001:db8::1"));
  EXPECT_EQ(p.destination_ip(frame), ip("2001:db8::2"));
  EXPECT_EQ(p.destination_port, 2);
  EXPECT_EQ(p.transport, 14 + 40 + 8 + 16 + 8 + 12 + 8);
  EXPECT_EQ(payload_of(frame), text("abc"));
}

TEST(Packet, ReadsVlanTagsOutermostFirst) {
  const Buffer frame = udp_frame({.tags = {{0x88a8, 0x2064}, {0x8100, 7}, {0x9100, 8}}});
  const Packet p = parse(frame);
  ASSERT_EQ(p.tag_count, 3);
  EXPECT_EQ(p.tags[0], (VlanTag{0x88a8, 0x2064}));
  EXPECT_EQ(p.tags[0].id(), 100);
  EXPECT_EQ(p.tags[2], (VlanTag{0x9100, 8}));
  EXPECT_EQ(p.vlan(), 8) << "the innermost";
  EXPECT_EQ(p.protocol, ip_protocol::kUdp);
  const Packet q = parse(frame, {0x8100, 5});
  ASSERT_EQ(q.tag_count, 4);
  EXPECT_EQ(q.tags[0], (VlanTag{0x8100, 5})) << "a stripped tag is the outermost";
  EXPECT_EQ(parse(udp_frame({})).vlan(), 0);
}

TEST(Packet, SkipsEveryTagBetweenTheMacsAndTheEtherType) {
  const struct {
    const char* bytes;
    TagKind kind;
    std::uint64_t value;
  } cases[] = {
      {"8926 00000014", TagKind::vntag, 0x14},
      {"893f 100020030405", TagKind::br, 0x1000'2003'0405},
      {"8909 0101 0001 0011", TagKind::cmd, 0x11},
      {"8909 0102 0001 0011 0002 0000", TagKind::cmd, 0x11},
      {"8988 112233445566", TagKind::aci_time, 0x1122'3344'5566},
      {"d28b 0001 0010 1122334455667788", TagKind::arista_time, 0x1122'3344'5566'7788},
      {"d28b 0001 0020 112233445566", TagKind::arista_time, 0x1122'3344'5566},
      {"892f 1034 0007", TagKind::hsr, 0x1034'0007},
      {"88e5 00 00 00000009", TagKind::macsec, 9},
      {"88e5 20 00 00000009 0200000000010001", TagKind::macsec, 9},
      {"8847 00064140", TagKind::mpls, 100},
      {"8864 1100 0007 0000 0021", TagKind::pppoe, 7},
      {"8864 1100 0007 0000 21", TagKind::pppoe, 7},
  };
  const Buffer guest = udp_frame({.tags = {{0x9200, 5}}}, counting(30)),
               plain = udp_frame({}, counting(30));
  for (const auto& c : cases) {
    const bool names_ip = c.kind == TagKind::mpls || c.kind == TagKind::pppoe;
    const Bytes behind = names_ip ? Bytes(plain).subspan(14) : Bytes(guest).subspan(12);
    const Buffer frame = concat({Bytes(guest).first(12), hex(c.bytes), behind});
    const Packet p = parse(frame);
    EXPECT_EQ(p.error, HeaderError::none) << c.bytes;
    EXPECT_EQ(p.ethertype, 0x0800) << c.bytes;
    EXPECT_EQ(p.skipped_tags, 1) << c.bytes;
    EXPECT_EQ(p.vlan(), names_ip ? 0 : 5) << c.bytes;
    EXPECT_EQ(payload_of(frame), counting(30)) << c.bytes;
    const SkippedTags tags = skipped_tags(frame, LinkType::ethernet);
    ASSERT_EQ(tags.count, 1u) << c.bytes;
    EXPECT_STREQ(to_text(tags.tags[0].kind), to_text(c.kind));
    EXPECT_EQ(tags.tags[0].value, c.value) << c.bytes;
  }
}

TEST(Packet, SkipsTagsInAnyOrderToABound) {
  const Buffer guest = udp_frame({.tags = {{0x8100, 7}}}, counting(3));
  const auto behind_tags = [&](int count) {
    Buffer tags;
    for (int i = 0; i < count; ++i)
      tags = concat({tags, hex(i % 2 == 0 ? "8100 0003 8926 00000014" : "8988 112233445566")});
    return parse(concat({Bytes(guest).first(12), tags, Bytes(guest).subspan(12)}));
  };
  EXPECT_EQ(behind_tags(3).skipped_tags, 3);
  EXPECT_EQ(behind_tags(3).tag_count, 3);
  EXPECT_EQ(behind_tags(3).destination_port, 9);
  const Buffer many = concat({Bytes(guest).first(12),
                              hex("8988 112233445566 8988 112233445566 8988 112233445566"
                                  "8988 112233445566 8988 112233445566 8988 112233445566"
                                  "8988 112233445566 8988 112233445566 8988 112233445566"),
                              Bytes(guest).subspan(12)});
  EXPECT_STREQ(to_text(parse(many).error), "tag_too_deep");
}

TEST(Packet, EndsAtATagThatItCannotLookBehind) {
  const Bytes macs = Bytes(kMacs).first(12);
  const struct {
    const char* bytes;
    std::uint16_t ethertype;
    const char* error;
  } cases[] = {
      {"88e5 2c 00 00000009 0200000000010001 0800 45", 0x88e5, "none"},  // Encrypted.
      {"8864 1109 0000 0000", 0x8864, "none"},                           // Discovery.
      {"8864 1100 0007 0002 c021 0901", 0x8864, "none"},                 // LCP.
      {"d28b 0002 0010 1122334455667788 0800 45", 0xd28b, "none"},
      {"8926 0000", 0x8926, "none"},
      {"8926 00000014", 0, "tag_truncated"},
      {"8847 00064040", 0x8847, "tag_truncated"},
      {"8847 00064140 10", 0x8847, "none"},  // Neither IP nor Ethernet.
      {"88e7 00abcdef 0200", 0x88e7, "tag_truncated"},
  };
  for (const auto& c : cases) {
    const Packet p = parse(concat({macs, hex(c.bytes)}));
    EXPECT_EQ(p.ethertype, c.ethertype) << c.bytes;
    EXPECT_STREQ(to_text(p.error), c.error) << c.bytes;
    EXPECT_EQ(p.ip_version, 0) << c.bytes;
  }
}

TEST(Packet, TakesTrailersOffWhatTheyFollow) {
  const Buffer guest = udp_frame({}, counting(30));
  const std::size_t size = guest.size() - 14 + 6;
  const Buffer trailer = Writer().u16(77).u16(0xa000 | size).u16(0x88fb).take();
  const Buffer frame = concat({guest, trailer});
  EXPECT_EQ(parse(frame).skipped_tags, 1);
  EXPECT_EQ(payload_of(frame), counting(30));
  EXPECT_EQ(skipped_tags(frame, LinkType::ethernet).tags[0].value, 77u << 16 | 0xa000u | size);

  const Buffer goose = concat({Bytes(guest).first(12), hex("88b8"), counting(20)});
  const Buffer prp = Writer().u16(1).u16(0xb000 | 26).u16(0x88fb).take();
  EXPECT_EQ(parse(concat({goose, prp})).network_size, 20) << "the trailer is none of its";
  EXPECT_EQ(parse(concat({goose, hex("0001 b019 88fb")})).network_size, 26) << "another size";
  const Buffer checked =
      concat({Bytes(guest).first(12), hex("88e5 00 00 00000009 88b8"), counting(20), Buffer(16)});
  EXPECT_EQ(parse(checked).network_size, 20) << "MACsec's check value";
}

TEST(Packet, NamesAFrameWithinAFrame) {
  const Buffer guest = udp_frame({}, counting(30));
  for (const char* name : {"pbb", "fabricpath", "isl", "mpls_pw", "mpls_pw_without_control"}) {
    const Buffer frame = wrapping(name).wrap(guest, 1).front();
    const Packet p = parse(frame);
    EXPECT_NE(p.carrier, LinkCarrier::none) << name;
    const Bytes inner = p.network_of(frame);
    EXPECT_EQ(Buffer(inner.begin(), inner.end()), guest) << name;
  }
}

TEST(Packet, ReadsLlcAndSnap) {
  const Buffer stp = llc(0x42, 0x42, 3, counting(35));
  Packet p = parse(stp);
  EXPECT_TRUE(p.llc);
  EXPECT_EQ(p.llc_dsap, 0x42);
  EXPECT_EQ(p.ethertype, 0);
  EXPECT_EQ(p.network, 17);
  EXPECT_EQ(p.network_size, 35);
  p = parse(snap(0x00000c, 0x2000, counting(20)));  // CDP
  EXPECT_EQ(p.snap_oui, 0x00000cu);
  EXPECT_EQ(p.ethertype, 0x2000);
  EXPECT_EQ(p.network, 22);
  p = parse(snap(0, 0x0800, ip_part(udp_frame({}, text("x")))));  // RFC 1042
  EXPECT_EQ(p.protocol, ip_protocol::kUdp);
  Buffer padded = stp;
  padded.resize(60 + 20);
  EXPECT_EQ(parse(padded).network_size, 35) << "the 802.3 length ends it";
}

TEST(Packet, LeavesOutEthernetPadding) {
  Buffer frame = udp_frame({}, text("a"));
  frame.resize(60);
  EXPECT_EQ(parse(frame).payload_size, 1);
  EXPECT_EQ(parse(frame).network_size, 29);
}

TEST(Packet, TellsWhatTheCaptureCutOff) {
  const Buffer frame = udp_frame({}, counting(1000));
  const Packet p = parse(Bytes(frame).first(142));
  EXPECT_EQ(p.error, HeaderError::none);
  EXPECT_EQ(p.payload_size, 100);
  EXPECT_EQ(p.payload_wire_size, 1000);
}

TEST(Packet, ReadsEveryLinkType) {
  const Buffer packet = ip_part(udp_frame({.destination_port = 53}));
  const struct {
    const char* name;
    LinkType link;
    Buffer frame;
  } cases[] = {
      {"raw", LinkType::ip, packet},
      {"SLL", LinkType::linux_sll, concat({hex("0000 0001 0006 525400000001 0000 0800"), packet})},
      {"SLL with a tag", LinkType::linux_sll,
       concat({hex("0000 0001 0006 525400000001 0000 8100 0007 0800"), packet})},
      {"SLL2", LinkType::linux_sll2,
       concat({hex("0800 0000 00000002 0001 00 06 525400000001 0000"), packet})},
      {"NULL", LinkType::bsd_null, concat({hex("02000000"), packet})},
      {"LOOP", LinkType::bsd_null, concat({hex("00000002"), packet})},
  };
  for (const auto& c : cases) {
    const Packet p = parse_packet(c.frame, c.link);
    EXPECT_EQ(p.error, HeaderError::none) << c.name;
    EXPECT_FALSE(p.has_macs) << c.name;
    EXPECT_EQ(p.destination_port, 53) << c.name;
    EXPECT_EQ(p.source_ip(c.frame), ip("10.0.0.1")) << c.name;
    const bool cooked = c.link != LinkType::ip && c.link != LinkType::bsd_null;
    EXPECT_EQ(p.sender_mac(c.frame), cooked ? *Mac::parse("52:54:00:00:00:01") : Mac{}) << c.name;
  }
  const Buffer loopback = concat({hex("0000 0304 0000 000000000000 0000 0800"), packet});
  EXPECT_TRUE(parse_packet(loopback, LinkType::linux_sll).sender_mac(loopback).is_zero());
}

TEST(Packet, ReadsFragments) {
  for (const bool v6 : {false, true}) {
    Ends ends;
    if (v6) ends.source = ip("fe80::1"), ends.destination = ip("fe80::2");
    const auto parts = fragments(udp_frame(ends, counting(100)), 40, 77);
    ASSERT_EQ(parts.size(), 3u);
    for (std::size_t i = 0; i < 3; ++i) {
      const Packet p = parse(parts[i]);
      EXPECT_TRUE(p.fragment);
      EXPECT_EQ(p.first_fragment, i == 0);
      EXPECT_EQ(p.more_fragments, i < 2);
      EXPECT_EQ(p.fragment_offset, i * 40);
      EXPECT_EQ(p.fragment_id, 77u);
      EXPECT_EQ(p.destination_port, i == 0 ? 9 : 0) << "ports are the first one's";
    }
  }
}

TEST(Packet, ReadsIcmpTypeAndId) {
  const Packet p = parse(ping_frame({}, 5));
  EXPECT_EQ(p.source_port, 0x0800) << "type 8, code 0";
  EXPECT_EQ(p.destination_port, 1) << "the identifier";
  EXPECT_EQ(parse(ping_frame({.source = ip("fe80::1"), .destination = ip("fe80::2")})).source_port,
            0x8000);
}

/// A good frame with one change.
Buffer with(Buffer frame, std::size_t at, Bytes bytes) {
  std::copy(bytes.begin(), bytes.end(), frame.begin() + static_cast<std::ptrdiff_t>(at));
  return frame;
}

TEST(Packet, NamesTheFirstThingThatIsWrong) {
  const Buffer v4 = udp_frame({}, counting(8)), segment = tcp_frame({});
  const Buffer v6 = udp_frame({.source = ip("fe80::1"), .destination = ip("fe80::2")}, counting(8));
  const struct {
    const char* error;
    Buffer frame;
    LinkType link = LinkType::ethernet;
  } cases[] = {
      {"link_truncated", counting(13)},
      {"link_truncated", {}, LinkType::ip},
      {"link_truncated", counting(15), LinkType::linux_sll},
      {"link_truncated", counting(19), LinkType::linux_sll2},
      {"link_truncated", counting(4), LinkType::bsd_null},
      {"vlan_truncated", ethernet(hex("00"), 0x8100)},
      {"vlan_too_deep", udp_frame({.tags = std::vector<VlanTag>(5, {0x8100, 1})})},
      {"llc_truncated", ethernet(hex("4242"), 2)},
      {"llc_truncated", ethernet(hex("aaaa0300000008"), 7)},
      {"ip_truncated", ethernet(hex("45000014"), 0x0800)},
      {"ip_truncated", with(Buffer(v4.begin(), v4.begin() + 34), 14, hex("46"))},
      {"ip_version", with(v4, 14, hex("65"))},
      {"ip_version", with(v6, 14, hex("45"))},
      {"ip_version", hex("10"), LinkType::ip},
      {"ip_header_length", with(v4, 14, hex("44"))},
      {"ip_total_length", with(v4, 16, hex("0013"))},
      {"ip6_extension", with(v6, 20, hex("00"))},
      {"transport_truncated", Buffer(v4.begin(), v4.begin() + 41)},
      {"transport_truncated", Buffer(segment.begin(), segment.begin() + 53)},
      {"transport_truncated", with(segment, 46, hex("60"))},
      {"tcp_offset", with(segment, 46, hex("40"))},
      {"udp_length", with(v4, 38, hex("0007"))},
  };
  for (const auto& c : cases)
    EXPECT_STREQ(to_text(parse_packet(c.frame, c.link).error), c.error)
        << "frame of " << c.frame.size() << " bytes";
}

/// All that is read, but for what names the link layer.
std::string told(const Packet& p, int shift) {
  std::string out = to_text(p.error);
  for (const std::int64_t v : {std::int64_t{p.ip_version},
                               std::int64_t{p.protocol},
                               std::int64_t{p.ttl},
                               std::int64_t{p.tcp_flags},
                               std::int64_t{p.skipped_tags},
                               std::int64_t{p.fragment},
                               std::int64_t{p.first_fragment},
                               std::int64_t{p.more_fragments},
                               std::int64_t{p.ethertype},
                               std::int64_t{p.network} - shift,
                               std::int64_t{p.transport} - (p.transport == 0 ? 0 : shift),
                               std::int64_t{p.payload} - (p.payload == 0 ? 0 : shift),
                               std::int64_t{p.payload_size},
                               std::int64_t{p.payload_wire_size},
                               std::int64_t{p.network_size},
                               std::int64_t{p.source_port},
                               std::int64_t{p.destination_port},
                               std::int64_t{p.sequence},
                               std::int64_t{p.acknowledgement},
                               std::int64_t{p.window},
                               std::int64_t{p.fragment_id},
                               std::int64_t{p.fragment_offset}})
    out += ' ' + std::to_string(v);
  return out;
}

// What most frames are is read in one piece: behind a cooked header the same bytes are read layer
// by layer.
TEST(Packet, ReadsPlainFramesAsItReadsOthers) {
  const Buffer cooked = hex("0000 0001 0006 020000000001 0000 0800");
  const auto same = [&](const Buffer& frame) {
    Buffer other = cooked;
    other.insert(other.end(), frame.begin() + 14, frame.end());
    const Packet p = parse(frame);
    EXPECT_TRUE(p.has_macs);
    EXPECT_EQ(told(p, 14), told(parse_packet(other, LinkType::linux_sll), 16))
        << "frame of " << frame.size() << " bytes";
  };
  Buffer padded = udp_frame({.source_port = 53, .destination_port = 1024}, counting(5));
  padded.resize(60);
  Ip tcp_header;
  tcp_header.protocol = ip_protocol::kTcp;
  const Tcp with_options{.options = hex("0101080a0000000100000002")};
  const Buffer frames[] = {
      padded, udp_frame({}, counting(300)), tcp_frame({}),
      ethernet(ip_packet(tcp_header, tcp(with_options, text("hello"), tcp_header)), 0x0800)};
  for (const Buffer& whole : frames) {
    ASSERT_EQ(parse(whole).error, HeaderError::none);
    for (std::size_t size = 14; size <= whole.size(); ++size)
      same(Buffer(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)));
    for (std::size_t at = 14; at < std::min<std::size_t>(whole.size(), 62); ++at)
      for (int value = 0; value < 256; ++value) {
        Buffer changed = whole;
        changed[at] = static_cast<std::uint8_t>(value);
        same(changed);
      }
    Buffer with_trailer = whole;
    const Buffer prp = hex("0001a000 88fb");
    with_trailer.insert(with_trailer.end(), prp.begin(), prp.end());
    same(with_trailer);
  }
  EXPECT_EQ(parse(frames[1], {0x8100, 7}).vlan(), 7);
}

TEST(Packet, StaysWithinAFrameCutAtEveryByte) {
  std::vector<Buffer> frames = {udp_frame({.tags = {{0x88a8, 1}, {0x8100, 2}}}, counting(9)),
                                tcp_frame({.source = ip("fe80::1"), .destination = ip("fe80::2")}),
                                arp_frame({}), snap(0, 0x0800, ip_part(ping_frame({})))};
  for (const Wrapping& w : wrappings()) frames.push_back(w.wrap(frames[0], 1).front());
  for (const Buffer& whole : frames) {
    for (std::size_t size = 0; size <= whole.size(); ++size) {
      const Buffer cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
      const Packet p = parse(cut);
      EXPECT_EQ(p.error == HeaderError::link_truncated, size < 14);
      EXPECT_LE(std::size_t{p.network} + p.network_size, size);
      EXPECT_LE(std::size_t{p.payload} + p.payload_size, size);
    }
  }
}

}  // namespace
}  // namespace vmirror
