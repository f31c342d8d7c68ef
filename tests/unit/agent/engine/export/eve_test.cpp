// EVE lines, each kind as it is written.
#include "agent/engine/export/eve.hpp"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "tests/support/frames.hpp"

namespace vmirror {
namespace {

using test::ip;
using test::mac;

constexpr Time kNow = 1'767'323'045'678'901'000;  // 2026-01-02T03:04:05.678901Z

EventHead dns_head() {
  EventHead head;
  head.time = kNow;
  head.flow_id = 7;
  head.in_iface = "mon0";
  head.src_ip = ip("10.0.0.1");
  head.dest_ip = ip("10.0.0.2");
  head.src_port = 40000;
  head.dest_port = 53;
  head.protocol = ip_protocol::kUdp;
  head.app_proto = "dns";
  return head;
}

std::string record_line(const EventHead& head, const Facts& facts) {
  std::string out;
  append_record_event(out, head, facts.records()[0], facts.fields(facts.records()[0]));
  return out;
}

/// True when `line` is one JSON object and a line's end.
bool is_line(const std::string& line) {
  boost::json::error_code error;
  const auto value = boost::json::parse(line, error);
  return !error && value.is_object() && line.find('\n') == line.size() - 1;
}

TEST(EveRecord, BecomesAnEventOfItsProtocol) {
  const test::Buffer raw = test::hex("00 ff");
  Facts facts;
  facts.record("dns");
  facts.add("type", "query");
  facts.add("id", 4660U);
  facts.add("ttl", -1);
  facts.open_array("answers");
  facts.open_object("");
  facts.add("rdata", ip("2001:db8::7"));
  facts.add("raw", Bytes(raw));
  facts.close();
  facts.add("", mac("52:54:00:00:00:09"));
  facts.close();
  facts.add("authoritative", true);
  facts.add("load", 0.25);
  EXPECT_EQ(record_line(dns_head(), facts),
            R"({"timestamp":"2026-01-02T03:04:05.678901+0000","flow_id":7,"in_iface":"mon0",)"
            R"("event_type":"dns","src_ip":"10.0.0.1","src_port":40000,"dest_ip":"10.0.0.2",)"
            R"("dest_port":53,"proto":"UDP","app_proto":"dns",)"
            R"("community_id":"1:RXKURpyQITZU13SCYbIzaVPTxaQ=","dns":{"type":"query","id":4660,)"
            R"("ttl":-1,"answers":[{"rdata":"2001:db8::7","raw":"00ff"},"52:54:00:00:00:09"],)"
            R"("authoritative":true,"load":0.25}})"
            "\n");
}

TEST(EveRecord, TellsHowTheFrameCame) {
  Facts facts;
  facts.record("dns");
  EventHead head = dns_head();
  head.vlans = {100, 200};
  head.vlan_count = 2;
  head.src_mac = mac("52:54:00:00:00:01");
  head.dest_mac = mac("52:54:00:00:00:02");
  head.origin.encapsulation = Encapsulation::erspan2;
  head.origin.has_session = true;
  head.origin.session = 5;
  head.origin.sender = ip("192.0.2.9");
  head.origin.direction = Direction::out;
  head.origin.truncated = true;
  head.vm = "we\"b";
  EXPECT_EQ(record_line(head, facts),
            R"({"timestamp":"2026-01-02T03:04:05.678901+0000","flow_id":7,"in_iface":"mon0",)"
            R"("event_type":"dns","vlan":[100,200],"src_ip":"10.0.0.1","src_port":40000,)"
            R"("dest_ip":"10.0.0.2","dest_port":53,"proto":"UDP","app_proto":"dns",)"
            R"("ether":{"src_mac":"52:54:00:00:00:01","dest_mac":"52:54:00:00:00:02"},)"
            R"("community_id":"1:RXKURpyQITZU13SCYbIzaVPTxaQ=",)"
            R"("vmirror":{"session":5,"encapsulation":"erspan2","sender":"192.0.2.9",)"
            R"("vm":"we\"b","direction":"out","truncated":true},"dns":{}})"
            "\n");
}

TEST(EveRecord, LeftOpenOrClosedTooOftenIsStillALine) {
  Facts facts;
  facts.record("x");
  facts.close();
  facts.open_array("a");
  facts.open_object("");
  facts.add("b", "\xff");
  EXPECT_EQ(record_line({}, facts),
            R"({"timestamp":"1970-01-01T00:00:00.000000+0000","event_type":"x",)"
            R"("x":{"a":[{"b":"\\xff"}]}})"
            "\n");
  Facts deep;
  deep.record("x");
  for (int i = 0; i < 200; ++i) deep.open_object("o");
  deep.add("lost", 1U);
  EXPECT_TRUE(is_line(record_line({}, deep)));
}

