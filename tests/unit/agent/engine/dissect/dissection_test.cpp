// Flows: finding their protocol, and cutting streams into messages.
#include "agent/engine/dissect/dissection.hpp"

#include <gtest/gtest.h>

#include "tests/unit/agent/engine/dissect/told.hpp"

namespace vmirror {
namespace {

using namespace test;

const Dissectors& all() {
  static const Dissectors out = *Dissectors::select(std::vector<std::string>{"all"});
  return out;
}

/// One TCP flow from port 40000 to `port`.
class Flow {
 public:
  explicit Flow(std::uint16_t port = 502, BufferLimits buffers = {.small = 8, .large = 2})
      : dissection(all(), buffers, 16), port_(port) {
    conversation.dissector = all().for_stream(40000, port);
  }
  void feed(int side, Bytes bytes) {
    Facts facts;
    // A copy that is gone at once: nothing told may point into it afterwards.
    const Buffer segment(bytes.begin(), bytes.end());
    dissection.feed(conversation, segment, context(side), facts);
    tell(facts);
  }
  void gap(int side, std::uint32_t size) {
    Facts facts;
    dissection.gap(conversation, size, context(side), facts);
    tell(facts);
  }
  const DissectorCounters& counters(const char* name = "modbus") {
    for (DissectorId id = 1; id <= all().size(); ++id)
      if (all().name(id) == std::string_view(name) && all()[id].carrier == Carrier::stream)
        return dissection.counters(id);
    std::abort();
  }

  Dissection dissection;
  Conversation conversation;
  std::string out;

