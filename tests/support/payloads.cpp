#include "tests/support/payloads.hpp"

#include <cstdio>
#include <cstdlib>

namespace vmirror::test {
namespace {

/// A type-length-value element of LLDP.
Buffer tlv(int type, Bytes value) {
  return concat({Writer().u16(static_cast<unsigned>(type) << 9 | value.size()).take(), value});
}
/// The same with an OUI and a subtype.
Buffer own(std::uint32_t oui, int subtype, Bytes value) {
  return tlv(127, concat({Writer().u24(oui).u8(static_cast<unsigned>(subtype)).take(), value}));
}

Buffer lldp_switch() {
  return concat({tlv(1, hex("04 5254000000aa")), tlv(2, concat({hex("05"), text("Gi1/0/7")})),
                 tlv(3, hex("0078")), tlv(4, text("to plc 7")), tlv(5, text("core-sw1")),
                 tlv(6, text("ExampleOS 17.3, C9300")), tlv(7, hex("0014 0014")),
                 tlv(8, hex("05 01 0a0000fe 02 00000001 00")), own(0x0080c2, 1, hex("0007")),
                 own(0x0012bb, 6, text("1.2.3")), own(0x0012bb, 8, text("FCW123")),
                 own(0x0012bb, 9, text("Example Networks")), own(0x0012bb, 10, text("C9300-24T")),
                 hex("0000")});
}

/// The fixed part of DHCP, with the cookie.
Buffer dhcp_head(int op, std::string_view assigned, std::string_view client) {
  return Writer()
      .u8(static_cast<unsigned>(op))
      .bytes(hex("01 06 00 3903f326 0000 0000"))
      .bytes(ip(client).bytes())
      .bytes(ip(assigned).bytes())
      .bytes(ip(op == 2 ? "10.0.0.254" : "0.0.0.0").bytes())
      .zeros(4)
      .bytes(mac("52:54:00:00:00:01").octets)
      .zeros(10 + 64 + 128)
      .u32(0x63825363)
      .take();
}
Buffer dhcp_request() {
  return concat({dhcp_head(1, "0.0.0.0", "0.0.0.0"), hex("35 01 03  32 04 0a000007  0c 05"),
                 text("plc-7"), hex("3c 08"), text("MSFT 5.0"), hex("3d 07 01 525400000001"),
                 hex("51 0f 00 00 00"), text("plc-7.lan   "), hex("37 04 01 03 06 0f ff")});
}
Buffer dhcp_ack() {
  return concat({dhcp_head(2, "10.0.0.7", "0.0.0.0"),
                 hex("35 01 05  36 04 0a0000fe  33 04 00000e10  3a 04 00000708  3b 04 00000c4e"),
                 hex("01 04 ffffff00  03 04 0a0000fe  06 08 0a000035 08080808  0f 03"), text("lan"),
                 hex("ff")});
}

Buffer dns_name(std::initializer_list<std::string_view> labels, bool end = true) {
  Writer out;
  for (const std::string_view label : labels) out.u8(label.size()).bytes(text(label));
  if (end) out.u8(0);
  return out.take();
}
Buffer dns_query() {
  return concat({hex("0007 0100 0001 0000 0000 0000"), dns_name({"www", "example", "com"}),
                 hex("0001 0001")});
}
/// www.example.com is an alias of web1.example.com, 192.0.2.80.
Buffer dns_answer() {
  return concat({hex("0007 8180 0001 0002 0001 0000"), dns_name({"www", "example", "com"}),
                 hex("0001 0001"), hex("c00c 0005 0001 0000003c 0007"), dns_name({"web1"}, false),
                 hex("c010"), hex("c02d 0001 0001 0000001e 0004 c0000250"),
                 hex("c010 0002 0001 00000e10 0005"), dns_name({"ns"}, false), hex("c010")});
}
Buffer dns_over_tcp(Bytes message) {
  return concat({Writer().u16(message.size()).take(), message});
}
/// A printer's announcement: service, SRV with port, TXT with the model, address.
Buffer mdns_announcement() {
  return concat({hex("0000 8400 0000 0002 0000 0003"), dns_name({"_ipp", "_tcp", "local"}),
                 hex("000c 0001 00001194 0008"), dns_name({"Laser"}, false), hex("c00c"),
                 dns_name({"Laser", "_device-info", "_tcp", "local"}),
                 hex("0010 0001 00001194 000e 0d"), text("model=LJ-4000"),
                 hex("c027 0021 8001 00000078 000f 0000 0000 0277"), dns_name({"laser7"}, false),
                 hex("c016"), hex("c078 0001 8001 00000078 0004 0a000007"),
                 hex("c078 001c 8001 00000078 0010 fe80000000000000505400fffe000001")});
}

Buffer modbus(std::uint16_t transaction, Bytes pdu) {
  return concat({Writer().u16(transaction).u16(0).u16(pdu.size() + 1).u8(17).take(), pdu});
}
Buffer device_identification() {
  return modbus(5, concat({hex("2b 0e 01 01 00 00 03  00 08"), text("Example "), hex("01 06"),
                           text("PLC-77"), hex("02 04"), text("V2.4")}));
}

Buffer router_advertisement(const Ip& ends) {
  return icmp(134, 0,
              hex("40 80 0708 00000000 00000000 01 01 525400000001 05 01 0000 000005dc"
                  "03 04 40 c0 00015180 00003840 00000000 20010db8000000000000000000000000"
                  "19 03 0000 0000003c 20010db8000000000000000000000053"),
              ends);
}

std::vector<Payload> make() {
  const Ip six{.source = ip("fe80::1"), .destination = ip("ff02::1")};
  const Buffer dropped = ip_packet({.ttl = 1}, udp({.destination_port = 53}, counting(8)));
  const Buffer target = hex("fe800000000000000000000000000001");
  const Buffer group = hex("ff020000000000000000000000000fb0");
  std::vector<Payload> out;
  const auto add = [&](std::string_view protocol, std::string_view what, Buffer bytes,
                       bool to_server = true) {
    out.push_back({protocol, what, to_server, std::move(bytes)});
  };
  add("arp", "request",
      hex("0001 0800 06 04 0001 525400000001 0a000001 000000000000 0a000002 0000"));
  add("arp", "reply", hex("0001 0800 06 04 0002 525400000002 0a000002 525400000001 0a000001"),
      false);
  add("arp", "probe", hex("0001 0800 06 04 0001 525400000001 00000000 000000000000 0a000002"));
  add("lldp", "switch", lldp_switch());
  add("icmp", "echo request", icmp(8, 0, hex("0001 0005 6162")));
  add("icmp", "echo reply", icmp(0, 0, hex("0001 0005 6162")), false);
  add("icmp", "time exceeded", icmp(11, 0, concat({hex("00000000"), dropped})));
  add("icmp", "fragmentation needed", icmp(3, 4, concat({hex("00000578"), dropped})));
  add("icmp", "redirect", icmp(5, 1, concat({hex("0a0000fe"), dropped})));
  add("icmp6", "echo request", icmp(128, 0, hex("0001 0005"), six));
  add("icmp6", "router advertisement", router_advertisement(six));
  add("icmp6", "neighbor solicitation",
      icmp(135, 0, concat({hex("00000000"), target, hex("01 01 525400000001")}), six));
  add("icmp6", "neighbor advertisement",
      icmp(136, 0, concat({hex("e0000000"), target, hex("02 01 525400000001")}), six));
  add("icmp6", "mld report", icmp(131, 0, concat({hex("00000000"), group}), six));
  add("icmp6", "mld report v2", icmp(143, 0, concat({hex("0000 0001 04 00 0000"), group}), six));
  add("igmp", "query", hex("11 64 ee9b 00000000"));
  add("igmp", "report v2", hex("16 00 0904 e00000fb"));
  add("igmp", "report v3", hex("22 00 f902 0000 0001 04 00 0000 e00000fb"));
  add("dhcp", "request", dhcp_request());
  add("dhcp", "ack", dhcp_ack(), false);
  add("mdns", "announcement", mdns_announcement());
  add("mdns", "question",
      concat({hex("0000 0000 0001 0000 0000 0000"), dns_name({"_ipp", "_tcp", "local"}),
              hex("000c 8001")}));
  add("dns", "query", dns_query());
  add("dns", "answer", dns_answer(), false);
  add("dns/tcp", "query", dns_over_tcp(dns_query()));
  add("dns/tcp", "answer", dns_over_tcp(dns_answer()), false);
  add("modbus", "read holding registers", modbus(1, hex("03 006b 0003")));
  add("modbus", "registers", modbus(1, hex("03 06 022b 0000 0064")), false);
  add("modbus", "exception", modbus(1, hex("83 02")), false);
  add("modbus", "write single coil", modbus(2, hex("05 00ac ff00")));
  add("modbus", "write multiple registers", modbus(3, hex("10 0001 0002 04 000a 0102")));
  add("modbus", "read write", modbus(4, hex("17 0003 0006 000e 0003 06 00ff 00ff 00ff")));
  add("modbus", "device query", modbus(5, hex("2b 0e 01 00")));
  add("modbus", "device identification", device_identification(), false);
  return out;
}

}  // namespace

const std::vector<Payload>& payloads() {
  static const std::vector<Payload> all = make();
  return all;
}

std::vector<Payload> payloads_of(std::string_view protocol) {
  std::vector<Payload> out;
  for (const Payload& each : payloads())
    if (each.protocol == protocol) out.push_back(each);
  return out;
}

const Buffer& payload(std::string_view protocol, std::string_view what) {
  for (const Payload& each : payloads())
    if (each.protocol == protocol && each.what == what) return each.bytes;
  std::fprintf(stderr, "no payload %s, %s\n", std::string(protocol).c_str(),
               std::string(what).c_str());
  std::abort();
}

std::vector<Buffer> seeds_of(std::string_view protocol) {
  std::vector<Buffer> out;
  for (const Payload& each : payloads_of(protocol)) out.push_back(each.bytes);
  return out;
}

}  // namespace vmirror::test
