// ARP and LLDP.
#include <gtest/gtest.h>

#include "agent/engine/dissect/link/arp.hpp"
#include "agent/engine/dissect/link/lldp.hpp"
#include "tests/unit/agent/engine/dissect/told.hpp"

namespace vmirror {
namespace {

using namespace test;

TEST(Arp, TellsWhoHasWhat) {
  EXPECT_EQ(told(kArp, payload("arp", "request"), context_of()),
            "arp {opcode: \"request\", hw_type: \"ethernet\", proto_type: \"ipv4\", "
            "src_mac: 52:54:00:00:00:01, src_ip: 10.0.0.1, dest_mac: 00:00:00:00:00:00, "
            "dest_ip: 10.0.0.2}\n"
            "fact 52:54:00:00:00:01 ip_address = 10.0.0.1 (arp.src_ip)\n"
            "act 52:54:00:00:00:01 claim_address 10.0.0.1 (arp.src_ip)\n");
  EXPECT_EQ(told(kArp, payload("arp", "reply"), context_of(false)),
            "arp {opcode: \"reply\", hw_type: \"ethernet\", proto_type: \"ipv4\", "
            "src_mac: 52:54:00:00:00:02, src_ip: 10.0.0.2, dest_mac: 52:54:00:00:00:01, "
            "dest_ip: 10.0.0.1}\n"
            "fact 52:54:00:00:00:02 ip_address = 10.0.0.2 (arp.src_ip)\n"
            "act 52:54:00:00:00:02 claim_address 10.0.0.2 (arp.src_ip)\n");
}

TEST(Arp, AnIeee802NetworkHasEthernetsAddresses) {  // RFC 1042, "Address Mappings"
  EXPECT_EQ(told(kArp, payload("arp", "over IEEE 802"), context_of()),
            "arp {opcode: \"request\", hw_type: \"ieee802\", proto_type: \"ipv4\", "
            "src_mac: 52:54:00:00:00:01, src_ip: 10.0.0.1, dest_mac: 00:00:00:00:00:00, "
            "dest_ip: 10.0.0.2}\n"
            "fact 52:54:00:00:00:01 ip_address = 10.0.0.1 (arp.src_ip)\n"
            "act 52:54:00:00:00:01 claim_address 10.0.0.1 (arp.src_ip)\n");
}

TEST(Arp, AProbeClaimsNothing) {  // RFC 5227: its sender has no address yet.
  EXPECT_EQ(told(kArp, payload("arp", "probe"), context_of()).find("fact"), std::string::npos);
}

TEST(Arp, Malformed) {
  const auto is = [](std::string_view bytes) { return told(kArp, hex(bytes), context_of()); };
  EXPECT_EQ(is("0001 0800 06 04 0001 525400000001 0a000001 000000000000 0a0000"),
            "malformed truncated\n");
  EXPECT_EQ(is("0001 0800 04 04 0001 52540000 0a000001 00000000 0a000002"),
            "malformed bad_length\n");
  // Other hardware is told of, without addresses.
  EXPECT_EQ(is("0007 0800 01 04 0001 01 0a000001 00 0a000002"),
            "arp {opcode: \"request\", hw_type_raw: 7, proto_type_raw: 2048}\n");
}

TEST(Lldp, TellsOfASwitch) {
  EXPECT_EQ(told(kLldp, payload("lldp", "switch"), context_of()),
            "lldp {chassis_id: 52:54:00:00:00:aa, port_id: \"Gi1/0/7\", ttl: 120, "
            "port_description: \"to plc 7\", system_name: \"core-sw1\", "
            "system_description: \"ExampleOS 17.3, C9300\", capabilities: [\"bridge\", "
            "\"router\"], capabilities_enabled: [\"bridge\", \"router\"], "
            "management_address: 10.0.0.254, port_vlan: 7, firmware: \"1.2.3\", "
            "serial_number: \"FCW123\", manufacturer: \"Example Networks\", "
            "model: \"C9300-24T\"}\n"
            "fact 52:54:00:00:00:01 host_name = \"core-sw1\" (lldp.system_name)\n"
            "fact 52:54:00:00:00:01 description = \"ExampleOS 17.3, C9300\" "
            "(lldp.system_description)\n"
            "fact 52:54:00:00:00:01 vendor = \"Example Networks\" (lldp.manufacturer)\n"
            "fact 52:54:00:00:00:01 model = \"C9300-24T\" (lldp.model)\n"
            "fact 52:54:00:00:00:01 firmware = \"1.2.3\" (lldp.firmware)\n"
            "fact 52:54:00:00:00:01 serial_number = \"FCW123\" (lldp.serial_number)\n"
            "fact 52:54:00:00:00:01 ip_address = 10.0.0.254 (lldp.management_address)\n"
            "fact 52:54:00:00:00:01 router = true (lldp.capabilities_enabled)\n");
}

TEST(Lldp, Malformed) {
  const auto is = [](std::string_view bytes) { return told(kLldp, hex(bytes), context_of()); };
  EXPECT_EQ(is("0207 04 5254000000aa 0602 0078"), "malformed bad_value\n");  // no port
  EXPECT_EQ(is("0207 04 5254000000aa 0403 05 3132 0601 78"), "malformed bad_length\n");
  EXPECT_EQ(is("0207 04 5254000000aa 0403 05 31"), "malformed truncated\n");
  EXPECT_EQ(is("0207 04 5254000000aa"), "malformed truncated\n");
}

TEST(Link, CutAtEveryByte) {
  const auto never = [](std::size_t) { return false; };
  const Buffer arp = payload("arp", "reply");
  EXPECT_EQ(accepted_cuts(kArp, arp, context_of(), never), "");
  // An LLDP unit may end behind any element from the third on: a cut there looks whole.
  const Buffer lldp = payload("lldp", "switch");
  const auto whole = [&](std::size_t size) {
    std::size_t at = 0;
    int elements = 0;
    while (at + 2 <= size) {
      at += 2 + (load_be16(&lldp[at]) & 0x1ff);
      ++elements;
    }
    return at == size && elements >= 3;
  };
  EXPECT_EQ(accepted_cuts(kLldp, lldp, context_of(), whole), "");
}

}  // namespace
}  // namespace vmirror