struct ProtocolCase {
  std::uint8_t protocol;
  const char* expected;
};

TEST(EveRecord, NamesTheProtocolAsSuricataDoes) {
  const ProtocolCase cases[] = {
      {1, R"("dest_ip":"10.0.0.2","proto":"ICMP","icmp_type":8,"icmp_code":3,)"},
      {58, R"("dest_ip":"10.0.0.2","proto":"IPv6-ICMP","icmp_type":8,"icmp_code":3,)"},
      {6, R"("dest_ip":"10.0.0.2","dest_port":1,"proto":"TCP",)"},
      {132, R"("dest_ip":"10.0.0.2","dest_port":1,"proto":"SCTP",)"},
      {2, R"("dest_ip":"10.0.0.2","proto":"IGMP",)"},
      {4, R"("dest_ip":"10.0.0.2","proto":"IP-in-IP",)"},
      {41, R"("dest_ip":"10.0.0.2","proto":"IPv6",)"},
      {47, R"("dest_ip":"10.0.0.2","proto":"GRE",)"},
      {144, R"("dest_ip":"10.0.0.2","proto":"144",)"},
      {0xff, R"("dest_ip":"10.0.0.2","x")"},
  };
  Facts facts;
  facts.record("x");
  for (const ProtocolCase& c : cases) {
    EventHead head;
    head.src_ip = ip("10.0.0.1");
    head.dest_ip = ip("10.0.0.2");
    head.src_port = 8 << 8 | 3;
    head.dest_port = 1;
    head.protocol = c.protocol;
    const std::string line = record_line(head, facts);
    EXPECT_NE(line.find(c.expected), line.npos) << line;
  }
}

TEST(EveHead, ReadsTheFrame) {
  const test::Buffer bytes = test::udp_frame({.tags = {{0x88a8, 2}, {0x8100, 3}}});
  const Frame frame = test::frame_of(bytes, kNow);
  Origin origin;
  origin.session = 9;
  const EventHead head = event_head(frame, parse_packet(bytes, frame.link), origin);
  EXPECT_EQ(head.time, kNow);
  EXPECT_EQ(head.vlan_count, 2);
  EXPECT_EQ(head.vlans[0], 2);
  EXPECT_EQ(head.vlans[1], 3);
  EXPECT_EQ(head.src_mac, mac("52:54:00:00:00:01"));
  EXPECT_EQ(head.dest_ip, ip("10.0.0.2"));
  EXPECT_EQ(head.src_port, 40000);
  EXPECT_EQ(head.protocol, ip_protocol::kUdp);
  EXPECT_EQ(head.origin.session, 9U);
}

Flow tcp_flow() {
  Flow flow;
  flow.id = 12;
  flow.ip = {ip("10.0.0.1"), ip("10.0.0.2")};
  flow.mac = {mac("52:54:00:00:00:01"), mac("52:54:00:00:00:02")};
  flow.port = {40000, 502};
  flow.protocol = ip_protocol::kTcp;
  flow.vlan = 7;
  flow.packets = {6, 5};
  flow.bytes = {600, 500};
  flow.first = kNow - 2 * kSecond - 1;
  flow.last = kNow;
  flow.tcp_flags = {0x1b, 0x12};
  flow.tcp = TcpState::closed;
  flow.end = FlowEnd::closed;
  flow.application = "modbus";
  return flow;
}

TEST(EveFlow, OfTcp) {
  std::string out;
  EventHead head = event_head(tcp_flow());
  head.host = "kvm7";
  head.in_iface = "mon0";
  append_flow_event(out, head, tcp_flow());
  EXPECT_EQ(out, R"({"timestamp":"2026-01-02T03:04:05.678901+0000","flow_id":12,"host":"kvm7",)"
                 R"("in_iface":"mon0",)"
                 R"("event_type":"flow","vlan":[7],"src_ip":"10.0.0.1","src_port":40000,)"
                 R"("dest_ip":"10.0.0.2","dest_port":502,"proto":"TCP","app_proto":"modbus",)"
                 R"("ether":{"src_mac":"52:54:00:00:00:01","dest_mac":"52:54:00:00:00:02"},)"
                 R"("community_id":"1:/+JBy2Q1zp1KkEWqSPgaxJf5R90=",)"
                 R"("flow":{"pkts_toserver":6,"pkts_toclient":5,"bytes_toserver":600,)"
                 R"("bytes_toclient":500,"start":"2026-01-02T03:04:03.678900+0000",)"
                 R"("end":"2026-01-02T03:04:05.678901+0000","age":2,"state":"closed",)"
                 R"("reason":"timeout"},"tcp":{"tcp_flags":"1b","tcp_flags_ts":"1b",)"
                 R"("tcp_flags_tc":"12","fin":true,"syn":true,"psh":true,"ack":true,)"
                 R"("state":"closed"}})"
                 "\n");
}

