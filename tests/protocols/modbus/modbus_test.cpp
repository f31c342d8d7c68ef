#include "agent/engine/dissect/ot/modbus.hpp"

#include <gtest/gtest.h>

#include "tests/unit/agent/engine/dissect/told.hpp"

namespace vmirror {
namespace {

using namespace test;

TEST(Modbus, Tells) {
  const std::string head = ", unit: 17, function: ";
  struct {
    const char* what;
    bool to_server;
    const char* told;
  } const cases[] = {
      {"read holding registers", true,
       "modbus {type: \"request\", transaction_id: 1, unit: 17, function: "
       "\"READ_HOLDING_REGISTERS\", function_code: 3, address: 107, quantity: 3}\n"
       "act 10.0.0.1 read 10.0.0.2 modbus_unit 17 (modbus.function)\n"},
      {"registers", false,
       "modbus {type: \"response\", transaction_id: 1, unit: 17, function: "
       "\"READ_HOLDING_REGISTERS\", function_code: 3, values: 3}\n"
       "fact 10.0.0.2 service = \"modbus\" (modbus.function_code, implied)\n"},
      {"exception", false,
       "modbus {type: \"response\", transaction_id: 1, unit: 17, function: "
       "\"READ_HOLDING_REGISTERS\", function_code: 3, exception: \"ILLEGAL_DATA_ADDRESS\"}\n"
       "fact 10.0.0.2 service = \"modbus\" (modbus.function_code, implied)\n"},
      {"write single coil", true,
       "modbus {type: \"request\", transaction_id: 2, unit: 17, function: "
       "\"WRITE_SINGLE_COIL\", function_code: 5, address: 172, value: 65280}\n"
       "act 10.0.0.1 write 10.0.0.2 modbus_unit 17 (modbus.function)\n"},
      {"write multiple registers", true,
       "modbus {type: \"request\", transaction_id: 3, unit: 17, function: "
       "\"WRITE_MULTIPLE_REGISTERS\", function_code: 16, address: 1, quantity: 2, values: 2}\n"
       "act 10.0.0.1 write 10.0.0.2 modbus_unit 17 (modbus.function)\n"},
      {"read write", true,
       "modbus {type: \"request\", transaction_id: 4, unit: 17, function: "
       "\"READ_WRITE_MULTIPLE_REGISTERS\", function_code: 23, address: 3, quantity: 6, "
       "write_address: 14, write_quantity: 3}\n"
       "act 10.0.0.1 write 10.0.0.2 modbus_unit 17 (modbus.function)\n"},
      {"device query", true,
       "modbus {type: \"request\", transaction_id: 5, unit: 17, function: "
       "\"ENCAP_INTERFACE_TRANSPORT\", function_code: 43, mei_type: "
       "\"READ_DEVICE_IDENTIFICATION\", category: \"BASIC\", object: \"vendor_name\"}\n"},
      {"device query of one object", true,
       "modbus {type: \"request\", transaction_id: 6, unit: 17, function: "
       "\"ENCAP_INTERFACE_TRANSPORT\", function_code: 43, mei_type: "
       "\"READ_DEVICE_IDENTIFICATION\", category: \"ONE_OBJECT\", object: \"model_name\"}\n"},
      {"canopen", true,
       "modbus {type: \"request\", transaction_id: 7, unit: 17, function: "
       "\"ENCAP_INTERFACE_TRANSPORT\", function_code: 43, mei_type: "
       "\"CANOPEN_GENERAL_REFERENCE\"}\n"},
      {"device identification", false,
       "modbus {type: \"response\", transaction_id: 5, unit: 17, function: "
       "\"ENCAP_INTERFACE_TRANSPORT\", function_code: 43, mei_type: "
       "\"READ_DEVICE_IDENTIFICATION\", category: \"BASIC\", device: {vendor_name: \"Example\", "
       "product_code: \"PLC-77\", revision: \"V2.4\"}}\n"
       "fact 10.0.0.2 service = \"modbus\" (modbus.function_code, implied)\n"
       "fact 10.0.0.2 modbus_unit 17 vendor = \"Example\" (modbus.vendor_name)\n"
       "fact 10.0.0.2 modbus_unit 17 model = \"PLC-77\" (modbus.product_code)\n"
       "fact 10.0.0.2 modbus_unit 17 firmware = \"V2.4\" (modbus.revision)\n"},
  };
  for (const auto& c : cases)
    EXPECT_EQ(told(kModbus, payload("modbus", c.what), context_of(c.to_server)), c.told) << c.what;
}

TEST(Modbus, AResponseHasTheAddressesOfItsRequest) {
  Dissection dissection(all_dissectors());
  Context ask = context_of(), answer = context_of(false, kSecond + 3 * kMillisecond);
  ask.engine = answer.engine = &dissection;
  told(kModbus, payload("modbus", "read holding registers"), ask);
  EXPECT_EQ(told(kModbus, payload("modbus", "registers"), answer),
            "modbus {type: \"response\", transaction_id: 1, unit: 17, function: "
            "\"READ_HOLDING_REGISTERS\", function_code: 3, address: 107, quantity: 3, "
            "latency_us: 3000, values: 3}\n"
            "fact 10.0.0.2 service = \"modbus\" (modbus.function_code, implied)\n");
  // Once: the same answer again has no request any more.
  EXPECT_EQ(told(kModbus, payload("modbus", "registers"), answer).find("latency"),
            std::string::npos);
  EXPECT_EQ(dissection.requests().counters().unmatched, 1u);
  // Of the same transaction, but another function: not its answer.
  told(kModbus, payload("modbus", "read holding registers"), ask);
  EXPECT_EQ(told(kModbus, hex("0001 0000 0005 11 04 02 0001"), answer).find("latency"),
            std::string::npos);
}

TEST(Modbus, ASuccessWithFewerValuesThanAskedForIsMarked) {
  const struct {
    const char *request, *response, *told;
  } cases[] = {
      {"read coils", "coils", "values: 10}"},
      {"read coils", "too few coils", "values: 8, values_missing: 2}"},
      {"read holding registers", "registers", "values: 3}"},
      {"read holding registers", "too few registers", "values: 2, values_missing: 1}"},
  };
  for (const auto& c : cases) {
    Dissection dissection(all_dissectors());
    Context ask = context_of(), answer = context_of(false);
    ask.engine = answer.engine = &dissection;
    told(kModbus, payload("modbus", c.request), ask);
    const std::string out = told(kModbus, payload("modbus", c.response), answer);
    EXPECT_NE(out.find(c.told), std::string::npos) << c.response << ": " << out;
  }
}

TEST(Modbus, Malformed) {
  struct {
    const char* bytes;
    bool to_server;
    const char* name;
  } const cases[] = {
      {"0001 0000 0006 11", true, "truncated"},
      {"0001 0000 0006 11 03 006b", true, "truncated"},
      {"0001 0001 0006 11 03 006b 0003", true, "bad_value"},
      {"0001 0000 0001 11 03", true, "bad_length"},
      {"0001 0000 00ff 11 03", true, "bad_length"},
      {"0001 0000 0006 11 03 006b 0003 00", true, "bad_length"},
      {"0001 0000 0006 11 03 006b 0000", true, "bad_length"},  // of no register
      {"0001 0000 0006 11 03 006b 007e", true, "bad_length"},  // of 126
      {"0001 0000 0005 11 03 04 0001", false, "bad_length"},   // four bytes said, two there
      {"0001 0000 0004 11 83 0200", false, "bad_length"},
      {"0001 0000 0006 11 05 0001 1234", true, "bad_length"},
  };
  for (const auto& c : cases) {
    const std::string out = told(kModbus, hex(c.bytes), context_of(c.to_server));
    EXPECT_NE(out.find(std::string("malformed ") + c.name), std::string::npos)
        << c.bytes << ": " << out;
  }
}

TEST(Modbus, OnlySchneidersProgrammingGoesPastTheBoundOfALength) {
  const auto frame = [](std::string_view head) {
    return kModbus.frame(concat({hex(head), Buffer(255 - 2)}), context_of());
  };
  EXPECT_EQ(frame("0001 0000 00ff 00 5a").size, 6u + 255);
  EXPECT_EQ(frame("0001 0000 00ff 00 03").status, Framing::Status::lost);
  EXPECT_EQ(kModbus.frame(hex("0001 0000 00ff 00"), context_of()).status, Framing::Status::more);
}

TEST(Modbus, CutAtEveryByte) {
  for (const Payload& each : payloads_of("modbus")) {
    EXPECT_EQ(accepted_cuts(kModbus, each.bytes, context_of(each.to_server),
                            [](std::size_t) { return false; }),
              "")
        << each.what;
  }
}

TEST(Modbus, TheProbeWaitsForTheWholeMessage) {
  for (const Payload& each : payloads_of("modbus")) {
    for (std::size_t size = 1; size < each.bytes.size(); ++size)
      EXPECT_EQ(kModbus.probe(Bytes(each.bytes).first(size), context_of()), Probe::maybe)
          << each.what << ", " << size;
    EXPECT_EQ(kModbus.probe(each.bytes, context_of()), Probe::yes) << each.what;
  }
}

}  // namespace
}  // namespace vmirror
