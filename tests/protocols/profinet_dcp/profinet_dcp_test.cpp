#include "agent/engine/dissect/ot/profinet_dcp.hpp"

#include <gtest/gtest.h>

#include "tests/unit/agent/engine/dissect/told.hpp"

namespace vmirror {
namespace {

using namespace test;

TEST(ProfinetDcp, Tells) {
  const struct {
    const char* what;
    bool to_server;
    const char* told;
  } cases[] = {
      {"identify everybody", true,
       "profinet_dcp {service: \"identify\", type: \"request\", xid: 16777217}\n"},
      {"a device", false,
       "profinet_dcp {service: \"identify\", type: \"response\", xid: 16777217, "
       "station_name: \"press-7\", station_type: \"ET200SP\", vendor_id: 42, "
       "device_id: 787, roles: [\"device\"], ip: 10.0.0.7, netmask: 255.255.255.0, "
       "gateway: 10.0.0.254}\n"
       "fact 52:54:00:00:00:02 station_name = \"press-7\" "
       "(profinet_dcp.station_name)\n"
       "fact 52:54:00:00:00:02 model = \"ET200SP\" (profinet_dcp.station_type)\n"
       "fact 52:54:00:00:00:02 vendor = \"Siemens\" (profinet_dcp.vendor_id)\n"
       "fact 52:54:00:00:00:02 role = \"profinet_device\" (profinet_dcp.roles)\n"
       "fact 52:54:00:00:00:02 ip_address = 10.0.0.7 (profinet_dcp.ip)\n"},
      {"identify a name", true,
       "profinet_dcp {service: \"identify\", type: \"request\", xid: 16777218, "
       "station_name: \"press-7\"}\n"},
      {"get", true, "profinet_dcp {service: \"get\", type: \"request\", xid: 16777219}\n"},
      {"got", false,
       "profinet_dcp {service: \"get\", type: \"response\", xid: 16777219, "
       "station_name: \"press-7\"}\n"
       "fact 52:54:00:00:00:02 station_name = \"press-7\" "
       "(profinet_dcp.station_name)\n"},
      {"set a name", true,
       "profinet_dcp {service: \"set\", type: \"request\", xid: 16777220, "
       "station_name: \"press-8\"}\n"
       "act 52:54:00:00:00:01 write 52:54:00:00:00:02 (profinet_dcp.service)\n"},
      {"set", false, "profinet_dcp {service: \"set\", type: \"response\", xid: 16777220}\n"},
      {"reset", true,
       "profinet_dcp {service: \"set\", type: \"request\", xid: 16777221, control: "
       "\"reset_to_factory\"}\n"
       "act 52:54:00:00:00:01 write 52:54:00:00:00:02 (profinet_dcp.service)\n"},
      {"hello", true,
       "profinet_dcp {service: \"hello\", type: \"request\", xid: 16777222, "
       "station_name: \"press-8\", ip: 10.0.0.8, netmask: 255.255.255.0, gateway: "
       "0.0.0.0}\n"
       "fact 52:54:00:00:00:01 station_name = \"press-8\" "
       "(profinet_dcp.station_name)\n"
       "fact 52:54:00:00:00:01 ip_address = 10.0.0.8 (profinet_dcp.ip)\n"},
      {"cyclic data", true,
       "fact 52:54:00:00:00:01 service = \"profinet\" (profinet.frame_id, implied)\n"},
      {"a fragment", true,
       "fact 52:54:00:00:00:01 service = \"profinet\" (profinet.frame_id, implied)\n"},
  };
  for (const auto& c : cases)
    EXPECT_EQ(told(kProfinetDcp, payload("profinet_dcp", c.what), context_of(c.to_server)), c.told)
        << c.what;
}

TEST(ProfinetDcp, Malformed) {
  const struct {
    const char *bytes, *name;
  } cases[] = {
      {"fe", "truncated"},
      {"fefe 05 00 01000001 0001 0008 ffff0000", "truncated"},
      {"fefe 09 00 01000001 0001 0000", "bad_value"},
      {"feff 05 01 01000001 0000 0006 0203 0002 0000", "bad_length"},
      {"feff 05 01 01000001 0000 0005 0202 0001 61", "bad_length"},
  };
  for (const auto& c : cases) {
    const std::string out = told(kProfinetDcp, hex(c.bytes), context_of());
    EXPECT_NE(out.find(std::string("malformed ") + c.name), std::string::npos)
        << c.bytes << ": " << out;
  }
}

TEST(ProfinetDcp, CutAtEveryByte) {
  for (const Payload& each : payloads_of("profinet_dcp"))
    EXPECT_EQ(
        accepted_cuts(kProfinetDcp, each.bytes, context_of(each.to_server),
                      [&](std::size_t size) {  // Of what is not DCP the frame ID alone is read.
                        return size >= 2 && (each.bytes[0] != 0xfe || each.bytes[1] < 0xfc);
                      }),
        "")
        << each.what;
}

}  // namespace
}  // namespace vmirror