 private:
  Context context(int side) {
    Context c = context_of(side == 0);
    c.source_port = side == 0 ? 40000 : port_;
    c.destination_port = side == 0 ? port_ : 40000;
    c.requests = &dissection.requests();
    return c;
  }
  void tell(Facts& facts) {
    for (const Record& record : facts.records()) out += record_text(facts, record) + "\n";
    facts.clear();
    dissection.settle();
  }
  std::uint16_t port_;
};

const Buffer& modbus(std::string_view what) {
  return payload("modbus", what);
}
Buffer three() {
  return concat(
      {modbus("read holding registers"), modbus("write multiple registers"), modbus("read write")});
}
std::string three_told() {
  Flow flow;
  for (const char* what : {"read holding registers", "write multiple registers", "read write"})
    flow.feed(0, modbus(what));
  return flow.out;
}

TEST(Stream, SeveralMessagesInASegment) {
  Flow flow;
  flow.feed(0, three());
  EXPECT_EQ(flow.out, three_told());
  EXPECT_EQ(flow.counters().messages, 3u);
}

TEST(Stream, EverySegmentationGivesTheSameRecords) {
  const Buffer bytes = three();
  const Bytes whole(bytes);
  for (const std::uint16_t port : {502, 5020}) {  // its own port, and one where it must be found
    for (std::size_t i = 0; i <= bytes.size(); ++i) {
      for (std::size_t j = i; j <= bytes.size(); ++j) {
        Flow flow(port);
        flow.feed(0, whole.first(i));
        flow.feed(0, whole.subspan(i, j - i));
        flow.feed(0, whole.subspan(j));
        ASSERT_EQ(flow.out, three_told()) << port << ": " << i << ", " << j;
      }
    }
  }
  Flow flow;
  for (const std::uint8_t& byte : bytes) flow.feed(0, {&byte, 1});
  EXPECT_EQ(flow.out, three_told());
}

TEST(Stream, RequestAndResponseMeet) {
  Flow flow;
  flow.feed(0, modbus("read holding registers"));
  flow.feed(1, modbus("registers"));
  EXPECT_NE(flow.out.find("address: 107, quantity: 3, latency_us: 0, values: 3"), std::string::npos)
      << flow.out;
}

TEST(Stream, AfterWhatIsNotTheProtocolItGoesOnAtTheNextSegment) {
  Flow flow;
  flow.feed(0, modbus("write single coil"));
  flow.feed(0, text("GET / HTTP/1.0"));
  flow.feed(0, text("Host: a"));
  flow.feed(0, three());
  EXPECT_EQ(flow.counters().lost, 1u);
  EXPECT_EQ(flow.counters().skipped_bytes, 21u);
  EXPECT_EQ(flow.counters().messages, 4u);
}

TEST(Stream, AFlowThatIsSomethingElseIsGivenUp) {
  Flow flow;
  for (int i = 0; i < Dissection::kMaxFailures; ++i) {
    EXPECT_NE(flow.conversation.dissector, kNoDissector);
    flow.feed(i % 2, text("SSH-2.0-OpenSSH"));
  }
  EXPECT_EQ(flow.conversation.dissector, kNoDissector);
  EXPECT_EQ(flow.counters().given_up, 1u);
  EXPECT_EQ(flow.counters().messages, 0u);
}

TEST(Stream, AGapInsideAMessageCostsThatMessageOnly) {
  const Buffer bytes = three();
  const Bytes whole(bytes);
  Flow flow;
  flow.feed(0, whole.first(12 + 9));  // the second message's header and two bytes
  flow.gap(0, 4);
  flow.feed(0, whole.subspan(12 + 13));
  EXPECT_EQ(flow.counters().messages, 3u);
  EXPECT_EQ(flow.counters().cut, 1u);
  EXPECT_EQ(flow.counters().lost, 0u);
  EXPECT_NE(flow.out.find("READ_WRITE_MULTIPLE"), std::string::npos);
}

TEST(Stream, MessagesInFrontOfACutAreWhole) {
  Flow flow;
  Context context = context_of();
  context.source_port = 40000;
  context.destination_port = 502;
  context.cut = true;  // Of the segment, which had a third message.
  Facts facts;
  flow.dissection.feed(flow.conversation, Bytes(three()).first(12 + 17 + 5), context, facts);
  EXPECT_EQ(flow.counters().messages, 2u);
  EXPECT_EQ(flow.counters().cut, 0u);
  flow.dissection.gap(flow.conversation, 18, context, facts);
  EXPECT_EQ(flow.counters().cut + flow.counters().lost, 1u);
}

TEST(Stream, AfterAGapTheProbeFindsTheWayBack) {
  const Buffer bytes = three();
  const Bytes whole(bytes);
  Flow flow;
  flow.feed(0, whole.first(12));
  flow.gap(0, 100);
  flow.feed(0, whole.subspan(12 + 5, 8));  // the rest of some message: not one's begin
  flow.feed(0, modbus("read write"));
  EXPECT_EQ(flow.counters().messages, 2u);
  EXPECT_EQ(flow.counters().lost, 1u);
  EXPECT_EQ(flow.counters().skipped_bytes, 8u);
}

TEST(Stream, AMessageThatEndsWithItsSegmentIsTheWayBackToo) {
  Flow flow;  // Of function 90 the probe knows nothing.
  const Buffer unity = hex("0007 0000 0005 00 5a 00 02 00");
  flow.gap(0, 100);
  flow.feed(0, concat({unity, hex("00")}));
  EXPECT_EQ(flow.counters().messages, 0u);
  flow.feed(0, unity);
  EXPECT_EQ(flow.counters().messages, 1u);
}

/// A DNS message over TCP of `size` bytes: a query with bytes behind it that no one reads.
Buffer long_query(std::size_t size) {
  Buffer out = concat({Writer().u16(size).take(), payload("dns", "query")});
  out.resize(2 + size);
  return out;
}

TEST(Stream, LongMessages) {
  for (const std::size_t size : {100u, 2046u, 2047u, 10'000u, 65'533u, 65'534u, 65'535u}) {
    Flow flow(53);
    const Buffer bytes = concat({long_query(size), payload("dns/tcp", "query")});
    for (std::size_t at = 0; at < bytes.size(); at += 1000)
      flow.feed(0, Bytes(bytes).subspan(at, std::min<std::size_t>(1000, bytes.size() - at)));
    EXPECT_EQ(flow.counters("dns").messages, 2u) << size;
    EXPECT_EQ(flow.counters("dns").cut, size + 2 > kMaxMessage ? 1u : 0u) << size;
    EXPECT_EQ(flow.counters("dns").skipped_bytes, 0u) << size;
  }
}

TEST(Stream, WithoutABufferAMessageIsPassedOver) {
  const Buffer bytes = concat({long_query(500), payload("dns/tcp", "query")});
  Flow flow(53, {.small = 0, .large = 0});
  flow.feed(0, Bytes(bytes).first(100));
  flow.feed(0, Bytes(bytes).subspan(100));
  EXPECT_EQ(flow.counters("dns").buffer_overflow, 1u);
  EXPECT_EQ(flow.dissection.buffers().small().refused, 1u);
  EXPECT_EQ(flow.dissection.buffers().small().used, 0u);
  EXPECT_EQ(flow.counters("dns").messages, 1u);
  EXPECT_EQ(flow.counters("dns").lost, 0u);
}

TEST(Stream, BuffersComeBack) {
  const Buffer bytes = three();
  Flow flow(502, {.small = 2, .large = 0});
  for (int i = 0; i < 50; ++i)
    for (std::size_t at = 0; at < bytes.size(); at += 7)
      flow.feed(0, Bytes(bytes).subspan(at, std::min<std::size_t>(7, bytes.size() - at)));
  EXPECT_EQ(flow.counters().messages, 150u);
  EXPECT_EQ(flow.counters().buffer_overflow, 0u);
  EXPECT_EQ(flow.dissection.buffers().small().count, 2u);
  EXPECT_LE(flow.dissection.buffers().small().used, 2u);
  EXPECT_EQ(flow.dissection.buffers().small().refused, 0u);
  // A flow that ends in the middle of a message gives its buffer back too.
  for (int i = 0; i < 5; ++i) {
    flow.feed(0, Bytes(bytes).first(7));
    flow.feed(1, Bytes(bytes).first(7));
    flow.dissection.close(flow.conversation);
    flow.dissection.settle();
    flow.conversation.dissector = all().for_stream(40000, 502);
  }
  EXPECT_EQ(flow.counters().buffer_overflow, 0u);
}

TEST(Stream, OnAnOddPortTheProtocolIsFound) {
  Flow flow(5020);
  EXPECT_TRUE(is_undecided(flow.conversation.dissector));
  flow.feed(0, modbus("read holding registers"));
  flow.feed(1, modbus("registers"));
  EXPECT_STREQ(all().name(flow.conversation.dissector), "modbus");
  EXPECT_EQ(flow.counters().flows, 1u);
  EXPECT_NE(flow.out.find("latency_us"), std::string::npos) << flow.out;
}

TEST(Stream, ProbingEndsAfterSomePayloads) {
  Flow flow(5020);
  for (int i = 0; i < kProbedPayloads; ++i) {
    EXPECT_NE(flow.conversation.dissector, kNoDissector) << i;
    flow.feed(i % 2, text("SSH-2.0-OpenSSH"));
  }
  EXPECT_EQ(flow.conversation.dissector, kNoDissector);
}

TEST(Stream, SidesThatWereSwappedAreSetRight) {
  Flow flow(40000);  // The capture began in the middle: "client" is who was seen first,
  flow.conversation.dissector = all().for_stream(502, 40000);
  Context answer = context_of(true);
  answer.source_port = 502;  // but port 502 is a server's.
  answer.destination_port = 40000;
  Facts facts;
  flow.dissection.feed(flow.conversation, modbus("registers"), answer, facts);
  EXPECT_NE(facts_text(facts).find("response"), std::string::npos);
}

TEST(Datagram, OnAnOddPortTheProtocolIsFound) {
  Dissection dissection(all());
  DissectorId id = all().for_datagram(40000, 10053);
  EXPECT_TRUE(is_undecided(id));
  Facts facts;
  dissection.datagram(id, text("noise"), context_of(), facts);
  EXPECT_TRUE(facts.empty());
  dissection.datagram(id, payload("dns", "query"), context_of(), facts);
  EXPECT_STREQ(all().name(id), "dns");
  EXPECT_EQ(facts.records().size(), 1u);
  EXPECT_EQ(dissection.counters(id).flows, 1u);

  id = all().for_datagram(40000, 10053);
  for (int i = 0; i < kProbedPayloads; ++i) dissection.datagram(id, text("x"), context_of(), facts);
  EXPECT_EQ(id, kNoDissector);
}

TEST(Counters, MalformedByNameButNotOfCopiesThatWereCut) {
  Dissection dissection(all());
  const DissectorId dns = all().for_datagram(40000, 53);
  Facts facts;
  const Bytes query = payload("dns", "query");
  dissection.message(dns, query.first(20), context_of(), facts);
  Context cut = context_of();
  cut.cut = true;
  dissection.message(dns, query.first(20), cut, facts);
  const DissectorCounters& counters = dissection.counters(dns);
  EXPECT_EQ(counters.messages, 2u);
  EXPECT_EQ(counters.cut, 1u);
  EXPECT_EQ(counters.malformed[static_cast<std::size_t>(Malformed::truncated)], 1u);
}

}  // namespace
}  // namespace vmirror
