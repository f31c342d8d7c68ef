#include "agent/engine/dissect/ot/cip.hpp"

#include <gtest/gtest.h>

#include "tests/unit/agent/engine/dissect/tables.hpp"

namespace vmirror {
namespace {

using namespace test;

TEST(Cip, Tells) {
  expect_tells(
      kCip, "cip",
      {
          {"get all of the identity",
           "cip {type: \"request\", service: \"get_attributes_all\", class: \"identity\", "
           "class_id: 1, instance: 1}\n"
           "act 10.0.0.1 read 10.0.0.2 (cip.service)\n"},
          {"the identity",
           "cip {type: \"response\", service: \"get_attributes_all\", status: "
           "\"success\"}\n"},
          {"product name",
           "cip {type: \"request\", service: \"get_attribute_single\", class: "
           "\"identity\", class_id: 1, instance: 1, attribute: 7}\n"
           "act 10.0.0.1 read 10.0.0.2 (cip.service)\n"},
          {"routed to slot 2",
           "cip {type: \"request\", service: \"unconnected_send\", class: "
           "\"connection_manager\", class_id: 6, instance: 1, slot: 2}\n"
           "cip {type: \"request\", service: \"get_attributes_all\", class: \"identity\", "
           "class_id: 1, instance: 1, slot: 2}\n"
           "act 10.0.0.1 read 10.0.0.2 cip_slot 2 (cip.service)\n"},
          {"two tags at once",
           "cip {type: \"request\", service: \"multiple_service_packet\", services: 2, "
           "class: \"message_router\", class_id: 2, instance: 1}\n"
           "cip {type: \"request\", service: \"read_tag\", symbol: \"Tank.Level\"}\n"
           "cip {type: \"request\", service: \"write_tag\", symbol: \"Pump1\"}\n"
           "act 10.0.0.1 read 10.0.0.2 (cip.service)\n"
           "act 10.0.0.1 write 10.0.0.2 (cip.service)\n"},
          {"two answers",
           "cip {type: \"response\", service: \"multiple_service_packet\", status: "
           "\"success\", services: 2}\n"
           "cip {type: \"response\", service: \"0x4c\", status: \"success\"}\n"
           "cip {type: \"response\", service: \"0x4d\", status: \"success\"}\n"},
          {"forward open",
           "cip {type: \"request\", service: \"forward_open\", class: "
           "\"connection_manager\", class_id: 6, instance: 1, o_t_connection_id: 0, "
           "t_o_connection_id: 8193, connection_serial: 7, o_t_rpi_us: 10000, t_o_rpi_us: "
           "10000, transport_class: 1}\n"},
          {"opened", "cip {type: \"response\", service: \"0x54\", status: \"success\"}\n"},
          {"not opened",
           "cip {type: \"response\", service: \"0x54\", status: \"connection_failure\", "
           "extended_status: 276}\n"},
          {"reset",
           "cip {type: \"request\", service: \"reset\", class: \"identity\", class_id: 1, "
           "instance: 1}\n"
           "act 10.0.0.1 stop 10.0.0.2 (cip.service)\n"},
          {"stop",
           "cip {type: \"request\", service: \"stop\", class: \"controller\", class_id: "
           "142, instance: 1}\n"
           "act 10.0.0.1 stop 10.0.0.2 (cip.service)\n"},
          {"refused",
           "cip {type: \"response\", service: \"stop\", status: \"privilege_violation\"}\n"},
          {"start",
           "cip {type: \"request\", service: \"start\", class: \"controller\", class_id: "
           "142, instance: 1}\n"
           "act 10.0.0.1 start 10.0.0.2 (cip.service)\n"},
          {"file download",
           "cip {type: \"request\", service: \"initiate_download\", class: \"file\", "
           "class_id: 55, instance: 200}\n"
           "act 10.0.0.1 download 10.0.0.2 (cip.service)\n"},
          {"set an attribute",
           "cip {type: \"request\", service: \"set_attribute_single\", class: "
           "\"tcp_ip_interface\", class_id: 245, instance: 1, attribute: 5}\n"
           "act 10.0.0.1 write 10.0.0.2 (cip.service)\n"},
          {"set the clock",
           "cip {type: \"request\", service: \"set_attribute_single\", class: "
           "\"wall_clock_time\", class_id: 139, instance: 1, attribute: 5}\n"
           "act 10.0.0.1 set_time 10.0.0.2 (cip.service)\n"},
          {"service of its own",
           "cip {type: \"request\", service: \"0x74\", class_id: 768, instance: 1}\n"},
      });
}

TEST(Cip, Malformed) {
  expect_malformed(kCip, {
                             {"", "truncated"},
                             {"0e", "truncated"},
                             {"0e 03 2001 2401", "truncated"},
                             {"0e 01 e000", "bad_value"},
                             {"0e 01 2300", "bad_value"},
                             {"0e 01 2100", "truncated"},
                             {"8e 00 00", "truncated"},
                             {"8e 00 01 01 14", "truncated"},
                             {"0a 02 2002 2401 0200 0600", "truncated"},
                             {"0a 02 2002 2401 0100 0900 0e", "bad_length"},
                             {"52 02 2006 2401 0a0e 0900 01", "truncated"},
                             {"0a 02 2002 2401 0100 0400 0a02 2002 2401 0100 0400 0a02 2002 2401 "
                              "0100 0400 0a02 2002 2401 0100 0400 0e00",
                              "too_deep"},
                         });
}

TEST(Cip, CutAtEveryByte) {
  expect_no_cut_passes(kCip, "cip", [](const Payload& each, std::size_t size) {
    const auto cip = parse_cip(Bytes(each.bytes).first(size));
    return cip && cip->service != 0x52;  // The others have no length of their own.
  });
}

}  // namespace
}  // namespace vmirror
