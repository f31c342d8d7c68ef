// Fuzzes the header parser: every offset and size of a Packet must lie within the frame.
#include <cstdlib>

#include "agent/engine/wire/packet.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "tests/support/encapsulate.hpp"

using namespace vmirror;

VMIRROR_FUZZ(bytes) {
  for (const LinkType link : {LinkType::ethernet, LinkType::ip, LinkType::linux_sll,
                              LinkType::linux_sll2, LinkType::bsd_null, LinkType::wlan}) {
    const Packet p = parse_packet(bytes, link, {0x8100, 5});
    if (p.network + p.network_size > static_cast<int>(bytes.size())) std::abort();
    if (p.payload + p.payload_size > static_cast<int>(bytes.size())) std::abort();
    if (p.payload_size > p.payload_wire_size || p.transport > p.payload) std::abort();
    if (p.tag_count > Packet::kMaxTags) std::abort();
    if (p.ip_version != 0) p.destination_ip(bytes);
    if (p.has_macs) p.source_mac(bytes);
  }
}

VMIRROR_SEEDS() {
  using namespace vmirror::test;
  const Buffer udp = udp_frame({.tags = {{0x88a8, 2}, {0x8100, 3}}}, counting(20));
  const Buffer tcp = tcp_frame({.source = ip("fe80::1"), .destination = ip("fe80::2")});
  std::vector<Buffer> seeds = {udp,
                               tcp,
                               ping_frame({}),
                               arp_frame({}),
                               ip_part(tcp),
                               llc(0x42, 0x42, 3, counting(35)),
                               snap(0x00000c, 0x2000, counting(40)),
                               concat({hex("0000 0001 0006 525400000001 0000 0800"), ip_part(udp)}),
                               concat({hex("02000000"), ip_part(udp)}),
                               concat({hex("8881 0000"), counting(20), hex("0500 00000000"),
                                       hex("aaaa03 000000 0800"), ip_part(udp)})};
  for (const Wrapping& w : wrappings())
    for (const Buffer& frame : w.wrap(udp, 1)) seeds.push_back(frame);
  return seeds;
}
