// COTP: connecting, parts, and who takes what it carries.
#include "agent/engine/dissect/ot/cotp.hpp"

#include <gtest/gtest.h>

#include "tests/unit/agent/engine/dissect/connection.hpp"

namespace vmirror {
namespace {

using namespace test;

std::string names_of(const Facts& facts) {
  std::string out;
  for (const Record& record : facts.records()) out += std::string(record.protocol) + " ";
  return out;
}

struct Wire : Connection {
  Wire() : Connection(102, names_of) {}
  const DissectorCounters& counters(const char* name, Carrier carrier = Carrier::inside) const {
    return dissection.counters(all_dissectors().find(name, carrier));
  }
  const char* application() const { return all_dissectors().name(conversation.application()); }
};

Buffer data(std::string_view protocol, std::string_view what) {
  const Buffer& bytes = payload(protocol, what);
  return concat({hex("03 00"), Writer().u16(7 + bytes.size()).take(), hex("02 f0 80"), bytes});
}

TEST(Cotp, ConnectingIsTold) {
  EXPECT_EQ(told(kCotp, payload("cotp", "connect request"), context_of()),
            "cotp {type: \"connect_request\", source_reference: 1, destination_reference: 0, "
            "tpdu_size: 1024, calling_tsap: <0100>, called_tsap: <0102>}\n");
}

TEST(Cotp, WhatItCarriesIsToldApart) {
  const std::pair<const char*, const char*> cases[] = {
      {"s7comm", "setup"}, {"s7comm_plus", "request"}, {"mms", "initiate"}};
  for (const auto& [protocol, what] : cases) {
    Wire wire;
    wire.feed(true, payload("cotp", "connect request"));
    wire.feed(true, data(protocol, what));
    EXPECT_STREQ(wire.application(), protocol);
    for (const auto& [other, unused] : cases)
      EXPECT_EQ(wire.counters(other).messages, other == std::string_view(protocol) ? 1u : 0u)
          << other << " on " << protocol;
  }
}

TEST(Cotp, WhatNobodyKnowsIsCountedUnread) {
  Wire wire;
  wire.feed(true, hex("03 00 00 0a 02 f0 80 aa bb cc"));
  EXPECT_STREQ(wire.application(), "cotp");
  EXPECT_EQ(wire.counters("cotp", Carrier::stream).unread_parts, 1u);
}

TEST(Cotp, AMessageInPartsIsOne) {
  const Bytes s7 = payload("s7comm", "setup");
  Wire wire;
  wire.feed(true, concat({hex("03 00 00 0c 02 f0 00"), Buffer(s7.begin(), s7.begin() + 5)}));
  EXPECT_EQ(wire.out, "");
  EXPECT_EQ(wire.dissection.joins().used, 1u);
  wire.feed(true, concat({hex("03 00 00 14 02 f0 80"), Buffer(s7.begin() + 5, s7.end())}));
  EXPECT_EQ(wire.out, "s7comm ");
  EXPECT_EQ(wire.dissection.joins().used, 0u);
}

TEST(Cotp, WhatIsKnownMovesWithItsGuest) {
  const Bytes s7 = payload("s7comm", "read");
  Wire source, destination;
  source.feed(true, data("s7comm", "setup"));
  source.feed(true, concat({hex("03 00 00 0c 02 f0 00"), Buffer(s7.begin(), s7.begin() + 5)}));
  const SavedMemory memory = source.dissection.save_memory(context_of().flow);
  EXPECT_EQ(memory.states.size(), 1u);  // Which protocol it is.
  EXPECT_EQ(memory.joins.size(), 1u);
  destination.conversation.dissector = source.conversation.dissector;
  destination.dissection.restore_memory(context_of().flow, memory);
  EXPECT_EQ(destination.dissection.save_memory(context_of().flow), memory);
  destination.feed(true, concat({hex("03 00"), Writer().u16(7 + s7.size() - 5).take(),
                                 hex("02 f0 80"), Buffer(s7.begin() + 5, s7.end())}));
  EXPECT_EQ(destination.out, "s7comm ");
  EXPECT_EQ(destination.counters("s7comm").flows, 0u);  // It was found there.
}

TEST(Cotp, Malformed) {
  EXPECT_EQ(told(kCotp, hex("03 00 00 07 09 f0 80"), context_of()), "malformed bad_length\n");
  EXPECT_EQ(told(kCotp, hex("03 00 00 07 02 20 80"), context_of()), "malformed bad_value\n");
  EXPECT_EQ(told(kCotp, hex("04 00 00 07 02 f0 80"), context_of()), "malformed bad_value\n");
}

TEST(Cotp, CutAtEveryByte) {
  for (const Payload& each : payloads_of("cotp"))
    EXPECT_EQ(accepted_cuts(kCotp, each.bytes, context_of(each.to_server),
                            [](std::size_t) { return false; }),
              "")
        << each.what;
}

}  // namespace
}  // namespace vmirror
