// DCE/RPC: its PDUs, calls in parts, and the endpoint mapper's announcement.
#include "agent/engine/dissect/it/dcerpc.hpp"

#include <gtest/gtest.h>

#include "tests/unit/agent/engine/dissect/tables.hpp"

namespace vmirror {
namespace {

using namespace test;

TEST(Dcerpc, ABindNamesItsInterfaces) {
  EXPECT_EQ(told(kDcerpc, payload("dcerpc/tcp", "bind to the endpoint mapper"), context_of()),
            "dcerpc {type: \"bind\", call_id: 1, interfaces: [{context_id: 0, uuid: "
            "\"e1af8308-5d1f-11c9-91a4-08002b14a0fa\", name: \"epm\", version: 3}]}\n");
}

TEST(Dcerpc, DatagramsTell) {
  expect_tells(kDcerpcUdp, "dcerpc",
               {
                   {"connect",
                    "dcerpc {type: \"request\", call_id: 1, opnum: 0, interface: "
                    "\"profinet_device\", stub_size: 94}\n"},
                   {"connected",
                    "dcerpc {type: \"response\", call_id: 1, opnum: 0, interface: "
                    "\"profinet_device\", stub_size: 54}\n"
                    "fact 10.0.0.2 service = \"dcerpc\" (dcerpc.type, implied)\n"},
                   {"read of i&m0",
                    "dcerpc {type: \"request\", call_id: 2, opnum: 2, interface: "
                    "\"profinet_device\", stub_size: 84}\n"},
                   {"i&m0",
                    "dcerpc {type: \"response\", call_id: 2, opnum: 2, interface: "
                    "\"profinet_device\", stub_size: 144}\n"
                    "fact 10.0.0.2 service = \"dcerpc\" (dcerpc.type, implied)\n"},
                   {"write",
                    "dcerpc {type: \"request\", call_id: 3, opnum: 3, interface: "
                    "\"profinet_device\", stub_size: 88}\n"},
                   {"refused write",
                    "dcerpc {type: \"response\", call_id: 3, opnum: 3, interface: "
                    "\"profinet_device\", stub_size: 84}\n"
                    "fact 10.0.0.2 service = \"dcerpc\" (dcerpc.type, implied)\n"},
                   {"big-endian ping",
                    "dcerpc {type: \"ping\", call_id: 4, opnum: 0, interface: \"profinet_device\", "
                    "stub_size: 0}\n"},
                   {"rejected",
                    "dcerpc {type: \"reject\", call_id: 4, opnum: 0, interface: "
                    "\"profinet_device\", stub_size: 4, status: 28}\n"
                    "fact 10.0.0.2 service = \"dcerpc\" (dcerpc.type, implied)\n"},
               });
}

TEST(Dcerpc, DatagramsMalformed) {
  expect_malformed(kDcerpcUdp, {{"04 00", "truncated"}, {"05 00", "bad_value"}});
  expect_no_cut_passes(kDcerpcUdp, "dcerpc");
}

TEST(Dcerpc, ASealedCallHasAnOperationAndNoStubToRead) {
  const std::string out = told(kDcerpc, payload("dcerpc/tcp", "sealed request"), context_of());
  EXPECT_NE(out.find("auth_level: 6, context_id: 0, opnum: 15"), std::string::npos) << out;
}

/// Connections to 10.0.0.2.
struct RpcWire {
  Dissection dissection{all_dissectors()};
  std::string out;

  void feed(Conversation& conversation, std::uint16_t port, bool up, Bytes bytes) {
    Context context = context_of(up);
    context.source_port = up ? 40000 : port;
    context.destination_port = up ? port : 40000;
    context.engine = &dissection;
    context.flow = port;
    Facts facts;
    dissection.feed(conversation, bytes, context, facts);
    for (const Record& record : facts.records()) out += record_text(facts, record) + "\n";
    facts.clear();
    dissection.settle();
  }
};

TEST(Dcerpc, TheMapperAnnouncesAPort) {
  RpcWire wire;
  Conversation mapper;
  mapper.dissector = all_dissectors().for_stream(40000, 135);
  wire.feed(mapper, 135, true, payload("dcerpc/tcp", "bind to the endpoint mapper"));
  wire.feed(mapper, 135, false, payload("dcerpc/tcp", "bind ack"));
  wire.feed(mapper, 135, true, payload("dcerpc/tcp", "map"));
  EXPECT_EQ(wire.dissection.expectations().used, 0u);
  wire.feed(mapper, 135, false, payload("dcerpc/tcp", "mapped, first part"));
  wire.feed(mapper, 135, false, payload("dcerpc/tcp", "mapped, last part"));
  EXPECT_EQ(wire.dissection.expectations().used, 1u);
  EXPECT_NE(wire.out.find("epm {type: \"response\", operation: \"map\", endpoints: [{uuid: "
                          "\"367abb81-9844-35f1-ad32-98f038001003\", name: \"svcctl\", protocol: "
                          "\"tcp\", port: 49153, ip: 10.0.0.2}]}"),
            std::string::npos)
      << wire.out;
  EXPECT_STREQ(all_dissectors().name(mapper.application()), "epm");
  // It moves with the guest that it is about, and with no other.
  const IpAddress server[] = {ip("10.0.0.2")}, client[] = {ip("10.0.0.1")};
  EXPECT_TRUE(wire.dissection.save_expectations(client).empty());
  const auto saved = wire.dissection.save_expectations(server);
  ASSERT_EQ(saved.size(), 1u);
  EXPECT_EQ(saved[0].port, 49153);
  RpcWire destination;
  destination.dissection.restore(saved[0]);
  EXPECT_EQ(destination.dissection.save_expectations(server), saved);
}

TEST(Dcerpc, Malformed) {
  EXPECT_EQ(told(kDcerpc, hex("04 00"), context_of()), "malformed bad_value\n");
  EXPECT_EQ(told(kDcerpc, hex("05 00 0b 03 10000000 0a00 0000 01000000"), context_of()),
            "malformed bad_length\n");
}

TEST(Dcerpc, CutAtEveryByte) {
  for (const Payload& each : payloads_of("dcerpc/tcp"))
    EXPECT_EQ(accepted_cuts(kDcerpc, each.bytes, context_of(each.to_server),
                            [](std::size_t) { return false; }),
              "")
        << each.what;
}

}  // namespace
}  // namespace vmirror
