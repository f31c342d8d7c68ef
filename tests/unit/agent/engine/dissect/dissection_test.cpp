// Flows: finding their protocol, and cutting streams into messages.
#include "agent/engine/dissect/dissection.hpp"

#include <gtest/gtest.h>

#include "agent/engine/dissect/it/dns.hpp"
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
      : dissection(all(), buffers, {.requests = 16, .states = 8, .joins = 8, .expectations = 8}),
        port_(port) {
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
    c.engine = &dissection;
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
  for (int i = 0; i < kHintedPayloads; ++i) {
    EXPECT_NE(flow.conversation.dissector, kNoDissector);
    flow.feed(i % 2, text("hello, nobody reads"));
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
  flow.feed(0, modbus("write single coil"));
  flow.gap(0, 100);
  flow.feed(0, concat({unity, hex("00")}));
  EXPECT_EQ(flow.counters().messages, 1u);
  flow.feed(0, unity);
  EXPECT_EQ(flow.counters().messages, 2u);
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
    flow.feed(i % 2, text("hello, nobody reads"));
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

Context to_port(std::uint16_t port) {
  Context context = context_of();
  context.source_port = 40000;
  context.destination_port = port;
  return context;
}

TEST(Stream, ABodyThatNobodyReadsIsPassedOver) {
  // No protocol of the table has one that is as easy to see: what `wanted` leaves is skipped, and
  // a gap in it costs nothing.
  EXPECT_EQ(Framing::message(1000, 12).wanted, 12u);
  EXPECT_EQ(Framing::message(1000).wanted, Framing::kAll);
}

TEST(Stream, APortIsOnlyAHint) {
  Flow flow(502);  // DNS, where Modbus is at home.
  flow.feed(0, payload("dns/tcp", "query"));
  EXPECT_STREQ(all().name(flow.conversation.dissector), "dns");
  EXPECT_EQ(flow.counters("modbus").messages, 0u);
  EXPECT_EQ(flow.counters("dns").messages, 1u);
}

TEST(Stream, ALoneLastMessageIsReadAtTheClose) {
  Flow flow(502);
  flow.feed(0, modbus("write single coil"));
  flow.feed(0, Bytes(modbus("read holding registers")).first(9));  // It ends within a message.
  Facts facts;
  flow.dissection.finish(flow.conversation, to_port(502), facts);
  EXPECT_EQ(flow.counters().messages, 2u);
  EXPECT_EQ(flow.counters().cut, 1u);
  Flow undecided(5020);  // Three bytes of what its port says nothing of.
  undecided.feed(0, Bytes(modbus("read holding registers")).first(3));
  undecided.dissection.finish(undecided.conversation, to_port(5020), facts);
  EXPECT_EQ(undecided.counters().messages, 0u);
}

TEST(Stream, WhoseStartWasNotSeenIsTurnedByWhatItSays) {
  Flow flow(5353);
  Context answer = context_of(true);  // The first that was seen, so a client's to who counts flows.
  answer.source_port = 5300;
  answer.destination_port = 5301;
  flow.conversation.dissector = all().for_stream(5300, 5301);
  Facts facts;
  flow.dissection.feed(flow.conversation, payload("dns/tcp", "answer"), answer, facts);
  EXPECT_TRUE(flow.conversation.turned);
  flow.conversation = {};
  flow.conversation.dissector = all().for_stream(5300, 5301);
  answer.start_seen = true;
  flow.dissection.feed(flow.conversation, payload("dns/tcp", "answer"), answer, facts);
  EXPECT_FALSE(flow.conversation.turned);
}

TEST(Datagram, OnAnOddPortTheProtocolIsFound) {
  Dissection dissection(all());
  DissectorId id = all().for_datagram(40000, 10053);
  EXPECT_TRUE(is_undecided(id));
  Facts facts;
  Context context = context_of();
  dissection.datagram(id, text("noise"), context, facts);
  EXPECT_TRUE(facts.empty());
  dissection.datagram(id, payload("dns", "query"), context, facts);
  EXPECT_STREQ(all().name(id), "dns");
  EXPECT_EQ(facts.records().size(), 1u);
  EXPECT_EQ(dissection.counters(id).flows, 1u);

  id = all().for_datagram(40000, 10053);
  for (int i = 0; i < kProbedPayloads; ++i) dissection.datagram(id, text("x"), context, facts);
  EXPECT_EQ(id, kNoDissector);
}

TEST(Datagram, APortIsOnlyAHint) {
  Dissection dissection(all());
  DissectorId id = all().for_datagram(40000, 53);
  EXPECT_TRUE(is_undecided(id));
  Facts facts;
  Context context = to_port(53);
  dissection.datagram(id, text("noise"), context, facts);
  EXPECT_TRUE(is_undecided(id));  // Open for the others,
  dissection.datagram(id, payload("dhcp", "request"), context, facts);
  EXPECT_STREQ(all().name(id), "dhcp");  // who find their own.
  id = all().for_datagram(40000, 53);
  for (int i = 0; i < kHintedPayloads; ++i) dissection.datagram(id, text("x"), context, facts);
  EXPECT_EQ(id, kNoDissector);
}

TEST(Datagram, AnAnswerThatWasSeenFirstTurnsItsFlow) {
  Dissection dissection(all());
  DissectorId id = all().for_datagram(53, 40000);
  Facts facts;
  Context context = to_port(40000);
  context.source_port = 53;
  EXPECT_TRUE(dissection.datagram(id, payload("dns", "answer"), context, facts));
  EXPECT_FALSE(context.to_server);
  context.to_server = false;  // As the engine has it, once it turned the flow.
  EXPECT_FALSE(dissection.datagram(id, payload("dns", "answer"), context, facts));
}

TEST(Datagram, APortThatWasAnnouncedIsAHint) {
  Dissection dissection(all());
  Facts facts;
  Context context = to_port(10053);
  context.engine = &dissection;
  Buffer odd = payload("dns", "query");
  odd[0] = odd[1] = 0;  // An ID that no probe believes where nothing speaks for DNS.
  const auto found = [&](Time time) {
    DissectorId id = all().for_datagram(40000, 10053);
    context.time = time;
    dissection.datagram(id, odd, context, facts);
    return is_decided(id);
  };
  EXPECT_FALSE(found(kSecond));
  context.expect(context.destination.ip, 10053, kDns, 10 * kSecond);
  EXPECT_TRUE(found(2 * kSecond));
  EXPECT_FALSE(found(20 * kSecond));
  EXPECT_EQ(dissection.expectations().used, 1u);
}

struct Counted {
  std::uint32_t messages;
};

TEST(Lender, StateIsZeroAtFirstAndTheFlowsOwn) {
  Dissection dissection(all(), {}, {.states = 2});
  Context context = context_of();
  context.engine = &dissection;
  context.self = 1;
  ++context.state<Counted>()->messages;
  ++context.state<Counted>()->messages;
  EXPECT_EQ(context.state<Counted>()->messages, 2u);
  EXPECT_FALSE(context.has_state(7));
  EXPECT_EQ(context.state<Counted>(7)->messages, 0u);
  Context other = context;
  other.self = 2;
  EXPECT_EQ(other.state<Counted>()->messages, 0u);  // The third: one gives way.
  EXPECT_EQ(dissection.states().used, 2u);
  EXPECT_EQ(dissection.states().gave_way, 1u);
  dissection.forget(context.flow);
  EXPECT_EQ(dissection.states().used, 0u);
  EXPECT_EQ(context.state<Counted>()->messages, 0u);
}

TEST(Lender, JoinsWhatComesInParts) {
  Dissection dissection(all(), {.small = 4, .large = 2}, {.joins = 2});
  Context context = context_of();
  context.engine = &dissection;
  context.self = 1;
  const Buffer a = text("abc"), b = text("def");
  EXPECT_EQ(as_text(context.join(a, Begins::unsaid, true)->bytes), "abc");
  EXPECT_FALSE(context.join(a, Begins::unsaid, false));
  EXPECT_FALSE(context.join(b, Begins::no, true, 9));  // Of what was not seen to begin.
  EXPECT_EQ(as_text(context.join(b, Begins::unsaid, true)->bytes), "abcdef");
  EXPECT_FALSE(context.join(a, Begins::yes, false));
  EXPECT_FALSE(context.join(a, Begins::yes, false));  // The first one had no end.
  EXPECT_EQ(as_text(context.join(b, Begins::no, true)->bytes), "abcdef");
  EXPECT_EQ(dissection.counters(1).lost_parts, 2u);
  const Buffer large(40'000);
  EXPECT_FALSE(context.join(large, Begins::yes, false));
  const auto cut = context.join(large, Begins::no, true);
  EXPECT_EQ(cut->bytes.size(), kMaxMessage);
  EXPECT_TRUE(cut->cut);
  dissection.settle();
  EXPECT_EQ(dissection.buffers().large().used + dissection.buffers().small().used, 0u);
  for (const std::uint64_t key : {1, 2, 3}) context.join(a, Begins::yes, false, key);
  EXPECT_EQ(dissection.joins().gave_way, 1u);
  dissection.forget(context.flow);
  dissection.settle();
  EXPECT_EQ(dissection.buffers().small().used, 0u);
}

TEST(Counters, MalformedByNameButNotOfCopiesThatWereCut) {
  Dissection dissection(all());
  const DissectorId dns = all().find(kDns);
  Facts facts;
  const Bytes query = payload("dns", "query");
  Context whole = context_of();
  dissection.message(dns, query.first(20), whole, facts);
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
