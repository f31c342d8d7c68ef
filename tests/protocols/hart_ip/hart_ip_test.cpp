#include "agent/engine/dissect/ot/hart_ip.hpp"

#include <gtest/gtest.h>

#include "tests/unit/agent/engine/dissect/tables.hpp"

namespace vmirror {
namespace {

using namespace test;

TEST(HartIp, Tells) {
  expect_tells(kHartIp, "hart_ip",
               {
                   {"initiate",
                    "hart_ip {version: 1, message_type: \"request\", message_id: "
                    "\"session_initiate\", status: 0, transaction_id: 1, host_type: 1, "
                    "inactivity_ms: 30000}\n"},
                   {"initiated",
                    "hart_ip {version: 1, message_type: \"response\", message_id: "
                    "\"session_initiate\", status: 0, transaction_id: 1, host_type: 1, "
                    "inactivity_ms: 60000}\n"
                    "fact 10.0.0.2 service = \"hart_ip\" (hart_ip.message_type, implied)\n"},
                   {"keep alive",
                    "hart_ip {version: 1, message_type: \"request\", message_id: \"keep_alive\", "
                    "status: 0, transaction_id: 2}\n"},
                   {"alive",
                    "hart_ip {version: 1, message_type: \"response\", message_id: \"keep_alive\", "
                    "status: 0, transaction_id: 2}\n"
                    "fact 10.0.0.2 service = \"hart_ip\" (hart_ip.message_type, implied)\n"},
                   {"read identifier",
                    "hart_ip {version: 1, message_type: \"request\", message_id: "
                    "\"token_passing_pdu\", status: 0, transaction_id: 3, frame: \"request\", "
                    "address: <264e0000d2>, command: 0, command_name: \"read_unique_identifier\"}\n"
                    "act 10.0.0.1 read 10.0.0.2 (hart_ip.command)\n"},
                   {"identifier",
                    "hart_ip {version: 1, message_type: \"response\", message_id: "
                    "\"token_passing_pdu\", status: 0, transaction_id: 3, frame: \"response\", "
                    "address: <264e0000d2>, command: 0, command_name: \"read_unique_identifier\", "
                    "response_code: 0, device_status: 208, device: {manufacturer_id: 0, "
                    "device_type: 9806, device_id: 210, hart_revision: 7, device_revision: 4, "
                    "software_revision: 1, hardware_revision: 14}}\n"
                    "fact 10.0.0.2 service = \"hart_ip\" (hart_ip.message_type, implied)\n"
                    "fact 10.0.0.2 serial_number = \"210\" (hart_ip.device_id)\n"
                    "fact 10.0.0.2 firmware = \"1\" (hart_ip.software_revision)\n"
                    "fact 10.0.0.2 hardware = \"14\" (hart_ip.hardware_revision)\n"},
                   {"by polling address",
                    "hart_ip {version: 1, message_type: \"request\", message_id: "
                    "\"token_passing_pdu\", status: 0, transaction_id: 4, frame: \"request\", "
                    "address: <80>, command: 0, command_name: \"read_unique_identifier\"}\n"
                    "act 10.0.0.1 read 10.0.0.2 (hart_ip.command)\n"},
                   {"no such command",
                    "hart_ip {version: 1, message_type: \"response\", message_id: "
                    "\"token_passing_pdu\", status: 0, transaction_id: 4, frame: \"response\", "
                    "address: <264e0000d2>, command: 200, response_code: 64, device_status: 208}\n"
                    "fact 10.0.0.2 service = \"hart_ip\" (hart_ip.message_type, implied)\n"},
                   {"read long tag",
                    "hart_ip {version: 1, message_type: \"request\", message_id: "
                    "\"token_passing_pdu\", status: 0, transaction_id: 5, frame: \"request\", "
                    "address: <264e0000d2>, command: 20, command_name: \"read_long_tag\"}\n"
                    "act 10.0.0.1 read 10.0.0.2 (hart_ip.command)\n"},
                   {"long tag",
                    "hart_ip {version: 1, message_type: \"response\", message_id: "
                    "\"token_passing_pdu\", status: 0, transaction_id: 5, frame: \"response\", "
                    "address: <264e0000d2>, command: 20, command_name: \"read_long_tag\", "
                    "response_code: 0, device_status: 208, tag: \"FT-101 hall 3\"}\n"
                    "fact 10.0.0.2 service = \"hart_ip\" (hart_ip.message_type, implied)\n"
                    "fact 10.0.0.2 station_name = \"FT-101 hall 3\" (hart_ip.tag)\n"},
                   {"write long tag",
                    "hart_ip {version: 1, message_type: \"request\", message_id: "
                    "\"token_passing_pdu\", status: 0, transaction_id: 6, frame: \"request\", "
                    "address: <264e0000d2>, command: 22, command_name: \"write_long_tag\"}\n"
                    "act 10.0.0.1 write 10.0.0.2 (hart_ip.command)\n"},
                   {"reset the device",
                    "hart_ip {version: 1, message_type: \"request\", message_id: "
                    "\"token_passing_pdu\", status: 0, transaction_id: 7, frame: \"request\", "
                    "address: <264e0000d2>, command: 42, command_name: \"perform_device_reset\"}\n"
                    "act 10.0.0.1 stop 10.0.0.2 (hart_ip.command)\n"},
                   {"burst",
                    "hart_ip {version: 1, message_type: \"publish\", message_id: "
                    "\"token_passing_pdu\", status: 0, transaction_id: 8, frame: \"burst\", "
                    "address: <264e0000d2>, command: 1, command_name: \"read_primary_variable\", "
                    "response_code: 0, device_status: 208}\n"},
                   {"audit log",
                    "hart_ip {version: 1, message_type: \"response\", message_id: "
                    "\"read_audit_log\", status: 0, transaction_id: 9}\n"
                    "fact 10.0.0.2 service = \"hart_ip\" (hart_ip.message_type, implied)\n"},
                   {"refused",
                    "hart_ip {version: 1, message_type: \"nak\", message_id: "
                    "\"token_passing_pdu\", status: 4, transaction_id: 10}\n"},
                   {"close",
                    "hart_ip {version: 1, message_type: \"request\", message_id: "
                    "\"session_close\", status: 0, transaction_id: 11}\n"},
               });
}

TEST(HartIp, Malformed) {
  expect_malformed(kHartIp, {
                                {"01", "truncated"},
                                {"03 00 00 00 0001 0008", "bad_value"},
                                {"01 07 00 00 0001 0008", "bad_value"},
                                {"01 00 09 00 0001 0008", "bad_value"},
                                {"01 00 00 00 0001 0007", "bad_length"},
                                {"01 00 00 00 0001 0009", "truncated"},
                                {"01 00 02 00 0001 0008 00", "bad_length"},
                                {"01 00 00 00 0001 000a 0100", "bad_length"},
                                {"010003000001000f82264e0000d200", "bad_length"},
                                {"010003000001001182264e0000d2000099", "bad_value"},
                                {"010003000001001282264e0000d200003800", "bad_length"},
                                {"010003000001001583000000000000000000000000", "bad_value"},
                                {"010103000001001186264e0000d200003c", "bad_length", false},
                            });
}

TEST(HartIp, CutAtEveryByte) {
  expect_no_cut_passes(kHartIp, "hart_ip");
}

}  // namespace
}  // namespace vmirror
