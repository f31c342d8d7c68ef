#include "agent/engine/dissect/ot/dnp3.hpp"

#include <gtest/gtest.h>

#include "tests/unit/agent/engine/dissect/tables.hpp"

namespace vmirror {
namespace {

using namespace test;

TEST(Dnp3, Tells) {
  expect_tells(kDnp3, "dnp3",
               {
                   {"read classes",
                    "dnp3 {type: \"request\", src: 1, dst: 10, control: {dir: true, pri: true, "
                    "function_code: 4, function: \"unconfirmed_user_data\"}, application: "
                    "{control: {fir: true, fin: true, con: false, uns: false, sequence: 0}, "
                    "function_code: 1, function: \"read\", objects: [{group: 60, variation: 2, "
                    "name: \"class_data\", qualifier: 6, prefix_code: 0, range_code: 6}, {group: "
                    "60, variation: 3, name: \"class_data\", qualifier: 6, prefix_code: 0, "
                    "range_code: 6}, {group: 60, variation: 4, name: \"class_data\", qualifier: 6, "
                    "prefix_code: 0, range_code: 6}, {group: 60, variation: 1, name: "
                    "\"class_data\", qualifier: 6, prefix_code: 0, range_code: 6}], complete: "
                    "true}}\n"
                    "act 10.0.0.1 read 10.0.0.2 dnp3_address 10 (dnp3.function)\n"},
                   {"binary and analog inputs",
                    "dnp3 {type: \"response\", src: 10, dst: 1, control: {dir: false, pri: true, "
                    "function_code: 4, function: \"unconfirmed_user_data\"}, application: "
                    "{control: {fir: true, fin: true, con: false, uns: false, sequence: 0}, "
                    "function_code: 129, function: \"response\", objects: [{group: 1, variation: "
                    "1, name: \"binary_input\", qualifier: 0, prefix_code: 0, range_code: 0, "
                    "start: 0, stop: 7, count: 8}, {group: 30, variation: 1, name: "
                    "\"analog_input\", qualifier: 0, prefix_code: 0, range_code: 0, start: 0, "
                    "stop: 1, count: 2}], complete: true}, iin: {indicators: "
                    "[\"device_restart\"]}}\n"
                    "fact 10.0.0.2 service = \"dnp3\" (dnp3.function, implied)\n"
                    "fact 10.0.0.2 role = \"rtu\" (dnp3.function, implied)\n"},
                   {"direct operate",
                    "dnp3 {type: \"request\", src: 1, dst: 10, control: {dir: true, pri: true, "
                    "function_code: 4, function: \"unconfirmed_user_data\"}, application: "
                    "{control: {fir: true, fin: true, con: false, uns: false, sequence: 1}, "
                    "function_code: 5, function: \"direct_operate\", objects: [{group: 12, "
                    "variation: 1, name: \"binary_output_command\", qualifier: 40, prefix_code: 2, "
                    "range_code: 8, count: 1, points: [{index: 3, op_type: 1, tcc: 1, count: 1, "
                    "on_time: 100, off_time: 100, status_code: 0}]}], complete: true}}\n"
                    "act 10.0.0.1 write 10.0.0.2 dnp3_address 10 (dnp3.function)\n"},
                   {"done",
                    "dnp3 {type: \"response\", src: 10, dst: 1, control: {dir: false, pri: true, "
                    "function_code: 4, function: \"unconfirmed_user_data\"}, application: "
                    "{control: {fir: true, fin: true, con: false, uns: false, sequence: 1}, "
                    "function_code: 129, function: \"response\", objects: [{group: 12, variation: "
                    "1, name: \"binary_output_command\", qualifier: 40, prefix_code: 2, "
                    "range_code: 8, count: 1, points: [{index: 3, op_type: 1, tcc: 1, count: 1, "
                    "on_time: 100, off_time: 100, status_code: 0}]}], complete: true}, iin: "
                    "{indicators: [\"need_time\"]}}\n"
                    "fact 10.0.0.2 service = \"dnp3\" (dnp3.function, implied)\n"
                    "fact 10.0.0.2 role = \"rtu\" (dnp3.function, implied)\n"},
                   {"attributes",
                    "dnp3 {type: \"request\", src: 1, dst: 10, control: {dir: true, pri: true, "
                    "function_code: 4, function: \"unconfirmed_user_data\"}, application: "
                    "{control: {fir: true, fin: true, con: false, uns: false, sequence: 2}, "
                    "function_code: 1, function: \"read\", objects: [{group: 0, variation: 254, "
                    "name: \"device_attributes\", qualifier: 0, prefix_code: 0, range_code: 0, "
                    "start: 0, stop: 0, count: 1}], complete: true}}\n"
                    "act 10.0.0.1 read 10.0.0.2 dnp3_address 10 (dnp3.function)\n"},
                   {"their values",
                    "dnp3 {type: \"response\", src: 10, dst: 1, control: {dir: false, pri: true, "
                    "function_code: 4, function: \"unconfirmed_user_data\"}, application: "
                    "{control: {fir: true, fin: true, con: false, uns: false, sequence: 2}, "
                    "function_code: 129, function: \"response\", objects: [{group: 0, variation: "
                    "252, name: \"device_attributes\", qualifier: 0, prefix_code: 0, range_code: "
                    "0, start: 0, stop: 0, count: 1, attribute: \"Example Power\"}, {group: 0, "
                    "variation: 250, name: \"device_attributes\", qualifier: 0, prefix_code: 0, "
                    "range_code: 0, start: 0, stop: 0, count: 1, attribute: \"RTU-50\"}, {group: "
                    "0, variation: 242, name: \"device_attributes\", qualifier: 0, prefix_code: 0, "
                    "range_code: 0, start: 0, stop: 0, count: 1, attribute: \"4.7.1\"}, {group: 0, "
                    "variation: 243, name: \"device_attributes\", qualifier: 0, prefix_code: 0, "
                    "range_code: 0, start: 0, stop: 0, count: 1, attribute: \"C\"}, {group: 0, "
                    "variation: 248, name: \"device_attributes\", qualifier: 0, prefix_code: 0, "
                    "range_code: 0, start: 0, stop: 0, count: 1, attribute: \"SN-0042\"}, {group: "
                    "0, variation: 247, name: \"device_attributes\", qualifier: 0, prefix_code: 0, "
                    "range_code: 0, start: 0, stop: 0, count: 1, attribute: \"north-7\"}], "
                    "complete: true}, iin: {indicators: []}}\n"
                    "fact 10.0.0.2 dnp3_address 10 vendor = \"Example Power\" (dnp3.manufacturer)\n"
                    "fact 10.0.0.2 dnp3_address 10 model = \"RTU-50\" (dnp3.product_name)\n"
                    "fact 10.0.0.2 dnp3_address 10 firmware = \"4.7.1\" (dnp3.software_version)\n"
                    "fact 10.0.0.2 dnp3_address 10 hardware = \"C\" (dnp3.hardware_version)\n"
                    "fact 10.0.0.2 dnp3_address 10 serial_number = \"SN-0042\" "
                    "(dnp3.serial_number)\n"
                    "fact 10.0.0.2 dnp3_address 10 station_name = \"north-7\" (dnp3.device_name)\n"
                    "fact 10.0.0.2 service = \"dnp3\" (dnp3.function, implied)\n"
                    "fact 10.0.0.2 role = \"rtu\" (dnp3.function, implied)\n"},
                   {"octet strings",
                    "dnp3 {type: \"response\", src: 10, dst: 1, control: {dir: false, pri: true, "
                    "function_code: 4, function: \"unconfirmed_user_data\"}, application: "
                    "{control: {fir: true, fin: true, con: false, uns: false, sequence: 2}, "
                    "function_code: 129, function: \"response\", objects: [{group: 110, variation: "
                    "40, name: \"octet_string\", qualifier: 0, prefix_code: 0, range_code: 0, "
                    "start: 0, stop: 0, count: 1}, {group: 110, variation: 40, name: "
                    "\"octet_string\", qualifier: 0, prefix_code: 0, range_code: 0, start: 0, "
                    "stop: 0, count: 1}], complete: true}, iin: {indicators: []}}\n"
                    "fact 10.0.0.2 service = \"dnp3\" (dnp3.function, implied)\n"
                    "fact 10.0.0.2 role = \"rtu\" (dnp3.function, implied)\n"},
                   {"first of two parts", ""},
                   {"second of two parts", ""},
                   {"open a file to write",
                    "dnp3 {type: \"request\", src: 1, dst: 10, control: {dir: true, pri: true, "
                    "function_code: 4, function: \"unconfirmed_user_data\"}, application: "
                    "{control: {fir: true, fin: true, con: false, uns: false, sequence: 4}, "
                    "function_code: 25, function: \"open_file\", objects: [{group: 70, variation: "
                    "3, name: \"file_control\", qualifier: 91, prefix_code: 5, range_code: 11, "
                    "count: 1, file_name: \"./config.xml\"}], complete: true}}\n"
                    "act 10.0.0.1 download 10.0.0.2 dnp3_address 10 (dnp3.function)\n"},
                   {"write it",
                    "dnp3 {type: \"request\", src: 1, dst: 10, control: {dir: true, pri: true, "
                    "function_code: 4, function: \"unconfirmed_user_data\"}, application: "
                    "{control: {fir: true, fin: true, con: false, uns: false, sequence: 5}, "
                    "function_code: 2, function: \"write\", objects: [{group: 70, variation: 5, "
                    "name: \"file_control\", qualifier: 91, prefix_code: 5, range_code: 11, count: "
                    "1}], complete: true}}\n"
                    "act 10.0.0.1 download 10.0.0.2 dnp3_address 10 (dnp3.function)\n"},
                   {"cold restart",
                    "dnp3 {type: \"request\", src: 1, dst: 10, control: {dir: true, pri: true, "
                    "function_code: 4, function: \"unconfirmed_user_data\"}, application: "
                    "{control: {fir: true, fin: true, con: false, uns: false, sequence: 6}, "
                    "function_code: 13, function: \"cold_restart\", objects: [], complete: true}}\n"
                    "act 10.0.0.1 stop 10.0.0.2 dnp3_address 10 (dnp3.function)\n"},
                   {"stop application",
                    "dnp3 {type: \"request\", src: 1, dst: 10, control: {dir: true, pri: true, "
                    "function_code: 4, function: \"unconfirmed_user_data\"}, application: "
                    "{control: {fir: true, fin: true, con: false, uns: false, sequence: 7}, "
                    "function_code: 18, function: \"stop_application\", objects: [{group: 90, "
                    "variation: 1, name: \"application_identifier\", qualifier: 6, prefix_code: 0, "
                    "range_code: 6}], complete: true}}\n"
                    "act 10.0.0.1 stop 10.0.0.2 dnp3_address 10 (dnp3.function)\n"},
                   {"unsolicited",
                    "dnp3 {type: \"unsolicited_response\", src: 10, dst: 1, control: {dir: false, "
                    "pri: true, function_code: 4, function: \"unconfirmed_user_data\"}, "
                    "application: {control: {fir: true, fin: true, con: true, uns: true, sequence: "
                    "0}, function_code: 130, function: \"unsolicited_response\", objects: [{group: "
                    "2, variation: 1, name: \"binary_input_event\", qualifier: 23, prefix_code: 1, "
                    "range_code: 7, count: 1}], complete: true}, iin: {indicators: "
                    "[\"class_1_events\"]}}\n"
                    "fact 10.0.0.2 service = \"dnp3\" (dnp3.function, implied)\n"
                    "fact 10.0.0.2 role = \"rtu\" (dnp3.function, implied)\n"},
                   {"confirm",
                    "dnp3 {type: \"request\", src: 1, dst: 10, control: {dir: true, pri: true, "
                    "function_code: 4, function: \"unconfirmed_user_data\"}, application: "
                    "{control: {fir: true, fin: true, con: false, uns: true, sequence: 0}, "
                    "function_code: 0, function: \"confirm\", objects: [], complete: true}}\n"},
                   {"reset link",
                    "dnp3 {type: \"link\", src: 1, dst: 10, control: {dir: true, pri: true, "
                    "function_code: 0, function: \"reset_link_states\"}}\n"},
                   {"link ack",
                    "dnp3 {type: \"link\", src: 10, dst: 1, control: {dir: false, pri: false, "
                    "function_code: 0, function: \"ack\"}}\n"},
               });
}

TEST(Dnp3, Malformed) {
  expect_malformed(kDnp3,
                   {
                       {"05", "truncated"},
                       {"0564 05 c0 0a00 0100", "truncated"},
                       {"0565 05 c0 0a00 0100 0000", "bad_value"},
                       {"0564 04 c0 0a00 0100 0000", "bad_length"},
                       {"0564 05 c0 0a00 0100 0000", "bad_value"},
                       {"056405c00a000100b1ac00", "bad_length"},
                       {"056414c40a0001008fedc0c0ff3c02063c03063c04063c01068a51", "bad_value"},
                       {"056407c40a0001001e06c0c019ba", "truncated"},
                       {"0564104401000a00c4e1c0c08100001e0100000501c870", "bad_length", false},
                       {"05640ac40a0001004b64c0c0050c01dbb5", "bad_length"},
                   });
}

TEST(Dnp3, PartsAreJoined) {
  Dissection dissection(all_dissectors());
  Context context = context_of(false);
  context.engine = &dissection;
  EXPECT_EQ(told(kDnp3, payload("dnp3", "first of two parts"), context), "");
  const std::string out = told(kDnp3, payload("dnp3", "second of two parts"), context);
  EXPECT_NE(out.find("complete: true"), std::string::npos) << out;
  // The beginning was not seen.
  EXPECT_EQ(told(kDnp3, payload("dnp3", "second of two parts"), context), "");
}

TEST(Dnp3, ADatagramCarriesSeveralFrames) {
  Buffer both = payload("dnp3", "reset link");
  const Buffer& more = payload("dnp3", "cold restart");
  both.insert(both.end(), more.begin(), more.end());
  const std::string out = told(kDnp3Udp, both, context_of());
  EXPECT_NE(out.find("reset_link_states"), std::string::npos) << out;
  EXPECT_NE(out.find("cold_restart"), std::string::npos) << out;
}

TEST(Dnp3, CutAtEveryByte) {
  expect_no_cut_passes(kDnp3, "dnp3");
}

}  // namespace
}  // namespace vmirror
