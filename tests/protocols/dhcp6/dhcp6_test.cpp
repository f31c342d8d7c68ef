#include "agent/engine/dissect/it/dhcp6.hpp"

#include <gtest/gtest.h>

#include "tests/unit/agent/engine/dissect/tables.hpp"

namespace vmirror {
namespace {

using namespace test;

TEST(Dhcp6, Tells) {
  expect_tells(
      kDhcp6, "dhcp6",
      {
          {"solicit",
           "dhcp6 {message_type: \"solicit\", transaction_id: 658188, client_duid: "
           "<000100012a000000525400000001>, client_mac: 52:54:00:00:00:01, fqdn: "
           "\"hmi-3.example.lan\", vendor_class: \"PXE-uni\"}\n"
           "fact 52:54:00:00:00:01 10.0.0.1 host_name = \"hmi-3.example.lan\" (dhcp6.fqdn)\n"},
          {"advertise, none",
           "dhcp6 {message_type: \"advertise\", transaction_id: 658188, client_duid: "
           "<000100012a000000525400000001>, server_duid: <00030001525400000002>, client_mac: "
           "52:54:00:00:00:01, status: \"no_addrs_avail\"}\n"
           "fact 10.0.0.2 service = \"dhcp6\" (dhcp6.message_type, implied)\n"},
          {"reply",
           "dhcp6 {message_type: \"reply\", transaction_id: 658188, client_duid: "
           "<000100012a000000525400000001>, server_duid: <00030001525400000002>, client_mac: "
           "52:54:00:00:00:01, addresses: [2001:db8::64], prefixes: [{prefix: 2001:db8::, length: "
           "56}], dns_servers: [2001:db8::53, 2001:db8::54], domains: [\"example.lan\", "
           "\"plant.lan\"]}\n"
           "fact 10.0.0.2 service = \"dhcp6\" (dhcp6.message_type, implied)\n"},
          {"information request",
           "dhcp6 {message_type: \"information_request\", transaction_id: 658188, client_duid: "
           "<000477777777777777777777777777777777>}\n"},
          {"relayed solicit",
           "dhcp6 {message_type: \"relay_forward\", hop_count: 1, link_address: 2001:db8::1, "
           "peer_address: fe80::5054:ff:fe00:1, relayed_type: \"solicit\", transaction_id: 658188, "
           "client_duid: <000100012a000000525400000001>, client_mac: 52:54:00:00:00:01, fqdn: "
           "\"hmi-3.example.lan\", vendor_class: \"PXE-uni\"}\n"},
          {"relayed reply",
           "dhcp6 {message_type: \"relay_reply\", hop_count: 0, link_address: 2001:db8::1, "
           "peer_address: fe80::5054:ff:fe00:1, relayed_type: \"reply\", transaction_id: 658188, "
           "client_duid: <000100012a000000525400000001>, server_duid: <00030001525400000002>, "
           "client_mac: 52:54:00:00:00:01, addresses: [2001:db8::64], prefixes: [{prefix: "
           "2001:db8::, length: 56}], dns_servers: [2001:db8::53, 2001:db8::54], domains: "
           "[\"example.lan\", \"plant.lan\"]}\n"
           "fact 10.0.0.2 service = \"dhcp6\" (dhcp6.message_type, implied)\n"},
      });
}

TEST(Dhcp6, Malformed) {
  expect_malformed(kDhcp6, {
                               {"", "truncated"},
                               {"0e 000000", "bad_value"},
                               {"01 0000", "truncated"},
                               {"01 0a0b0c 0001 0004 00", "truncated"},
                               {"0c 00 20010db8", "truncated"},
                           });
}

TEST(Dhcp6, CutAtEveryByte) {
  expect_no_cut_passes(kDhcp6, "dhcp6", [](const Payload& each, std::size_t size) {
    // Between two options a message may end.
    std::size_t at = each.bytes[0] >= 12 ? 34 : 4;
    while (at < size) at += 4 + load_be16(&each.bytes[at + 2]);
    return at == size;
  });
}

}  // namespace
}  // namespace vmirror
