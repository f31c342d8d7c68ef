#include "tests/golden/captures.hpp"
#include "tests/support/payloads.hpp"

namespace vmirror::test {
namespace {

const Ends kTwo;  // 10.0.0.1 and 10.0.0.2
const Mac kBroadcast = mac("ff:ff:ff:ff:ff:ff");

Ends to_port(std::uint16_t port) {
  Ends ends;
  ends.destination_port = port;
  return ends;
}

/// A payload right above IP, from one to the other.
Buffer over_ip(const Ends& ends, std::uint8_t protocol, Bytes payload, std::uint8_t ttl = 64) {
  Ip header{.source = ends.source, .destination = ends.destination, .protocol = protocol};
  header.ttl = ttl;
  const bool v6 = ends.source.version == 6;
  return ethernet(ip_packet(header, payload), v6 ? ethertype::kIpv6 : ethertype::kIpv4,
                  {ends.destination_mac, ends.source_mac, ends.tags});
}

Capture arp() {
  Story story;
  story.add(arp_frame(kTwo, 1)).add(arp_frame(kTwo.reversed(), 2));
  const Link announced{kBroadcast, mac("52:54:00:00:00:01"), {}};
  story.add(ethernet(payload("arp", "probe"), ethertype::kArp, announced));
  Ends own = kTwo;  // An announcement asks for its own address.
  own.destination = own.source;
  story.add(arp_frame(own, 1));
  Buffer wrong = payload("arp", "request");
  wrong[4] = 8;  // An address of Ethernet has six bytes.
  story.add(ethernet(wrong, ethertype::kArp, announced));
  return story.named("arp");
}

Capture lldp() {
  const Link link{mac("01:80:c2:00:00:0e"), mac("52:54:00:00:00:aa"), {}};
  const Buffer& whole = payload("lldp", "switch");
  Story story;
  story.add(ethernet(whole, ethertype::kLldp, link));
  story.add(ethernet(Bytes(whole).first(20), ethertype::kLldp, link));  // Breaks off inside a TLV.
  return story.named("lldp");
}

Capture icmp() {
  const Ends router{.source_mac = mac("52:54:00:00:00:fe"),
                    .destination_mac = kTwo.source_mac,
                    .source = ip("10.0.0.254"),
                    .destination = kTwo.source};
  Story story;
  for (const std::uint16_t sequence : {1, 2})
    story.add(ping_frame(kTwo, sequence)).add(ping_frame(kTwo.reversed(), sequence, true));
  for (const char* what : {"time exceeded", "fragmentation needed", "redirect"})
    story.add(over_ip(router, ip_protocol::kIcmp, payload("icmp", what)));
  Buffer wrong = ping_frame(kTwo, 3);
  wrong.back() ^= 1;  // The checksum no longer fits.
  story.add(wrong);
  return story.named("icmp");
}

Capture icmp6() {
  const Ends six{.source_mac = mac("52:54:00:00:00:01"),
                 .destination_mac = mac("33:33:00:00:00:01"),
                 .source = ip("fe80::1"),
                 .destination = ip("ff02::1")};
  Story story;
  for (const Payload& each : payloads_of("icmp6"))
    story.add(over_ip(six, ip_protocol::kIcmpv6, each.bytes, 255));
  Ends ping = kTwo;
  ping.source = ip("fd00::1");
  ping.destination = ip("fd00::2");
  story.add(ping_frame(ping)).add(ping_frame(ping.reversed(), 1, true));
  return story.named("icmp6");
}

Capture igmp() {
  const auto sent = [](const char* from_mac, const char* from, const char* group,
                       const char* what) {
    Ip header{
        .source = ip(from), .destination = ip(group), .protocol = ip_protocol::kIgmp, .ttl = 1};
    header.options = hex("94 04 00 00");  // Router alert, RFC 2113.
    Mac to = mac("01:00:5e:00:00:00");    // RFC 1112, section 6.4
    for (int i = 3; i < 6; ++i) to.octets[i] = header.destination.bytes()[i - 2];
    return ethernet(ip_packet(header, payload("igmp", what)), ethertype::kIpv4,
                    {to, mac(from_mac), {}});
  };
  Story story;
  story.add(sent("52:54:00:00:00:fe", "10.0.0.254", "224.0.0.1", "query"));
  story.add(sent("52:54:00:00:00:01", "10.0.0.1", "224.0.0.251", "report v2"));
  story.add(sent("52:54:00:00:00:01", "10.0.0.1", "224.0.0.22", "report v3"));
  return story.named("igmp");
}

Capture dhcp() {
  const Ends client{.source_mac = mac("52:54:00:00:00:01"),
                    .destination_mac = kBroadcast,
                    .source = ip("0.0.0.0"),
                    .destination = ip("255.255.255.255"),
                    .source_port = 68,
                    .destination_port = 67};
  const Ends server{.source_mac = mac("52:54:00:00:00:fe"),
                    .destination_mac = mac("52:54:00:00:00:01"),
                    .source = ip("10.0.0.254"),
                    .destination = ip("10.0.0.7"),
                    .source_port = 67,
                    .destination_port = 68};
  Story story;
  story.add(udp_frame(client, payload("dhcp", "request")));
  story.add(udp_frame(server, payload("dhcp", "ack")));
  return story.named("dhcp");
}

Capture dns() {
  Story story;
  for (const std::uint16_t port : {53, 5454}) {  // At its own port, and found by the probe.
    story.add(udp_frame(to_port(port), payload("dns", "query")));
    story.add(udp_frame(to_port(port).reversed(), payload("dns", "answer")));
  }
  Buffer loop = payload("dns", "query");
  loop.resize(12);
  loop = concat({loop, hex("c00c 0001 0001")});  // A name that points at itself.
  story.add(udp_frame(to_port(53), loop));
  return story.named("dns");
}

Capture dns_tcp() {
  Story story;
  Connection connection(story, to_port(53));
  connection.up(payload("dns/tcp", "query"));
  const Bytes answer = payload("dns/tcp", "answer");
  connection.down(answer.first(1));  // Within the length that precedes the message.
  connection.down(answer.subspan(1, 30));
  connection.down(answer.subspan(31));
  connection.close();
  return story.named("dns_tcp");
}

Capture mdns() {
  const auto from = [](const char* host) {
    return Ends{.source_mac = mac("52:54:00:00:00:01"),
                .destination_mac = mac("01:00:5e:00:00:fb"),
                .source = ip(host),
                .destination = ip("224.0.0.251"),
                .source_port = 5353,
                .destination_port = 5353};
  };
  Story story;
  story.add(udp_frame(from("10.0.0.1"), payload("mdns", "question")));
  story.add(udp_frame(from("10.0.0.7"), payload("mdns", "announcement")));
  return story.named("mdns");
}

Capture modbus() {
  Story story;
  Connection connection(story, to_port(502));
  connection.up(payload("modbus", "read holding registers"));
  connection.down(payload("modbus", "registers"));
  connection.up(payload("modbus", "read holding registers"));
  connection.down(payload("modbus", "exception"));
  for (const char* what : {"write single coil", "write multiple registers", "read write"})
    connection.up(payload("modbus", what));
  connection.up(payload("modbus", "device query"));
  connection.down(payload("modbus", "device identification"));
  connection.close();
  return story.named("modbus");
}

/// Where the segments end is no business of the messages'.
Capture modbus_segments() {
  Story story;
  Connection connection(story, to_port(502));
  const Buffer& ask = payload("modbus", "read holding registers");
  const Buffer& coil = payload("modbus", "write single coil");
  connection.up(concat({ask, coil, payload("modbus", "device query")}));  // Three in one segment.
  const Buffer answers =
      concat({payload("modbus", "registers"), payload("modbus", "device identification")});
  const Bytes all(answers);
  const std::uint32_t from = connection.pass(false, all.size());
  connection.segment(false, from, all.first(3));  // Inside the first header.
  connection.segment(false, from + 20, all.subspan(20));
  connection.segment(false, from + 3, all.subspan(3, 17));  // The hole is filled.
  connection.segment(false, from + 3, all.subspan(3, 17));  // Sent again.
  connection.close();
  return story.named("modbus_segments");
}

/// A segment that the mirror lost: the message in it can't be read, the next one is.
Capture modbus_gap() {
  Story story;
  Connection connection(story, to_port(502));
  connection.up(payload("modbus", "read holding registers"));
  const Bytes answer = payload("modbus", "registers");
  const std::uint32_t from = connection.pass(false, answer.size());
  connection.segment(false, from, answer.first(8));  // The rest is never seen.
  connection.up(payload("modbus", "device query"));
  connection.down(payload("modbus", "device identification"));
  connection.close();
  return story.named("modbus_gap");
}

Capture modbus_odd_port() {
  Story story;
  Connection connection(story, to_port(1502));
  connection.up(payload("modbus", "read holding registers"));
  connection.down(payload("modbus", "registers"));
  connection.close();
  return story.named("modbus_odd_port");
}

}  // namespace

std::vector<Capture> protocol_captures() {
  return {arp(),     lldp(), icmp(),   icmp6(),           igmp(),       dhcp(),           dns(),
          dns_tcp(), mdns(), modbus(), modbus_segments(), modbus_gap(), modbus_odd_port()};
}

}  // namespace vmirror::test
