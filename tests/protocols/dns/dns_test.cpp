// DNS and mDNS.
#include "agent/engine/dissect/it/dns.hpp"

#include <gtest/gtest.h>

#include "agent/engine/dissect/it/mdns.hpp"
#include "tests/unit/agent/engine/dissect/told.hpp"

namespace vmirror {
namespace {

using namespace test;

constexpr const char* kQueryTold =
    "dns {version: 2, type: \"query\", id: 7, flags: \"0100\", qr: false, rd: true, opcode: 0, "
    "rrname: \"www.example.com\", rrtype: \"A\"}\n";

TEST(Dns, AQuery) {
  EXPECT_EQ(told(kDns, payload("dns", "query"), context_of()), kQueryTold);
  EXPECT_EQ(told(kDnsTcp, payload("dns/tcp", "query"), context_of()), kQueryTold);
}

TEST(Dns, AnAnswerIsMatchedListedAndGrouped) {
  Dissection dissection(all_dissectors());
  Context context = context_of();
  context.engine = &dissection;
  told(kDns, payload("dns", "query"), context);
  Context back = context_of(false, kSecond + 250'000);
  back.engine = &dissection;
  EXPECT_EQ(told(kDns, payload("dns", "answer"), back),
            "dns {version: 2, type: \"answer\", id: 7, flags: \"8180\", qr: true, rd: true, "
            "ra: true, opcode: 0, rrname: \"www.example.com\", rrtype: \"A\", "
            "rcode: \"NOERROR\", latency_us: 250, answers: ["
            "{rrname: \"www.example.com\", rrtype: \"CNAME\", ttl: 60, "
            "rdata: \"web1.example.com\"}, "
            "{rrname: \"web1.example.com\", rrtype: \"A\", ttl: 30, rdata: 192.0.2.80}], "
            "grouped: {CNAME: [\"web1.example.com\"], A: [192.0.2.80]}, authorities: ["
            "{rrname: \"example.com\", rrtype: \"NS\", ttl: 3600, rdata: \"ns.example.com\"}]}\n"
            "fact 192.0.2.80 host_name = \"web1.example.com\" (dns.a)\n");
  EXPECT_EQ(dissection.requests().counters().answered, 1u);
}

/// A response to "a." of type `type` with one answer of that type and `data` (hex).
Buffer answer(std::uint16_t type, std::string_view data, std::uint16_t flags = 0x8180) {
  const Buffer bytes = hex(data);
  return concat({Writer()
                     .u16(9)
                     .u16(flags)
                     .bytes(hex("0001 0001 0000 0000 0161 00"))
                     .u16(type)
                     .u16(1)
                     .bytes(hex("c00c"))
                     .u16(type)
                     .u16(1)
                     .u32(60)
                     .u16(bytes.size())
                     .take(),
                 bytes});
}

TEST(Dns, AnUpdateHasSectionsOfItsOwn) {
  const std::string zone = "qr: false, opcode: 5, rrname: \"example.com\", rrtype: \"SOA\", ";
  EXPECT_EQ(told(kDns, payload("dns", "update"), context_of()),
            "dns {version: 2, type: \"query\", id: 9, flags: \"2800\", " + zone +
                "prerequisites: [{rrname: \"host.example.com\", rrtype: \"A\", ttl: 0}], updates: ["
                "{rrname: \"host.example.com\", rrtype: \"AAAA\", ttl: 0}, "
                "{rrname: \"host.example.com\", rrtype: \"A\", ttl: 300, rdata: 192.0.2.55}]}\n");
  EXPECT_EQ(told(kDns, payload("dns", "updated"), context_of(false)),
            "dns {version: 2, type: \"answer\", id: 9, flags: \"a800\", qr: true, opcode: 5, "
            "rrname: \"example.com\", rrtype: \"SOA\", rcode: \"NOERROR\"}\n");
}

TEST(Dns, ANotificationTellsTheRecordThatItComesWith) {  // RFC 1996, section 3.7
  EXPECT_EQ(
      told(kDns, payload("dns", "notify"), context_of()),
      "dns {version: 2, type: \"query\", id: 17, flags: \"2400\", qr: false, aa: true, "
      "opcode: 4, rrname: \"example.com\", rrtype: \"SOA\", answers: ["
      "{rrname: \"example.com\", rrtype: \"SOA\", ttl: 0, soa: {mname: \"ns.example.com\"}}]}\n");
}

TEST(Dns, DataByType) {
  struct {
    std::uint16_t type;
    const char* data;
    const char* told;
  } const cases[] = {
      {1, "c0000201", "rdata: 192.0.2.1"},
      {28, "20010db8000000000000000000000001", "rdata: 2001:db8::1"},
      {12, "0162 c00c", "rdata: \"b.a\""},
      {15, "000a 0162 00", "rdata: \"b\""},
      {16, "02 7631 03 202d61", "rdata: \"v1 -a\""},
      {33, "0001 0002 0035 0162 00", "srv: {priority: 1, weight: 2, port: 53, name: \"b\"}"},
      {65280, "00", "rrtype: \"TYPE65280\", ttl: 60}"},
      {12, "03 61 2e 5c 00", "rdata: \"a\\\\.\\\\\\\\\""},  // a dot and a backslash in a label
      {12, "02 ff 41 00", "rdata: \"\\xffA\""},
      {12, "00", "rdata: \".\""},
  };
  for (const auto& c : cases) {
    const std::string out = told(kDns, answer(c.type, c.data), context_of(false));
    EXPECT_NE(out.find(c.told), std::string::npos) << out;
    EXPECT_EQ(out.find("malformed"), std::string::npos) << out;
  }
}

TEST(Dns, Malformed) {
  struct {
    const char* what;
    Buffer message;
    const char* name;
  } const cases[] = {
      {"no header", hex("0007 0100 0001 0000 0000"), "truncated"},
      {"a question that is not there", hex("0007 0100 0001 0000 0000 0000"), "truncated"},
      {"a pointer to itself", hex("0007 0100 0001 0000 0000 0000 c00c 0001 0001"), "bad_value"},
      {"two that point at each other", hex("0007 0100 0001 0000 0000 0000 c00e c00c 0001 0001"),
       "bad_value"},
      {"a pointer forwards", hex("0007 0100 0001 0000 0000 0000 c012 0001 0001 0161 00"),
       "bad_value"},
      {"a label of unknown kind", hex("0007 0100 0001 0000 0000 0000 8061 00 0001 0001"),
       "bad_value"},
      {"an address of three bytes", answer(1, "c00002"), "bad_length"},
      {"a text string past its data", answer(16, "05 61"), "bad_length"},
      {"a service without a name", answer(33, "0001 0002"), "bad_length"},
      {"a name past the message", answer(12, "05 61"), "truncated"},
  };
  for (const auto& c : cases) {
    const std::string out = told(kDns, c.message, context_of(false));
    EXPECT_NE(out.find(std::string("malformed ") + c.name), std::string::npos)
        << c.what << ": " << out;
  }
}

TEST(Dns, ANameIsBoundedHoweverManyPointersItHas) {
  // Labels of 63 octets, each followed by a pointer to the one before.
  Writer out;
  out.bytes(hex("0007 0100 0001 0000 0000 0000"));
  std::size_t last = out.size();
  out.u8(63).zeros(63).u8(0);
  for (int i = 0; i < 4; ++i) {
    const std::size_t here = out.size();
    out.u8(63).zeros(63).u16(0xc000 | last);
    last = here;
  }
  const Buffer message = out.take();
  EXPECT_EQ(DnsReader(message).name(last).error(), Malformed::too_deep);
  EXPECT_EQ(DnsReader(message).name(12)->size, 63);
}

/// A response to "a." whose first answer's data is a chain of `pointers` from its end to that "a.",
/// and `more` answers without data whose name is the chain's end.
Buffer chained(int pointers, int more) {
  Writer out;
  out.bytes(hex("0007 8180 0001")).u16(1 + more).bytes(hex("0000 0000 0161 00 0001 0001"));
  out.u8(0).u16(10).u16(1).u32(0).u16(2 * pointers);
  std::size_t last = 12;
  for (int i = 0; i < pointers; ++i) {
    const std::size_t here = out.size();
    out.u16(0xc000 | last);
    last = here;
  }
  for (int i = 0; i < more; ++i) out.u16(0xc000 | last).u16(65280).u16(1).u32(0).u16(0);
  return out.take();
}

TEST(Dns, ANameFollowsAsManyPointersAsItMayHaveLabels) {
  const struct {
    int pointers;  ///< Of the chain; the answer's name is one more.
    Malformed malformed;
  } cases[] = {{3, Malformed::none},
               {126, Malformed::none},
               {127, Malformed::too_deep},
               {8000, Malformed::too_deep}};
  for (const auto& c : cases) {
    const Buffer message = chained(c.pointers, 1);
    const auto name = DnsReader(message).name(message.size() - 12);
    if (c.malformed == Malformed::none)
      EXPECT_EQ(name->text(), "a") << c.pointers;
    else
      EXPECT_EQ(name.error(), c.malformed) << c.pointers;
    const std::string out = told(kDns, message, context_of(false));
    EXPECT_EQ(out.find("malformed too_deep") == std::string::npos, c.malformed == Malformed::none)
        << out;
  }
}

TEST(Dns, NamesOfWhatIsNotListedAreNotFollowed) {
  const Buffer chain = chained(200, 0);
  const Buffer to_chain = Writer().u16(0xc000 | (chain.size() - 2)).take();
  const struct {
    const char* what;
    std::uint16_t place;  ///< Of the answer; 64 are listed.
    Buffer name;
    const char* malformed;
  } cases[] = {
      {"the last listed, 201 pointers", 63, to_chain, "malformed too_deep"},
      {"the first not listed, 201 pointers", 64, to_chain, ""},
      {"a label and a pointer", 64, hex("0162 c00c"), ""},
      {"a pointer forwards", 64, hex("ffff"), "malformed bad_value"},
      {"a label of unknown kind", 64, hex("80"), "malformed bad_value"},
      {"a name over 255 octets", 64, Writer().bytes(Buffer(300, 1)).take(), "malformed too_deep"},
      {"a name past the message", 64, hex("3f"), "malformed truncated"},
  };
  for (const auto& c : cases) {
    Writer out;
    out.bytes(chain);
    const Buffer rest = hex("ff00 0001 00000000 0000");
    for (int i = 1; i < c.place; ++i) out.bytes(hex("c00c")).bytes(rest);
    out.bytes(c.name);
    if (c.name.size() > 1) out.bytes(rest);
    Buffer message = out.take();
    message[7] = static_cast<std::uint8_t>(c.place + 1);
    for (const Dissector* dissector : {&kDns, &kMdns}) {
      const std::string text = told(*dissector, message, context_of(false));
      const std::size_t at = text.find("malformed");
      EXPECT_EQ(at == std::string::npos ? "" : text.substr(at, text.find('\n', at) - at),
                c.malformed)
          << dissector->name << ": " << c.what;
    }
  }
}

TEST(Dns, AMessageWithTheTruncationFlagMayEndAnywhere) {  // RFC 2181, section 9
  Buffer message = answer(1, "c0000201", 0x8380);
  message.resize(message.size() - 3);
  EXPECT_EQ(told(kDns, message, context_of(false)).find("malformed"), std::string::npos);
}

TEST(Dns, CutAtEveryByte) {
  const auto never = [](std::size_t) { return false; };
  EXPECT_EQ(accepted_cuts(kDns, payload("dns", "query"), context_of(), never), "");
  EXPECT_EQ(accepted_cuts(kDns, payload("dns", "answer"), context_of(false), never), "");
  EXPECT_EQ(accepted_cuts(kMdns, payload("mdns", "announcement"), context_of(), never), "");
}

TEST(Dns, ReverseNames) {
  EXPECT_EQ(reverse_address("80.2.0.192.in-addr.arpa").text(), "192.0.2.80");
  EXPECT_EQ(reverse_address("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2"
                            ".ip6.arpa")
                .text(),
            "2001:db8::1");
  for (const char* name : {"www.example.com", "2.0.192.in-addr.arpa", "256.2.0.192.in-addr.arpa",
                           "1.80.2.0.192.in-addr.arpa", "x.2.0.192.in-addr.arpa", ".in-addr.arpa"})
    EXPECT_TRUE(reverse_address(name).empty()) << name;
}

TEST(Mdns, AnAnnouncementTellsTheNameTheServiceAndTheModel) {
  EXPECT_EQ(told(kMdns, payload("mdns", "announcement"), context_of()),
            "mdns {type: \"response\", answers: ["
            "{rrname: \"_ipp._tcp.local\", rrtype: \"PTR\", ttl: 4500, "
            "rdata: \"Laser._ipp._tcp.local\"}, "
            "{rrname: \"Laser._device-info._tcp.local\", rrtype: \"TXT\", ttl: 4500, "
            "rdata: \"model=LJ-4000\"}], additionals: ["
            "{rrname: \"Laser._ipp._tcp.local\", rrtype: \"SRV\", ttl: 120, "
            "srv: {priority: 0, weight: 0, port: 631, name: \"laser7.local\"}}, "
            "{rrname: \"laser7.local\", rrtype: \"A\", ttl: 120, rdata: 10.0.0.7}, "
            "{rrname: \"laser7.local\", rrtype: \"AAAA\", ttl: 120, "
            "rdata: fe80::5054:ff:fe00:1}]}\n"
            "fact 52:54:00:00:00:01 10.0.0.1 service = \"_ipp._tcp\" (mdns.ptr)\n"
            "fact 52:54:00:00:00:01 10.0.0.1 model = \"LJ-4000\" (mdns.device_info)\n"
            "fact 10.0.0.7 host_name = \"laser7\" (mdns.a)\n"
            "fact fe80::5054:ff:fe00:1 host_name = \"laser7\" (mdns.aaaa)\n");
}

TEST(Mdns, AQuestionTeachesNothing) {
  EXPECT_EQ(told(kMdns, payload("mdns", "question"), context_of()),
            "mdns {type: \"request\", queries: [{rrname: \"_ipp._tcp.local\", rrtype: "
            "\"PTR\"}]}\n");
}

}  // namespace
}  // namespace vmirror
