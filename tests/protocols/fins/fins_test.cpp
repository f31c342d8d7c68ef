#include "agent/engine/dissect/ot/fins.hpp"

#include <gtest/gtest.h>

#include "tests/unit/agent/engine/dissect/tables.hpp"

namespace vmirror {
namespace {

using namespace test;

TEST(Fins, Tells) {
  expect_tells(kFinsUdp, "fins",
               {
                   {"controller data",
                    "fins {type: \"request\", command: \"controller_data_read\", command_code: "
                    "\"0501\", source: \"0.251.0\", destination: \"0.1.0\", service_id: 1}\n"},
                   {"its answer",
                    "fins {type: \"response\", command: \"controller_data_read\", command_code: "
                    "\"0501\", source: \"0.1.0\", destination: \"0.251.0\", service_id: 1, model: "
                    "\"CJ2M-CPU33\", version: \"02.01\"}\n"
                    "fact 10.0.0.2 service = \"fins\" (fins.command, implied)\n"
                    "fact 10.0.0.2 role = \"plc\" (fins.command, implied)\n"
                    "fact 10.0.0.2 vendor = \"Omron\" (fins.command, implied)\n"
                    "fact 10.0.0.2 model = \"CJ2M-CPU33\" (fins.model)\n"
                    "fact 10.0.0.2 firmware = \"02.01\" (fins.version)\n"},
                   {"status",
                    "fins {type: \"request\", command: \"controller_status_read\", command_code: "
                    "\"0601\", source: \"0.251.0\", destination: \"0.1.0\", service_id: 2}\n"},
                   {"running",
                    "fins {type: \"response\", command: \"controller_status_read\", command_code: "
                    "\"0601\", source: \"0.1.0\", destination: \"0.251.0\", service_id: 2, status: "
                    "\"run\", mode: \"run\"}\n"
                    "fact 10.0.0.2 service = \"fins\" (fins.command, implied)\n"
                    "fact 10.0.0.2 role = \"plc\" (fins.command, implied)\n"
                    "fact 10.0.0.2 vendor = \"Omron\" (fins.command, implied)\n"},
                   {"read memory",
                    "fins {type: \"request\", command: \"memory_area_read\", command_code: "
                    "\"0101\", source: \"0.251.0\", destination: \"0.1.0\", service_id: 3, area: "
                    "130, address: 100, bit: 0, count: 10}\n"
                    "act 10.0.0.1 read 10.0.0.2 (fins.command)\n"},
                   {"words",
                    "fins {type: \"response\", command: \"memory_area_read\", command_code: "
                    "\"0101\", source: \"0.1.0\", destination: \"0.251.0\", service_id: 3}\n"
                    "fact 10.0.0.2 service = \"fins\" (fins.command, implied)\n"
                    "fact 10.0.0.2 role = \"plc\" (fins.command, implied)\n"
                    "fact 10.0.0.2 vendor = \"Omron\" (fins.command, implied)\n"},
                   {"write memory",
                    "fins {type: \"request\", command: \"memory_area_write\", command_code: "
                    "\"0102\", source: \"0.251.0\", destination: \"0.1.0\", service_id: 4, area: "
                    "130, address: 100, bit: 0, count: 1}\n"
                    "act 10.0.0.1 write 10.0.0.2 (fins.command)\n"},
                   {"refused",
                    "fins {type: \"response\", command: \"memory_area_write\", command_code: "
                    "\"0102\", source: \"0.1.0\", destination: \"0.251.0\", service_id: 4, "
                    "end_code: 8451}\n"
                    "fact 10.0.0.2 service = \"fins\" (fins.command, implied)\n"
                    "fact 10.0.0.2 role = \"plc\" (fins.command, implied)\n"
                    "fact 10.0.0.2 vendor = \"Omron\" (fins.command, implied)\n"},
                   {"run",
                    "fins {type: \"request\", command: \"run\", command_code: \"0401\", source: "
                    "\"0.251.0\", destination: \"0.1.0\", service_id: 5}\n"
                    "act 10.0.0.1 start 10.0.0.2 (fins.command)\n"},
                   {"stop",
                    "fins {type: \"request\", command: \"stop\", command_code: \"0402\", source: "
                    "\"0.251.0\", destination: \"0.1.0\", service_id: 6}\n"
                    "act 10.0.0.1 stop 10.0.0.2 (fins.command)\n"},
                   {"program write",
                    "fins {type: \"request\", command: \"program_area_write\", command_code: "
                    "\"0307\", source: \"0.251.0\", destination: \"0.1.0\", service_id: 7}\n"
                    "act 10.0.0.1 download 10.0.0.2 (fins.command)\n"},
                   {"no answer wanted",
                    "fins {type: \"request\", command: \"clock_write\", command_code: \"0702\", "
                    "source: \"0.251.0\", destination: \"0.1.0\", service_id: 8}\n"
                    "act 10.0.0.1 set_time 10.0.0.2 (fins.command)\n"},
               });
}

TEST(Fins, TellsOverTcp) {
  expect_tells(kFins, "fins/tcp",
               {
                   {"client node", "fins {tcp_command: \"client_node_address\", client_node: 0}\n"},
                   {"server node",
                    "fins {tcp_command: \"server_node_address\", client_node: 251, server_node: "
                    "1}\n"},
                   {"frame",
                    "fins {tcp_command: \"frame_send\", type: \"request\", command: "
                    "\"controller_data_read\", command_code: \"0501\", source: \"0.251.0\", "
                    "destination: \"0.1.0\", service_id: 1}\n"},
                   {"frame back",
                    "fins {tcp_command: \"frame_send\", type: \"response\", command: "
                    "\"controller_data_read\", command_code: \"0501\", source: \"0.1.0\", "
                    "destination: \"0.251.0\", service_id: 1, model: \"CJ2M-CPU33\", version: "
                    "\"02.01\"}\n"
                    "fact 10.0.0.2 service = \"fins\" (fins.command, implied)\n"
                    "fact 10.0.0.2 role = \"plc\" (fins.command, implied)\n"
                    "fact 10.0.0.2 vendor = \"Omron\" (fins.command, implied)\n"
                    "fact 10.0.0.2 model = \"CJ2M-CPU33\" (fins.model)\n"
                    "fact 10.0.0.2 firmware = \"02.01\" (fins.version)\n"},
                   {"error", "fins {tcp_command: \"error_notification\", tcp_error: 3}\n"},
               });
}

TEST(Fins, Malformed) {
  expect_malformed(kFinsUdp, {
                                 {"80", "truncated"},
                                 {"82 00 02 000100 00fb00 01 0501 00", "bad_value"},
                                 {"80 01 02 000100 00fb00 01 0501 00", "bad_value"},
                                 {"c0 00 02 00fb00 000100 01 0501 00", "truncated"},
                                 {"80 00 02 000100 00fb00 01 0101 82", "truncated"},
                                 {"c0 00 02 00fb00 000100 01 0501 0000 43", "truncated", false},
                             });
}

TEST(Fins, MalformedOverTcp) {
  expect_malformed(kFins, {
                              {"46494e53 00000008 00000002", "truncated"},
                              {"46494e54 00000008 00000003 00000000", "bad_value"},
                              {"46494e53 00000007 00000003 00000000", "bad_length"},
                              {"46494e53 00000009 00000003 00000000", "truncated"},
                              {"46494e53 00000008 00000003 00000000 00", "bad_length"},
                              {"46494e53 00000008 00000001 00000000", "bad_length"},
                              {"46494e53 00000009 00000002 00000000 80", "bad_length"},
                          });
}

TEST(Fins, CutAtEveryByteOverTcp) {
  expect_no_cut_passes(kFins, "fins/tcp");
}

TEST(Fins, CutAtEveryByte) {
  expect_no_cut_passes(kFinsUdp, "fins", [](const Payload& each, std::size_t size) {
    // A frame has no length: of most commands a shorter one is as good.
    const bool memory = each.what.ends_with("memory");
    const bool told = each.what == "its answer" || each.what == "running";
    return !memory && !told && parse_fins(Bytes(each.bytes).first(size)).has_value() ? true
           : each.what == "its answer"                                               ? size >= 54
           : each.what == "running"                                                  ? size >= 16
           : each.what == "write memory"                                             ? size >= 18
                                                                                     : false;
  });
}

}  // namespace
}  // namespace vmirror
