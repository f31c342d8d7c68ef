// The portable filter: what matches, and how it is written.
#include "plugin/api/filter.hpp"

#include <gtest/gtest.h>

namespace vmirror {
namespace {

IpAddress ip(const char* text) {
  return *IpAddress::parse(text);
}
Prefix cidr(const char* text) {
  return *parse_prefix(text);
}

constexpr std::uint8_t kIcmp = 1, kTcp = 6, kUdp = 17;

/// From 10.0.0.1:40000 to 10.0.0.2:502, into the guest, in VLAN 10.
FilteredFrame modbus() {
  FilteredFrame f;
  f.direction = Direction::in;
  f.vlan = 10;
  f.ethertype = 0x0800;
  f.protocol = kTcp;
  f.has_ports = true;
  f.source_port = 40000;
  f.destination_port = 502;
  f.source = ip("10.0.0.1");
  f.destination = ip("10.0.0.2");
  return f;
}
FilteredFrame arp() {
  FilteredFrame f;
  f.direction = Direction::out;
  f.ethertype = 0x0806;
  return f;
}
FilteredFrame fragment() {
  FilteredFrame f = modbus();
  f.has_ports = false;
  f.source_port = f.destination_port = 0;
  return f;
}
FilteredFrame six() {
  FilteredFrame f = modbus();
  f.ethertype = 0x86dd;
  f.source = ip("2001:db8::1");
  f.destination = ip("fe80::2");
  return f;
}
FilteredFrame unknown_direction() {
  FilteredFrame f = modbus();
  f.direction = Direction::none;
  return f;
}

TEST(Filter, Matches) {
  struct Row {
    const char* name;
    FilterRule rule;
    FilteredFrame frame;
    bool matches;
  };
  const Row table[] = {
      {"nothing said", {}, arp(), true},
      {"its direction", {.direction = Direction::in}, modbus(), true},
      {"the other", {.direction = Direction::out}, modbus(), false},
      {"a direction that is not known", {.direction = Direction::out}, unknown_direction(), true},
      {"its VLAN among several", {.vlans = {9, 10}}, modbus(), true},
      {"another VLAN", {.vlans = {9}}, modbus(), false},
      {"untagged", {.vlans = {0}}, arp(), true},
      {"tcp", {.carried = {{0, kTcp}}}, modbus(), true},
      {"tcp in IPv6", {.carried = {{0, kTcp}}}, six(), true},
      {"udp or icmp", {.carried = {{0, kUdp}, {0x0800, kIcmp}}}, modbus(), false},
      {"udp or tcp", {.carried = {{0, kUdp}, {0, kTcp}}}, modbus(), true},
      {"arp", {.carried = {{0x0806, {}}}}, arp(), true},
      {"no IP has no protocol", {.carried = {{0, 0}}}, arp(), false},
      {"ipv4", {.carried = {{0x0800, {}}}}, modbus(), true},
      {"ipv6", {.carried = {{0x86dd, {}}}}, modbus(), false},
      {"its destination port", {.ports = {{502, 502}}}, modbus(), true},
      {"its source port", {.ports = {{40000, 40000}}}, modbus(), true},
      {"a range to it", {.ports = {{1, 502}}}, modbus(), true},
      {"a range past it", {.ports = {{503, 39999}}}, modbus(), false},
      {"a later fragment has no ports", {.ports = {{0, 65535}}}, fragment(), false},
      {"and still a protocol", {.carried = {{0, kTcp}}}, fragment(), true},
      {"its source", {.prefixes = {cidr("10.0.0.1")}}, modbus(), true},
      {"its destination's network", {.prefixes = {cidr("10.0.0.2/31")}}, modbus(), true},
      {"a network beside it", {.prefixes = {cidr("10.0.0.4/30")}}, modbus(), false},
      {"all of IPv4", {.prefixes = {cidr("0.0.0.0/0")}}, modbus(), true},
      {"all of IPv4 has no IPv6", {.prefixes = {cidr("0.0.0.0/0")}}, six(), false},
      {"a network of IPv6", {.prefixes = {cidr("fe80::/10")}}, six(), true},
      {"no IP has no address", {.prefixes = {cidr("0.0.0.0/0")}}, arp(), false},
      {"every part must match",
       {.direction = Direction::in, .carried = {{0, kTcp}}, .ports = {{503, 503}}},
       modbus(),
       false},
  };
  for (const Row& row : table) EXPECT_EQ(matches(row.rule, row.frame), row.matches) << row.name;
}

TEST(Filter, OneMustMatchAndNoneThatIsExcepted) {
  const FilterRule tcp{.carried = {{0, kTcp}}}, port{.ports = {{502, 502}}}, all{};
  const struct {
    Filter filter;
    bool wants;
  } table[] = {
      {{}, true},
      {{{tcp}, {}}, true},
      {{{{.direction = Direction::out}, tcp}, {}}, true},
      {{{{.direction = Direction::out}}, {}}, false},
      {{{}, {port}}, false},
      {{{tcp}, {port}}, false},
      {{{}, {{.direction = Direction::out}}}, true},
  };
  for (const auto& row : table)
    EXPECT_EQ(wants(row.filter, modbus()), row.wants) << to_text(row.filter);
}

TEST(Filter, IsWrittenAsInAPolicy) {
  const Filter filter{
      {{.direction = Direction::in, .vlans = {0, 10}, .carried = {{0, kTcp}}, .ports = {{1, 9}}}},
      {{.carried = {{0, 89}}, .prefixes = {cidr("10.0.0.0/8"), cidr("2001:db8::1/128")}}}};
  EXPECT_EQ(to_text(filter),
            "[{direction: in, vlan: [0, 10], protocol: tcp, port: 1-9}, "
            "{not: {protocol: 89, cidr: [10.0.0.0/8, 2001:db8::1]}}]");
}

TEST(Filter, PartsAreReadAndRefused) {
  EXPECT_EQ(*parse_carried("icmpv6"), (Carried{0x86dd, 58}));
  EXPECT_EQ(*parse_carried("arp"), (Carried{0x0806, {}}));
  EXPECT_EQ(*parse_carried("89"), (Carried{0, 89}));
  EXPECT_EQ(*parse_ports("8000-8080"), (PortRange{8000, 8080}));
  EXPECT_EQ(parse_prefix("192.0.2.0/24")->text(), "192.0.2.0/24");
  EXPECT_EQ(parse_prefix("::/0")->text(), "::/0");
  for (const char* text : {"", "TCP", "256", "-1", "6x"}) EXPECT_FALSE(parse_carried(text)) << text;
  for (const char* text : {"", "-", "1-", "-1", "2-1", "65536", "1-65536", "1x"})
    EXPECT_FALSE(parse_ports(text)) << text;
  for (const char* text : {"", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8x", "10/8",
                           "10.0.0.1/31", "::1/127", "::/129", "/8"})
    EXPECT_FALSE(parse_prefix(text)) << text;
}

}  // namespace
}  // namespace vmirror
