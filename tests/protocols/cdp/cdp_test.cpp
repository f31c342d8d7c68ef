#include "agent/engine/dissect/link/cdp.hpp"

#include <gtest/gtest.h>

#include "tests/unit/agent/engine/dissect/told.hpp"

namespace vmirror {
namespace {

using namespace test;

TEST(Cdp, Tells) {
  const struct {
    const char* what;
    bool to_server;
    const char* told;
  } cases[] = {
      {"switch", true,
       "cdp {version: 2, ttl: 180, device_id: \"core-sw1.plant.example\", port_id: "
       "\"GigabitEthernet1/0/7\", address: 10.0.0.254, capabilities: [\"router\", "
       "\"switch\", \"igmp\"], software_version: \"Example IOS Software, Version "
       "17.3\", platform: \"example C9300-24T\", vtp_domain: \"plant\", native_vlan: "
       "7, management_address: 2001:db8::1}\n"
       "fact 52:54:00:00:00:01 host_name = \"core-sw1.plant.example\" "
       "(cdp.device_id)\n"
       "fact 52:54:00:00:00:01 model = \"example C9300-24T\" (cdp.platform)\n"
       "fact 52:54:00:00:00:01 description = \"Example IOS Software, Version 17.3\" "
       "(cdp.software_version)\n"
       "fact 52:54:00:00:00:01 ip_address = 10.0.0.254 (cdp.address)\n"
       "fact 52:54:00:00:00:01 ip_address = 2001:db8::1 (cdp.management_address)\n"
       "fact 52:54:00:00:00:01 router = true (cdp.capabilities)\n"},
      {"phone", true,
       "cdp {version: 2, ttl: 180, device_id: \"SEP525400000012\", port_id: \"Port "
       "1\", capabilities: [\"host\", \"phone\"], platform: \"Example IP Phone "
       "8845\"}\n"
       "fact 52:54:00:00:00:01 host_name = \"SEP525400000012\" (cdp.device_id)\n"
       "fact 52:54:00:00:00:01 model = \"Example IP Phone 8845\" (cdp.platform)\n"},
  };
  for (const auto& c : cases)
    EXPECT_EQ(told(kCdp, payload("cdp", c.what), context_of(c.to_server)), c.told) << c.what;
}

TEST(Cdp, Malformed) {
  const struct {
    const char *bytes, *name;
  } cases[] = {
      {"02b4 00", "truncated"},
      {"02b4 0000 0001 0003", "bad_length"},
      {"02b4 0000 0001 0009 61", "truncated"},
      {"02b4 0000 000a 0005 07", "bad_length"},
  };
  for (const auto& c : cases) {
    const std::string out = told(kCdp, hex(c.bytes), context_of());
    EXPECT_NE(out.find(std::string("malformed ") + c.name), std::string::npos)
        << c.bytes << ": " << out;
  }
}

/// A packet has no end of its own.
bool ends_behind_an_element(Bytes packet, std::size_t size) {
  std::size_t at = 4;
  while (at + 4 <= size) at += load_be16(&packet[at + 2]);
  return at == size;
}

TEST(Cdp, CutAtEveryByte) {
  for (const Payload& each : payloads_of("cdp"))
    EXPECT_EQ(
        accepted_cuts(kCdp, each.bytes, context_of(each.to_server),
                      [&](std::size_t size) { return ends_behind_an_element(each.bytes, size); }),
        "")
        << each.what;
}

}  // namespace
}  // namespace vmirror
