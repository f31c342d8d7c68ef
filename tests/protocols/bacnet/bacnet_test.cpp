#include "agent/engine/dissect/ot/bacnet.hpp"

#include <gtest/gtest.h>

#include "tests/unit/agent/engine/dissect/tables.hpp"

namespace vmirror {
namespace {

using namespace test;

TEST(Bacnet, Tells) {
  expect_tells(kBacnet, "bacnet",
               {
                   {"who is",
                    "bacnet {bvlc_function: \"original_broadcast_npdu\", dnet: 65535, pdu_type: "
                    "\"unconfirmed_request\", pdu_service: \"who_is\", low_limit: 1234, "
                    "high_limit: 1234}\n"},
                   {"i am",
                    "bacnet {bvlc_function: \"original_broadcast_npdu\", pdu_type: "
                    "\"unconfirmed_request\", pdu_service: \"i_am\", objects: [{object_type: "
                    "\"device\", instance_number: 1234}], max_apdu: 1476, vendor_id: 24}\n"
                    "fact 10.0.0.2 service = \"bacnet\" (bacnet.pdu_service, implied)\n"
                    "fact 10.0.0.2 description = \"BACnet device 1234\" (bacnet.i_am)\n"
                    "fact 10.0.0.2 vendor = \"Automated Logic\" (bacnet.i_am)\n"},
                   {"read property",
                    "bacnet {bvlc_function: \"original_unicast_npdu\", pdu_type: "
                    "\"confirmed_request\", pdu_service: \"read_property\", invoke_id: 1, objects: "
                    "[{object_type: \"device\", instance_number: 1234, property: "
                    "\"object_name\"}]}\n"
                    "act 10.0.0.1 read 10.0.0.2 (bacnet.pdu_service)\n"},
                   {"its value",
                    "bacnet {bvlc_function: \"original_unicast_npdu\", pdu_type: \"complex_ack\", "
                    "pdu_service: \"read_property\", invoke_id: 1, objects: [{object_type: "
                    "\"device\", instance_number: 1234, property: \"object_name\", value: "
                    "\"ahu-7\"}]}\n"
                    "fact 10.0.0.2 service = \"bacnet\" (bacnet.pdu_service, implied)\n"
                    "fact 10.0.0.2 station_name = \"ahu-7\" (bacnet.object_name)\n"},
                   {"signed",
                    "bacnet {bvlc_function: \"original_unicast_npdu\", pdu_type: \"complex_ack\", "
                    "pdu_service: \"read_property\", invoke_id: 2, objects: [{object_type: "
                    "\"device\", instance_number: 1234, property: \"utc_offset\", value: -60}]}\n"
                    "fact 10.0.0.2 service = \"bacnet\" (bacnet.pdu_service, implied)\n"},
                   {"read several",
                    "bacnet {bvlc_function: \"original_unicast_npdu\", pdu_type: "
                    "\"confirmed_request\", pdu_service: \"read_property_multiple\", invoke_id: 3, "
                    "objects: [{object_type: \"device\", instance_number: 1234, property: "
                    "\"vendor_name\"}, {object_type: \"device\", instance_number: 1234, property: "
                    "\"model_name\"}, {object_type: \"device\", instance_number: 1234, property: "
                    "\"firmware_revision\"}, {object_type: \"device\", instance_number: 1234, "
                    "property: \"vendor_identifier\"}, {object_type: \"device\", instance_number: "
                    "1234, property: \"serial_number\"}, {object_type: \"device\", "
                    "instance_number: 1234, property: \"object_list\", array_index: 0}]}\n"
                    "act 10.0.0.1 read 10.0.0.2 (bacnet.pdu_service)\n"},
                   {"their values",
                    "bacnet {bvlc_function: \"original_unicast_npdu\", pdu_type: \"complex_ack\", "
                    "pdu_service: \"read_property_multiple\", invoke_id: 3, objects: "
                    "[{object_type: \"device\", instance_number: 1234, property: \"vendor_name\", "
                    "value: \"Example Controls\"}, {object_type: \"device\", instance_number: "
                    "1234, property: \"model_name\", value: \"AHU-7\"}, {object_type: \"device\", "
                    "instance_number: 1234, property: \"firmware_revision\", value: \"3.12\"}, "
                    "{object_type: \"device\", instance_number: 1234, property: "
                    "\"vendor_identifier\", value: 24}, {object_type: \"device\", instance_number: "
                    "1234, property: \"serial_number\"}, {object_type: \"device\", "
                    "instance_number: 1234, property: \"object_list\", array_index: 0, value: "
                    "2}]}\n"
                    "fact 10.0.0.2 service = \"bacnet\" (bacnet.pdu_service, implied)\n"
                    "fact 10.0.0.2 vendor = \"Example Controls\" (bacnet.vendor_name)\n"
                    "fact 10.0.0.2 model = \"AHU-7\" (bacnet.model_name)\n"
                    "fact 10.0.0.2 firmware = \"3.12\" (bacnet.firmware_revision)\n"
                    "fact 10.0.0.2 vendor = \"Automated Logic\" (bacnet.vendor_identifier)\n"},
                   {"segment 0",
                    "bacnet {bvlc_function: \"original_unicast_npdu\", pdu_type: \"complex_ack\", "
                    "pdu_service: \"read_property_multiple\", invoke_id: 4, sequence: 0}\n"},
                   {"segment 1",
                    "bacnet {bvlc_function: \"original_unicast_npdu\", pdu_type: \"complex_ack\", "
                    "pdu_service: \"read_property_multiple\", invoke_id: 4, sequence: 1}\n"},
                   {"segment 2",
                    "bacnet {bvlc_function: \"original_unicast_npdu\", pdu_type: \"complex_ack\", "
                    "pdu_service: \"read_property_multiple\", invoke_id: 4, sequence: 2}\n"},
                   {"segment ack",
                    "bacnet {bvlc_function: \"original_unicast_npdu\", pdu_type: \"segment_ack\", "
                    "invoke_id: 4}\n"},
                   {"write property",
                    "bacnet {bvlc_function: \"original_unicast_npdu\", pdu_type: "
                    "\"confirmed_request\", pdu_service: \"write_property\", invoke_id: 5, "
                    "objects: [{object_type: \"analog_output\", instance_number: 101, property: "
                    "\"present_value\", value: 21.5}]}\n"
                    "act 10.0.0.1 write 10.0.0.2 (bacnet.pdu_service)\n"},
                   {"written",
                    "bacnet {bvlc_function: \"original_unicast_npdu\", pdu_type: \"simple_ack\", "
                    "pdu_service: \"write_property\", invoke_id: 5}\n"
                    "fact 10.0.0.2 service = \"bacnet\" (bacnet.pdu_service, implied)\n"},
                   {"restart",
                    "bacnet {bvlc_function: \"original_unicast_npdu\", pdu_type: "
                    "\"confirmed_request\", pdu_service: \"reinitialize_device\", invoke_id: 6, "
                    "state: \"coldstart\"}\n"
                    "act 10.0.0.1 stop 10.0.0.2 (bacnet.pdu_service)\n"},
                   {"refused",
                    "bacnet {bvlc_function: \"original_unicast_npdu\", pdu_type: \"error\", "
                    "pdu_service: \"reinitialize_device\", invoke_id: 6, error_class: "
                    "\"security\", error_code: \"password_failure\"}\n"
                    "fact 10.0.0.2 service = \"bacnet\" (bacnet.pdu_service, implied)\n"},
                   {"silence",
                    "bacnet {bvlc_function: \"original_unicast_npdu\", pdu_type: "
                    "\"confirmed_request\", pdu_service: \"device_communication_control\", "
                    "invoke_id: 7, state: \"disable\"}\n"
                    "act 10.0.0.1 stop 10.0.0.2 (bacnet.pdu_service)\n"},
                   {"rejected",
                    "bacnet {bvlc_function: \"original_unicast_npdu\", pdu_type: \"reject\", "
                    "invoke_id: 7, reason: \"invalid_tag\"}\n"
                    "fact 10.0.0.2 service = \"bacnet\" (bacnet.pdu_service, implied)\n"},
                   {"aborted",
                    "bacnet {bvlc_function: \"original_unicast_npdu\", pdu_type: \"abort\", "
                    "invoke_id: 7, reason: \"segmentation_not_supported\"}\n"},
                   {"write a file",
                    "bacnet {bvlc_function: \"original_unicast_npdu\", pdu_type: "
                    "\"confirmed_request\", pdu_service: \"atomic_write_file\", invoke_id: 8}\n"
                    "act 10.0.0.1 download 10.0.0.2 (bacnet.pdu_service)\n"},
                   {"from behind a router",
                    "bacnet {bvlc_function: \"original_unicast_npdu\", snet: 5, sadr: <0c>, "
                    "pdu_type: \"unconfirmed_request\", pdu_service: \"i_am\", objects: "
                    "[{object_type: \"device\", instance_number: 77}], max_apdu: 480, vendor_id: "
                    "5}\n"
                    "fact 10.0.0.2 service = \"bacnet\" (bacnet.pdu_service, implied)\n"
                    "fact 10.0.0.2 bacnet_address 327692 description = \"BACnet device 77\" "
                    "(bacnet.i_am)\n"
                    "fact 10.0.0.2 bacnet_address 327692 vendor = \"Johnson Controls\" "
                    "(bacnet.i_am)\n"},
                   {"register", "bacnet {bvlc_function: \"register_foreign_device\", ttl: 60}\n"},
                   {"registered", "bacnet {bvlc_function: \"bvlc_result\", result: 0}\n"},
                   {"forwarded",
                    "bacnet {bvlc_function: \"forwarded_npdu\", origin: 192.0.2.7, pdu_type: "
                    "\"unconfirmed_request\", pdu_service: \"who_is\"}\n"},
                   {"who is router",
                    "bacnet {bvlc_function: \"original_broadcast_npdu\", network_message: "
                    "\"who_is_router_to_network\"}\n"},
                   {"set the clock",
                    "bacnet {bvlc_function: \"original_unicast_npdu\", pdu_type: "
                    "\"unconfirmed_request\", pdu_service: \"time_synchronization\"}\n"
                    "act 10.0.0.1 set_time 10.0.0.2 (bacnet.pdu_service)\n"},
               });
}

TEST(Bacnet, Malformed) {
  expect_malformed(kBacnet, {
                                {"81", "truncated"},
                                {"81 0a 0009 01 00 10 08", "truncated"},
                                {"81 0a 0009 01 00 10", "truncated"},
                                {"82 0a 0008 01 00 10 08", "bad_value"},
                                {"81 1a 0008 01 00 10 08", "bad_value"},
                                {"81 0a 0003 01 00", "bad_length"},
                                {"81 0a 0006 01 00", "bad_length"},
                                {"81 0a 0008 02 00 10 08", "bad_value"},
                                {"81 0a 0008 01 00 80 08", "bad_value"},
                                {"81 0a 0007 01 20 00", "bad_length"},
                                {"81 0a 0008 01 00 10 00", "bad_length"},
                                {"81 05 0005 00", "bad_length"},
                                {"81 0a 000a 01 00 00 05 01 0c", "bad_length"},
                                {"81 0a 000a 01 00 00 05 01 14", "bad_length"},
                                {"81 0a 0008 01 00 10 08 00", "bad_length"},
                            });
}

TEST(Bacnet, AMessageStandsWhoseLastBytesAreCut) {
  EXPECT_EQ(told(kBacnet, hex("81 0a 0011 01 04 50 01 14 91 05 91 1a"), context_of(false)),
            "bacnet {bvlc_function: \"original_unicast_npdu\", pdu_type: \"error\", pdu_service: "
            "\"reinitialize_device\", invoke_id: 1, error_class: \"services\", error_code: "
            "\"password_failure\"}\n"
            "fact 10.0.0.2 service = \"bacnet\" (bacnet.pdu_service, implied)\n"
            "malformed truncated\n");
}

TEST(Bacnet, SegmentsAreJoined) {
  Dissection dissection(all_dissectors());
  Context context = context_of(false);
  context.engine = &dissection;
  EXPECT_EQ(told(kBacnet, payload("bacnet", "segment 0"), context).find("objects"),
            std::string::npos);
  EXPECT_EQ(told(kBacnet, payload("bacnet", "segment 1"), context).find("objects"),
            std::string::npos);
  // What is sent again adds nothing.
  EXPECT_EQ(told(kBacnet, payload("bacnet", "segment 1"), context).find("objects"),
            std::string::npos);
  const std::string out = told(kBacnet, payload("bacnet", "segment 2"), context);
  EXPECT_NE(out.find("model = \"AHU-7\""), std::string::npos) << out;
}

TEST(Bacnet, CutAtEveryByte) {
  expect_no_cut_passes(kBacnet, "bacnet");
}

}  // namespace
}  // namespace vmirror
