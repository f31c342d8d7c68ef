#include "tests/support/encapsulate.hpp"

#include <cstdio>
#include <cstdlib>

namespace vmirror::test {
namespace {

constexpr std::uint16_t kErspan2 = 0x88be, kErspan3 = 0x22eb;

std::vector<Buffer> one(Buffer frame) {
  return {std::move(frame)};
}

Buffer outer_udp(const Outer& outer, std::uint16_t port, Bytes payload) {
  Ip header;
  header.source = outer.source;
  header.destination = outer.destination;
  return outer_frame(outer, ip_protocol::kUdp, udp({54321, port}, payload, header));
}

Buffer erspan2_frame(const Outer& outer, Bytes frame, std::uint32_t sequence, const Gre& mix = {}) {
  Gre header = mix;
  header.protocol = kErspan2;
  header.sequence = sequence;
  Erspan2 erspan;
  erspan.session = 22;
  return outer_frame(outer, ip_protocol::kGre, gre(header, erspan2(erspan, frame)));
}

Buffer erspan3_frame(const Outer& outer, Erspan3 erspan, Bytes frame, std::uint32_t sequence) {
  erspan.session = 33;
  return outer_frame(outer, ip_protocol::kGre,
                     gre({.protocol = kErspan3, .sequence = sequence}, erspan3(erspan, frame)));
}

Outer with_options() {
  Outer outer;
  outer.options = hex("94 04 00 00 01 01 01 00");  // Router alert, padding.
  return outer;
}
Outer over_ipv6() {
  Outer outer;
  outer.source = ip("2001:db8::1");
  outer.destination = ip("2001:db8::2");
  outer.extensions = {{0, hex("05 02 00 00 01 00")}, {60, hex("01 0c")}};
  outer.extensions[1].body.resize(14);
  return outer;
}
Outer stacked() {
  Outer outer;
  outer.link.tags = {{ethertype::kProviderVlan, 0x2064}, {ethertype::kVlan, 0x0007}};
  return outer;
}

void add_gre_mixes(std::vector<Wrapping>& all) {
  static const char* const names[] = {"gre",   "gre_c",  "gre_k",  "gre_ck",
                                      "gre_s", "gre_cs", "gre_ks", "gre_cks"};
  all.push_back({"gre_8949", Encapsulation::gre, true, [](Bytes frame, std::uint32_t) {
                   return one(outer_frame({}, ip_protocol::kGre,
                                          gre({.protocol = 0x8949}, concat({Buffer(22), frame}))));
                 }});
  for (unsigned mix = 0; mix < 8; ++mix) {
    all.push_back({names[mix], Encapsulation::gre, true, [mix](Bytes frame, std::uint32_t n) {
                     Gre header;
                     header.checksum = (mix & 1) != 0;
                     if ((mix & 2) != 0) header.key = 0xcafe;
                     if ((mix & 4) != 0) header.sequence = n;
                     return one(outer_frame({}, ip_protocol::kGre, gre(header, frame)));
                   }});
  }
}

void add_erspan(std::vector<Wrapping>& all) {
  all.push_back({"erspan1", Encapsulation::erspan1, true, [](Bytes frame, std::uint32_t) {
                   return one(
                       outer_frame({}, ip_protocol::kGre, gre({.protocol = kErspan2}, frame)));
                 }});
  all.push_back({"erspan2", Encapsulation::erspan2, true,
                 [](Bytes frame, std::uint32_t n) { return one(erspan2_frame({}, frame, n)); }});
  all.push_back({"erspan2_ck", Encapsulation::erspan2, true, [](Bytes frame, std::uint32_t n) {
                   return one(erspan2_frame({}, frame, n, {.checksum = true, .key = 5}));
                 }});
  all.push_back({"erspan3", Encapsulation::erspan3, true, [](Bytes frame, std::uint32_t n) {
                   return one(erspan3_frame({}, {}, frame, n));
                 }});
  static const char* const names[] = {"erspan3_platform0", "erspan3_platform1", "",
                                      "erspan3_platform3", "erspan3_platform4", "erspan3_platform5",
                                      "erspan3_platform6", "erspan3_platform7"};
  for (const std::uint8_t platform : {0, 1, 3, 4, 5, 6, 7}) {
    all.push_back(
        {names[platform], Encapsulation::erspan3, true, [platform](Bytes frame, std::uint32_t n) {
           const Erspan3 erspan{.subheader = subheader(platform, 77, 0x11223344)};
           return one(erspan3_frame({}, erspan, frame, n));
         }});
  }
  all.push_back({"erspan3_ip", Encapsulation::erspan3, false, [](Bytes frame, std::uint32_t n) {
                   const Buffer packet = ip_part(frame);
                   if (packet.empty()) return std::vector<Buffer>{};
                   return one(erspan3_frame({}, {.pdu = false, .frame = 2}, packet, n));
                 }});
}

void add_outer_variants(std::vector<Wrapping>& all) {
  all.push_back(
      {"erspan2_ipv4_options", Encapsulation::erspan2, true,
       [](Bytes frame, std::uint32_t n) { return one(erspan2_frame(with_options(), frame, n)); }});
  all.push_back({"erspan2_ipv6", Encapsulation::erspan2, true, [](Bytes frame, std::uint32_t n) {
                   return one(erspan2_frame(over_ipv6(), frame, n));
                 }});
  all.push_back(
      {"erspan2_stacked_vlan", Encapsulation::erspan2, true,
       [](Bytes frame, std::uint32_t n) { return one(erspan2_frame(stacked(), frame, n)); }});
  all.push_back(
      {"erspan2_fragments", Encapsulation::erspan2, true, [](Bytes frame, std::uint32_t n) {
         return fragments(erspan2_frame({}, frame, n), 1000, n);
       }});
  all.push_back(
      {"erspan2_ipv6_fragments", Encapsulation::erspan2, true, [](Bytes frame, std::uint32_t n) {
         return fragments(erspan2_frame(over_ipv6(), frame, n), 1000, n);
       }});
  all.push_back(
      {"erspan2_in_vxlan", Encapsulation::erspan2, true, [](Bytes frame, std::uint32_t n) {
         return one(outer_udp({}, 4789, vxlan(9, erspan2_frame({}, frame, n))));
       }});
}

void add_overlays(std::vector<Wrapping>& all) {
  all.push_back({"vxlan", Encapsulation::vxlan, true, [](Bytes frame, std::uint32_t) {
                   return one(outer_udp({}, 4789, vxlan(42, frame)));
                 }});
  all.push_back({"vxlan_ipv6", Encapsulation::vxlan, true, [](Bytes frame, std::uint32_t) {
                   return one(outer_udp(over_ipv6(), 4789, vxlan(42, frame)));
                 }});
  all.push_back({"geneve", Encapsulation::geneve, true, [](Bytes frame, std::uint32_t) {
                   return one(outer_udp({}, 6081, geneve(43, frame)));
                 }});
  all.push_back({"geneve_options", Encapsulation::geneve, true, [](Bytes frame, std::uint32_t) {
                   const Buffer option = hex("01 02 81 02 00 00 00 01 00 00 00 02");
                   return one(outer_udp({}, 6081, geneve(43, frame, option, true)));
                 }});
  all.push_back({"vxlan_reserved", Encapsulation::vxlan, true, [](Bytes frame, std::uint32_t) {
                   Buffer header = vxlan(42, frame);
                   header[0] = 0xff;
                   header[7] = 0xff;
                   return one(outer_udp({}, 4789, header));
                 }});
  all.push_back(
      {"tzsp", Encapsulation::tzsp, true, [](Bytes frame, std::uint32_t) {
         return one(outer_udp({}, 37008, concat({hex("0100 0001 00 2902 05dc 01"), frame})));
       }});
  all.push_back({"capwap", Encapsulation::capwap, true, [](Bytes frame, std::uint32_t) {
                   return one(outer_udp({}, 5247, concat({hex("00 100200 0000 0000"), frame})));
                 }});
  all.push_back({"gre_in_udp", Encapsulation::gre, true, [](Bytes frame, std::uint32_t) {
                   return one(outer_udp({}, 4754, gre({.key = 0xcafe}, frame)));
                 }});
  all.push_back({"rspan", Encapsulation::rspan, true, [](Bytes frame, std::uint32_t) {
                   return one(tagged({ethertype::kVlan, kRspanVlan}, frame));
                 }});
}

/// Of tunnels that carry IP packets: a frame of anything else has no copy.
void add_tunnels_of_ip(std::vector<Wrapping>& all) {
  const auto add = [&](const char* name, Encapsulation kind, auto wrap) {
    all.push_back({name, kind, false, [wrap](Bytes frame, std::uint32_t) {
                     const Buffer packet = ip_part(frame);
                     return packet.empty() ? std::vector<Buffer>{} : one(wrap(packet));
                   }});
  };
  const auto is_v6 = [](const Buffer& packet) { return packet[0] >> 4 == 6; };
  add("ip_in_ip", Encapsulation::ip, [=](const Buffer& packet) {
    return outer_frame({}, is_v6(packet) ? ip_protocol::kIpv6 : ip_protocol::kIpv4, packet);
  });
  add("ip_in_ipv6", Encapsulation::ip, [=](const Buffer& packet) {
    return outer_frame(over_ipv6(), is_v6(packet) ? ip_protocol::kIpv6 : ip_protocol::kIpv4,
                       packet);
  });
  add("gre_ip", Encapsulation::gre, [=](const Buffer& packet) {
    const std::uint16_t protocol = is_v6(packet) ? ethertype::kIpv6 : ethertype::kIpv4;
    return outer_frame({}, ip_protocol::kGre, gre({.protocol = protocol, .key = 0xcafe}, packet));
  });
  add("gtp", Encapsulation::gtp, [](const Buffer& packet) {
    const Buffer header = Writer().u8(0x34).u8(255).u16(packet.size() + 8).u32(0x01020304).take();
    return outer_udp({}, 2152, concat({header, hex("0000 00 85  01 1009 00"), packet}));
  });
}

/// Of headers of the link layer that a whole frame follows.
void add_carried(std::vector<Wrapping>& all) {
  const auto add = [&](const char* name, Encapsulation kind, const char* header,
                       std::size_t behind) {
    all.push_back({name, kind, true, [=](Bytes frame, std::uint32_t) {
                     return one(concat(
                         {hex("020000000002 020000000001"), hex(header), frame, Buffer(behind)}));
                   }});
  };
  add("pbb", Encapsulation::pbb, "88a8 00c8 88e7 00abcdef", 0);
  add("fabricpath", Encapsulation::fabricpath, "8903 029f", 0);
  add("mpls_pw", Encapsulation::mpls, "8847 00064040 007d01ff 00000000", 0);
  add("mpls_pw_without_control", Encapsulation::mpls, "8847 007d01ff", 0);
  all.push_back({"isl", Encapsulation::isl, true, [](Bytes frame, std::uint32_t) {
                   const Buffer length = Writer().u16(frame.size() + 12 + 4).take();
                   return one(concat({hex("01000c0000 00 020000000001"), length,
                                      hex("aaaa03 00000c 00c8 0000 0000"), frame, Buffer(4)}));
                 }});
}

std::vector<Buffer> fragments_of_ipv4(Bytes frame, const Packet& p, std::size_t step,
                                      std::uint32_t id) {
  const Bytes head = frame.first(p.network);
  const std::size_t header = (frame[p.network] & 15) * 4u;
  const Bytes body = frame.subspan(p.network + header, p.network_size - header);
  std::vector<Buffer> out;
  for (std::size_t at = 0; at < body.size(); at += step) {
    const Bytes part = body.subspan(at, std::min(step, body.size() - at));
    Ip h;
    h.source = p.source_ip(frame);
    h.destination = p.destination_ip(frame);
    h.protocol = p.protocol;
    h.id = static_cast<std::uint16_t>(id);
    h.fragment_offset = static_cast<std::uint16_t>(at);
    h.more_fragments = at + part.size() < body.size();
    if (at == 0)
      h.options.assign(frame.begin() + p.network + 20,
                       frame.begin() + p.network + static_cast<std::ptrdiff_t>(header));
    out.push_back(concat({head, ip_packet(h, part)}));
  }
  return out;
}

/// RFC 8200 4.5: the fragment header stands behind the fixed and a hop-by-hop header, which every
/// fragment repeats; the other extension headers go with the payload.
std::vector<Buffer> fragments_of_ipv6(Bytes frame, const Packet& p, std::size_t step,
                                      std::uint32_t id) {
  const Bytes packet = p.network_of(frame);
  const bool hop_by_hop = packet[6] == 0;
  const std::size_t repeated = 40 + (hop_by_hop ? (packet[41] + 1u) * 8 : 0u);
  const std::size_t next_at = hop_by_hop ? 40 : 6;
  const Bytes body = packet.subspan(repeated);
  std::vector<Buffer> out;
  for (std::size_t at = 0; at < body.size(); at += step) {
    const Bytes part = body.subspan(at, std::min(step, body.size() - at));
    Buffer head(packet.begin(), packet.begin() + static_cast<std::ptrdiff_t>(repeated));
    store_be16(head.data() + 4, static_cast<std::uint16_t>(repeated - 40 + 8 + part.size()));
    const std::uint8_t next = head[next_at];
    head[next_at] = 44;
    const bool more = at + part.size() < body.size();
    const Buffer extension = Writer().u8(next).u8(0).u16(at | (more ? 1 : 0)).u32(id).take();
    out.push_back(concat({frame.first(p.network), head, extension, part}));
  }
  return out;
}

}  // namespace

Buffer outer_frame(const Outer& outer, std::uint8_t protocol, Bytes payload) {
  Ip header;
  header.source = outer.source;
  header.destination = outer.destination;
  header.protocol = protocol;
  header.id = outer.id;
  header.options = outer.options;
  header.extensions = outer.extensions;
  return ethernet(ip_packet(header, payload),
                  outer.source.version == 6 ? ethertype::kIpv6 : ethertype::kIpv4, outer.link);
}

Buffer gre(const Gre& h, Bytes payload) {
  const int flags = (h.checksum ? 0x8000 : 0) | (h.key ? 0x2000 : 0) | (h.sequence ? 0x1000 : 0);
  Writer w;
  w.u16(flags | h.extra_flags).u16(h.protocol);
  if (h.checksum) w.u32(0);
  if (h.key) w.u32(*h.key);
  if (h.sequence) w.u32(*h.sequence);
  Buffer out = w.bytes(payload).take();
  if (h.checksum) store_be16(out.data() + 4, checksum({out}));
  return out;
}

Buffer erspan2(const Erspan2& h, Bytes frame) {
  Writer w;
  w.u16(1 << 12 | h.vlan);
  w.u16(h.cos << 13 | h.en << 11 | (h.truncated ? 1 << 10 : 0) | h.session);
  return w.u32(h.index).bytes(frame).take();
}

Buffer erspan3(const Erspan3& h, Bytes frame) {
  Writer w;
  w.u16(2 << 12 | h.vlan);
  w.u16(h.cos << 13 | h.bso << 11 | (h.truncated ? 1 << 10 : 0) | h.session);
  w.u32(h.timestamp).u16(h.sgt);
  w.u16((h.pdu ? 1 << 15 : 0) | h.frame << 10 | h.hardware << 4 | (h.egress ? 1 << 3 : 0) |
        h.granularity << 1 | (h.subheader ? 1 : 0));
  if (h.subheader) w.u64(*h.subheader);
  return w.bytes(frame).take();
}

std::uint64_t subheader(std::uint8_t platform, std::uint32_t port, std::uint32_t time) {
  const std::uint64_t id = static_cast<std::uint64_t>(platform) << 58;
  const std::uint64_t wide = port;
  switch (platform) {
    case 1:
      return id | 5ULL << 32 | wide;  // VSM domain 5, port ID
    case 3:
      return id | wide << 32 | time;
    case 5:
    case 6:
      return id | 9ULL << 48 | wide << 32 | time;  // switch 9
    case 0:
    case 7:
      return id | wide << 32 | time;
    default:
      return id;
  }
}

Buffer vxlan(std::uint32_t vni, Bytes frame) {
  return Writer().u32(0x08000000).u24(vni).u8(0).bytes(frame).take();
}

Buffer geneve(std::uint32_t vni, Bytes frame, Bytes options, bool critical,
              std::uint16_t protocol) {
  Writer w;
  w.u8(options.size() / 4).u8(critical ? 0x40 : 0).u16(protocol).u24(vni).u8(0);
  return w.bytes(options).bytes(frame).take();
}

Buffer tagged(VlanTag tag, Bytes frame) {
  const Buffer bytes = Writer().u16(tag.tpid).u16(tag.tci).take();
  return concat({frame.first(12), bytes, frame.subspan(12)});
}

Buffer ip_part(Bytes frame) {
  const Packet p = parse_packet(frame, LinkType::ethernet);
  if (p.ip_version == 0 || p.network_size == 0) return {};
  const Bytes part = p.network_of(frame);
  return {part.begin(), part.end()};
}

std::vector<Buffer> fragments(Bytes frame, std::size_t payload, std::uint32_t id) {
  const Packet p = parse_packet(frame, LinkType::ethernet);
  const std::size_t step = payload / 8 * 8;
  if (p.ip_version == 4) return fragments_of_ipv4(frame, p, step, id);
  return fragments_of_ipv6(frame, p, step, id);
}

std::span<const Wrapping> wrappings() {
  static const std::vector<Wrapping> table = [] {
    std::vector<Wrapping> all;
    add_erspan(all);
    add_gre_mixes(all);
    add_overlays(all);
    add_outer_variants(all);
    add_tunnels_of_ip(all);
    add_carried(all);
    return all;
  }();
  return table;
}

const Wrapping& wrapping(std::string_view name) {
  for (const Wrapping& w : wrappings())
    if (name == w.name) return w;
  std::fprintf(stderr, "no wrapping %.*s\n", static_cast<int>(name.size()), name.data());
  std::abort();
}

}  // namespace vmirror::test
