#include "agent/engine/dissect/ot/ads.hpp"

#include <gtest/gtest.h>

#include "tests/unit/agent/engine/dissect/tables.hpp"

namespace vmirror {
namespace {

using namespace test;

TEST(Ads, Tells) {
  expect_tells(kAds, "ads",
               {
                   {"port connect", "ads {router_command: \"port_connect\"}\n"},
                   {"connected", "ads {router_command: \"port_connect\"}\n"},
                   {"device info",
                    "ads {type: \"request\", command: \"read_device_info\", target: "
                    "\"10.0.0.2.1.1:851\", source: \"10.0.0.1.1.1:32750\", invoke_id: 1}\n"},
                   {"its answer",
                    "ads {type: \"response\", command: \"read_device_info\", target: "
                    "\"10.0.0.1.1.1:32750\", source: \"10.0.0.2.1.1:851\", invoke_id: 1, result: "
                    "0, device: {name: \"Plc30 App\", version: \"3.1.4024\"}}\n"
                    "fact 10.0.0.2 service = \"ads\" (ads.command, implied)\n"
                    "fact 10.0.0.2 vendor = \"Beckhoff\" (ads.command, implied)\n"
                    "fact 10.0.0.2 model = \"Plc30 App\" (ads.device_name)\n"
                    "fact 10.0.0.2 firmware = \"3.1.4024\" (ads.device_version)\n"},
                   {"read state",
                    "ads {type: \"request\", command: \"read_state\", target: "
                    "\"10.0.0.2.1.1:851\", source: \"10.0.0.1.1.1:32750\", invoke_id: 2}\n"},
                   {"state",
                    "ads {type: \"response\", command: \"read_state\", target: "
                    "\"10.0.0.1.1.1:32750\", source: \"10.0.0.2.1.1:851\", invoke_id: 2, result: "
                    "0, ads_state: \"run\", device_state: 0}\n"
                    "fact 10.0.0.2 service = \"ads\" (ads.command, implied)\n"
                    "fact 10.0.0.2 vendor = \"Beckhoff\" (ads.command, implied)\n"},
                   {"read",
                    "ads {type: \"request\", command: \"read\", target: \"10.0.0.2.1.1:851\", "
                    "source: \"10.0.0.1.1.1:32750\", invoke_id: 3, index_group: 16416, "
                    "index_offset: 0, length: 2}\n"
                    "act 10.0.0.1 read 10.0.0.2 (ads.command)\n"},
                   {"value",
                    "ads {type: \"response\", command: \"read\", target: \"10.0.0.1.1.1:32750\", "
                    "source: \"10.0.0.2.1.1:851\", invoke_id: 3, result: 0}\n"
                    "fact 10.0.0.2 service = \"ads\" (ads.command, implied)\n"
                    "fact 10.0.0.2 vendor = \"Beckhoff\" (ads.command, implied)\n"},
                   {"write",
                    "ads {type: \"request\", command: \"write\", target: \"10.0.0.2.1.1:851\", "
                    "source: \"10.0.0.1.1.1:32750\", invoke_id: 4, index_group: 16416, "
                    "index_offset: 0, length: 2}\n"
                    "act 10.0.0.1 write 10.0.0.2 (ads.command)\n"},
                   {"refused",
                    "ads {type: \"response\", command: \"write\", target: \"10.0.0.1.1.1:32750\", "
                    "source: \"10.0.0.2.1.1:851\", invoke_id: 4, result: 1795}\n"
                    "fact 10.0.0.2 service = \"ads\" (ads.command, implied)\n"
                    "fact 10.0.0.2 vendor = \"Beckhoff\" (ads.command, implied)\n"},
                   {"handle by name",
                    "ads {type: \"request\", command: \"read_write\", target: "
                    "\"10.0.0.2.1.1:851\", source: \"10.0.0.1.1.1:32750\", invoke_id: 5, "
                    "index_group: 61443, index_offset: 0, length: 4, write_length: 8}\n"
                    "act 10.0.0.1 read 10.0.0.2 (ads.command)\n"},
                   {"several writes",
                    "ads {type: \"request\", command: \"read_write\", target: "
                    "\"10.0.0.2.1.1:851\", source: \"10.0.0.1.1.1:32750\", invoke_id: 6, "
                    "index_group: 61569, index_offset: 1, length: 4, write_length: 14}\n"
                    "act 10.0.0.1 write 10.0.0.2 (ads.command)\n"},
                   {"stop",
                    "ads {type: \"request\", command: \"write_control\", target: "
                    "\"10.0.0.2.1.1:851\", source: \"10.0.0.1.1.1:32750\", invoke_id: 7, "
                    "ads_state: \"stop\", device_state: 0}\n"
                    "act 10.0.0.1 stop 10.0.0.2 (ads.command)\n"},
                   {"run",
                    "ads {type: \"request\", command: \"write_control\", target: "
                    "\"10.0.0.2.1.1:851\", source: \"10.0.0.1.1.1:32750\", invoke_id: 8, "
                    "ads_state: \"run\", device_state: 0}\n"
                    "act 10.0.0.1 start 10.0.0.2 (ads.command)\n"},
                   {"no such port",
                    "ads {type: \"response\", command: \"read_device_info\", target: "
                    "\"10.0.0.1.1.1:32750\", source: \"10.0.0.2.1.1:851\", invoke_id: 9, error: "
                    "6}\n"
                    "fact 10.0.0.2 service = \"ads\" (ads.command, implied)\n"
                    "fact 10.0.0.2 vendor = \"Beckhoff\" (ads.command, implied)\n"},
               });
}

TEST(Ads, Malformed) {
  expect_malformed(
      kAds,
      {
          {"0000", "truncated"},
          {"0500 00000000", "bad_value"},
          {"0000 01000000", "truncated"},
          {"0000 01000000 00", "bad_length"},
          {"0000 00000000 00", "bad_length"},
          {"0000280000000a000002010153030a0000010101ee7f0200040008000000000000000100000000000000000"
           "00000",
           "bad_length"},
          {"0000210000000a000002010153030a0000010101ee7f0500040001000000000000000100000000",
           "bad_length"},
          {"0000240000000a0000010101ee7f0a000002010153030100050004000000000000000100000000000000",
           "bad_length", false},
          {"0000240000000a0000010101ee7f0a000002010153030400050004000000000000000100000000000000",
           "bad_length", false},
          {"0000200000000a000002010153030a0000010101ee7f01000400010000000000000001000000",
           "bad_length"},
      });
}

TEST(Ads, CutAtEveryByte) {
  expect_no_cut_passes(kAds, "ads");
}

}  // namespace
}  // namespace vmirror
