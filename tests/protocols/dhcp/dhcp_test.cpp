#include "agent/engine/dissect/it/dhcp.hpp"

#include <gtest/gtest.h>

#include "tests/unit/agent/engine/dissect/told.hpp"

namespace vmirror {
namespace {

using namespace test;

constexpr std::size_t kOptions = 240;  ///< Where they begin.

TEST(Dhcp, ARequestTellsWhoTheClientIs) {
  EXPECT_EQ(told(kDhcp, payload("dhcp", "request"), context_of()),
            "dhcp {type: \"request\", id: 956560166, client_mac: 52:54:00:00:00:01, "
            "assigned_ip: 0.0.0.0, client_ip: 0.0.0.0, next_server_ip: 0.0.0.0, relay_ip: 0.0.0.0, "
            "dhcp_type: \"request\", requested_ip: 10.0.0.7, hostname: \"plc-7\", "
            "fqdn: \"plc-7.lan\", vendor_class_identifier: \"MSFT 5.0\", "
            "client_id: <01525400000001>}\n"
            "fact 52:54:00:00:00:01 host_name = \"plc-7\" (dhcp.hostname)\n"
            "fact 52:54:00:00:00:01 host_name = \"plc-7.lan\" (dhcp.fqdn)\n"
            "fact 52:54:00:00:00:01 vendor = \"MSFT 5.0\" (dhcp.vendor_class_identifier)\n");
}

TEST(Dhcp, AnAckTellsTheAddressAndTheRouter) {
  EXPECT_EQ(told(kDhcp, payload("dhcp", "ack"), context_of(false)),
            "dhcp {type: \"reply\", id: 956560166, client_mac: 52:54:00:00:00:01, "
            "assigned_ip: 10.0.0.7, client_ip: 0.0.0.0, next_server_ip: 10.0.0.254, "
            "relay_ip: 0.0.0.0, dhcp_type: \"ack\", server_ip: 10.0.0.254, domain: \"lan\", "
            "subnet_mask: 255.255.255.0, routers: [10.0.0.254], "
            "dns_servers: [10.0.0.53, 8.8.8.8], lease_time: 3600, renewal_time: 1800, "
            "rebinding_time: 3150}\n"
            "fact 10.0.0.254 router = true (dhcp.routers)\n"
            "fact 52:54:00:00:00:01 ip_address = 10.0.0.7 (dhcp.assigned_ip)\n"
            "act 10.0.0.254 serve_addresses 52:54:00:00:00:01 (dhcp.dhcp_type)\n");
}

TEST(Dhcp, OptionsGoOnInTheFileAndTheServerName) {  // RFC 2132, section 9.3
  Buffer message = payload("dhcp", "request");
  const Buffer options = hex("34 01 03 35 01 01 ff"), file = hex("0c 02 6161 ff"),
               name = hex("3c 02 6262 ff");
  message.resize(kOptions);
  message.insert(message.end(), options.begin(), options.end());
  std::copy(file.begin(), file.end(), message.begin() + 108);
  std::copy(name.begin(), name.end(), message.begin() + 44);
  const auto dhcp = parse_dhcp(message);
  ASSERT_TRUE(dhcp);
  EXPECT_EQ(dhcp->type, 1);
  EXPECT_EQ(dhcp->host_name, "aa");
  EXPECT_EQ(dhcp->vendor_class, "bb");
}

std::string told_with(std::string_view options) {
  Buffer message = payload("dhcp", "request");
  message.resize(kOptions);
  const std::string all = told(kDhcp, concat({message, hex(options)}), context_of());
  const std::size_t from = all.find("dhcp_type");
  return from == std::string::npos ? all : all.substr(from, all.find('}') - from);
}

TEST(Dhcp, OneOddOptionDoesNotTakeTheMessage) {
  EXPECT_EQ(told_with("35 01 01 06 03 0a0000 0c 02 6161 ff"),
            "dhcp_type: \"discover\", hostname: \"aa\", odd_options: [6]");
  EXPECT_EQ(told_with("35 01 01 0c 02 6161 3c 09 61"),
            "dhcp_type: \"discover\", hostname: \"aa\", odd_options: [60]");
  EXPECT_EQ(told_with("35 02 01 01 ff"), "dhcp_type: \"0\", odd_options: [53]");
}

TEST(Dhcp, AnOptionInSeveralPartsIsOne) {  // RFC 3396
  EXPECT_EQ(told_with("35 01 01 0c 02 6161 3c 01 62 0c 03 2d6161 ff"),
            "dhcp_type: \"discover\", hostname: \"aa-aa\", vendor_class_identifier: \"b\"");
}

TEST(Dhcp, AListInPartsMayBeCutWithinAnAddress) {  // RFC 3396
  EXPECT_EQ(told_with("35 01 01 06 06 0a000035 0800 06 02 0808 ff"),
            "dhcp_type: \"discover\", dns_servers: [10.0.0.53, 8.0.8.8]");
  EXPECT_EQ(told_with("35 01 01 03 04 0a000001 03 04 0a000002 ff"),
            "dhcp_type: \"discover\", routers: [10.0.0.1, 10.0.0.2]");
  EXPECT_EQ(told_with("35 01 01 06 06 0a000035 0800 06 01 08 ff"),
            "dhcp_type: \"discover\", odd_options: [6], dns_servers: [10.0.0.53]");
}

TEST(Dhcp, AFullNameComesAsTextOrInWireForm) {  // RFC 4702, section 3.3
  EXPECT_EQ(told_with("35 01 01 51 08 01 00 00 612e6c616e ff"),
            "dhcp_type: \"discover\", fqdn: \"a.lan\"");
  EXPECT_EQ(told_with("35 01 01 51 0a 05 00 00 01 61 03 6c616e 00 ff"),
            "dhcp_type: \"discover\", fqdn: \"a.lan\"");
  EXPECT_EQ(told_with("35 01 01 51 05 05 00 00 01 61 51 05 03 6c616e 00 ff"),
            "dhcp_type: \"discover\", fqdn: \"a.lan\"");
  EXPECT_EQ(told_with("35 01 01 51 05 05 00 00 40 61 ff"), "dhcp_type: \"discover\"")
      << "a pointer";
}

TEST(Dhcp, Malformed) {
  Buffer neither = payload("dhcp", "request");
  neither[0] = 3;
  EXPECT_EQ(told(kDhcp, neither, context_of()), "malformed bad_value\n");
  neither[0] = 1;
  neither[2] = 17;
  EXPECT_EQ(told(kDhcp, neither, context_of()), "malformed bad_length\n");
}

TEST(Dhcp, PlainBootpHasNoOptions) {
  Buffer message = payload("dhcp", "request");
  message.resize(kOptions - 4);
  EXPECT_EQ(told(kDhcp, message, context_of()),
            "dhcp {type: \"request\", id: 956560166, client_mac: 52:54:00:00:00:01, "
            "assigned_ip: 0.0.0.0, client_ip: 0.0.0.0, next_server_ip: 0.0.0.0, "
            "relay_ip: 0.0.0.0}\n");
  EXPECT_EQ(kDhcp.probe(message, context_of()), Probe::no);
}

TEST(Dhcp, CutAtEveryByte) {
  const Buffer message = payload("dhcp", "ack");
  // From the cookie on what there is stands, and a cut option is an odd one.
  const auto fixed = [](std::size_t size) { return size >= kOptions - 4; };
  EXPECT_EQ(accepted_cuts(kDhcp, message, context_of(), fixed), "");
  for (std::size_t size = kOptions; size < message.size(); ++size) {
    std::size_t at = kOptions;
    while (at + 1 < size) at += 2 + message[at + 1];
    const Buffer cut(message.begin(), message.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_EQ(parse_dhcp(cut)->odd_count, at == size ? 0u : 1u) << size;
  }
}

}  // namespace
}  // namespace vmirror