struct FlowCase {
  const char* name;
  std::uint8_t protocol;
  TcpState tcp;
  std::uint64_t answers;
  FlowEnd end;
  const char* expected;
};

TEST(EveFlow, StateAndReason) {
  using enum FlowEnd;
  const FlowCase cases[] = {
      {"unanswered", 17, TcpState::none, 0, idle, R"("state":"new","reason":"timeout")"},
      {"answered", 17, TcpState::none, 1, evicted, R"("state":"established","reason":"evicted")"},
      {"goes on", 6, TcpState::established, 1, none, R"("state":"established","reason":"active")"},
      {"from the middle", 6, TcpState::midstream, 0, flushed,
       R"("state":"established","reason":"shutdown")"},
      {"SYN alone", 6, TcpState::syn, 0, idle, R"("state":"new","reason":"timeout")"},
      {"migrated", 6, TcpState::established, 1, moved, R"("state":"established","reason":"moved")"},
      {"reset", 6, TcpState::reset, 1, closed, R"("state":"closed","reason":"timeout")"},
  };
  for (const FlowCase& c : cases) {
    Flow flow = tcp_flow();
    flow.protocol = c.protocol;
    flow.tcp = c.tcp;
    flow.packets[1] = c.answers;
    flow.end = c.end;
    std::string out;
    append_flow_event(out, event_head(flow), flow);
    EXPECT_NE(out.find(c.expected), out.npos) << c.name << ": " << out;
    const bool goes_on = c.end == none || c.end == moved;
    EXPECT_NE(out.find(goes_on ? R"("event_type":"flow_interim")" : R"("event_type":"flow")"),
              out.npos)
        << c.name << ": " << out;
  }
}

TEST(EveFlow, TellsHowItsFirstFrameCame) {
  Origin erspan;
  erspan.encapsulation = Encapsulation::erspan3;
  erspan.has_session = true;
  erspan.session = 5;
  erspan.group = 77;
  erspan.hardware_id = 0x3f;
  Origin vxlan;
  vxlan.encapsulation = Encapsulation::vxlan;
  vxlan.has_session = true;
  vxlan.session = 5001;
  vxlan.overlay = overlay_scope(Encapsulation::vxlan, 5001);
  const struct {
    Origin origin;
    const char* told;
  } cases[] = {
      {erspan, R"("vmirror":{"session":5,"encapsulation":"erspan3","sgt":77,"hardware_id":63,)"
               R"("vm":"plc","nic":"vnet3","direction":"in"})"},
      {vxlan, R"("vmirror":{"session":5001,"encapsulation":"vxlan","vni":5001,"vm":"plc",)"
              R"("nic":"vnet3","direction":"in"})"},
      {{}, R"("vmirror":{"vm":"plc","nic":"vnet3","direction":"in"})"}};
  for (const auto& c : cases) {
    Flow flow = tcp_flow();
    flow.last -= flow.last % 1000;
    flow.origin = FlowOrigin(c.origin);
    EventHead head = event_head(flow);
    head.vm = "plc";
    head.nic = "vnet3";
    head.origin.direction = Direction::in;
    std::string out;
    append_flow_event(out, head, flow);
    EXPECT_NE(out.find(c.told), out.npos) << c.told << "\n" << out;
  }
}

TEST(EveFlow, BelowIpHasItsEtherType) {
  Flow flow;
  flow.mac = {mac("52:54:00:00:00:01"), mac("ff:ff:ff:ff:ff:ff")};
  flow.protocol = ip_protocol::kNone;
  flow.ethertype = ethertype::kArp;
  std::string out;
  append_flow_event(out, event_head(flow), flow);
  EXPECT_NE(out.find(R"("ether_type":2054,"flow":)"), out.npos) << out;
  EXPECT_EQ(out.find("src_ip"), out.npos) << out;
}

TEST(EveAsset, IsOneLine) {
  Asset asset;
  asset.mac = mac("00:80:f4:00:00:01");
  asset.vendor = "TELEMECANIQUE ELECTRIQUE";
  asset.ips = {ip("10.0.0.1"), ip("fe80::1")};
  asset.vlans = {1, 7};
  asset.properties = {{Attribute::host_name, "plc-7", "dhcp.host_name", kNow}};
  asset.first = asset.last = kNow;
  asset.packets = 3;
  asset.bytes = 300;
  EventHead head;
  head.host = "kvm7";
  head.vm = "plc";
  head.nic = "vnet3";
  std::string out;
  append_asset_event(out, head, asset);
  EXPECT_EQ(out, R"({"timestamp":"2026-01-02T03:04:05.678901+0000","host":"kvm7",)"
                 R"("event_type":"asset","vmirror":{"vm":"plc","nic":"vnet3"},)"
                 R"("asset":{"mac":"00:80:f4:00:00:01","vendor":"TELEMECANIQUE ELECTRIQUE",)"
                 R"("vm":"plc","ips":["10.0.0.1","fe80::1"],"vlans":[1,7],"router":false,)"
                 R"("first_seen":"2026-01-02T03:04:05.678901+0000",)"
                 R"("last_seen":"2026-01-02T03:04:05.678901+0000","packets":3,"bytes":300,)"
                 R"("properties":[{"attribute":"host_name","value":"plc-7",)"
                 R"("source":"dhcp.host_name","confidence":"stated",)"
                 R"("last_seen":"2026-01-02T03:04:05.678901+0000"}]}})"
                 "\n");
}

TEST(EveStats, SumsTheInputsAndListsThem) {
  InputStats inputs[] = {{"mon0", {}}, {"erspan", {}}};
  inputs[0].frames.received = 10;
  inputs[0].frames.received_bytes = 1000;
  inputs[0].frames.analysed = 8;
  inputs[0].frames.drop(Drop::kernel, 2);
  inputs[1].frames.received = 1;
  inputs[1].frames.received_bytes = 60;
  inputs[1].frames.drop(Drop::unknown_session);
  const NamedCounter counters[] = {{"eve.lost_queue_full", 3}};
  std::string out;
  append_stats_event(out, "kvm7", kNow, 61, inputs, counters);
  EXPECT_EQ(out,
            R"({"timestamp":"2026-01-02T03:04:05.678901+0000","host":"kvm7","event_type":"stats",)"
            R"("stats":{"uptime":61,"capture":{"kernel_packets":11,"kernel_drops":2},)"
            R"("decoder":{"pkts":8,"bytes":1060},"inputs":[)"
            R"({"name":"mon0","received":10,"received_bytes":1000,"analysed":8,"held":0,)"
            R"("dropped":{"kernel":2}},)"
            R"({"name":"erspan","received":1,"received_bytes":60,"analysed":0,"held":0,)"
            R"("dropped":{"unknown_session":1}}],"counters":{"eve.lost_queue_full":3}}})"
            "\n");
}

MigrationRecord migration() {
  MigrationRecord record;
  record.vm_name = "plc-7";
  record.vm_uuid = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";
  record.source.suspended = kNow - 300 * kMillisecond;
  record.source.mirror_removed = kNow;
  record.destination.resumed = kNow - 200 * kMillisecond;
  return record;
}

TEST(EveMigration, IsTheRecordAsItIsShown) {
  const boost::json::object told{{"id", "6ba7b810@1"},
                                 {"from", "h1"},
                                 {"gap_frames", 18446744073709551615U},
                                 {"gap_ms", 0.0},
                                 {"downtime_ms", 41.2},
                                 {"clock_offset_ns", -5},
                                 {"suspended", nullptr},
                                 {"handover", {{"state", "taken"}, {"flows", 12}}},
                                 {"notes", boost::json::array{"a \"note\"", "cut\xc3"}},
                                 {"source", {{"mirrored", true}, {"notes", boost::json::array{}}}}};
  std::string out;
  append_migration_event(out, "h2", migration(), told);
  EXPECT_EQ(
      out, R"({"timestamp":"2026-01-02T03:04:05.678901+0000","host":"h2","event_type":"migration",)"
           R"("vmirror":{"vm":"plc-7"},"migration":{"id":"6ba7b810@1","from":"h1",)"
           R"("gap_frames":18446744073709551615,"gap_ms":0,"downtime_ms":41.2,)"
           R"("clock_offset_ns":-5,"suspended":null,"handover":{"state":"taken","flows":12},)"
           R"("notes":["a \"note\"","cut\\xc3"],"source":{"mirrored":true,"notes":[]}}})"
           "\n");
  EXPECT_TRUE(is_line(out));
}

TEST(EveMigration, AGuestWithoutANameIsItsUuid) {
  MigrationRecord record = migration();
  record.vm_name.clear();
  std::string out;
  append_migration_event(out, "", record, {});
  EXPECT_NE(out.find(R"("vmirror":{"vm":"6ba7b810-9dad-11d1-80b4-00c04fd430c8"})"), out.npos)
      << out;
}

}  // namespace
}  // namespace vmirror
