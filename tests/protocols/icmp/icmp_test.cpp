// ICMP, ICMPv6 and IGMP.
#include "agent/engine/dissect/network/icmp.hpp"

#include <gtest/gtest.h>

#include "agent/engine/dissect/network/icmp6.hpp"
#include "agent/engine/dissect/network/igmp.hpp"
#include "tests/unit/agent/engine/dissect/told.hpp"

namespace vmirror {
namespace {

using namespace test;

struct Case {
  const char* protocol;
  const char* what;
  const char* told;
};

TEST(Icmp, Tells) {
  const Case cases[] = {
      {"icmp", "echo request",
       "icmp {icmp_type: 8, icmp_code: 0, name: \"echo_request\", id: 1, seq: 5, size: 2}\n"},
      {"icmp", "time exceeded",
       "icmp {icmp_type: 11, icmp_code: 0, name: \"time_exceeded\", original: {src_ip: 10.0.0.1, "
       "dest_ip: 10.0.0.2, proto: 17, src_port: 40000, dest_port: 53}}\n"
       "fact 10.0.0.1 router = true (icmp.time_exceeded)\n"},
      {"icmp", "fragmentation needed",
       "icmp {icmp_type: 3, icmp_code: 4, name: \"unreachable\", mtu: 1400, original: {src_ip: "
       "10.0.0.1, dest_ip: 10.0.0.2, proto: 17, src_port: 40000, dest_port: 53}}\n"},
      {"icmp", "redirect",
       "icmp {icmp_type: 5, icmp_code: 1, name: \"redirect\", gateway: 10.0.0.254, original: "
       "{src_ip: 10.0.0.1, dest_ip: 10.0.0.2, proto: 17, src_port: 40000, dest_port: 53}}\n"
       "fact 10.0.0.1 router = true (icmp.redirect)\n"},
  };
  for (const Case& c : cases)
    EXPECT_EQ(told(kIcmp, payload(c.protocol, c.what), context_of()), c.told) << c.what;
}

TEST(Icmp, AnEchoReplyHasItsLatency) {
  Dissection dissection(all_dissectors());
  Context context = context_of(true, kSecond);
  context.engine = &dissection;
  told(kIcmp, payload("icmp", "echo request"), context);
  context.time += 1500'000;
  EXPECT_EQ(told(kIcmp, payload("icmp", "echo reply"), context),
            "icmp {icmp_type: 0, icmp_code: 0, name: \"echo_reply\", id: 1, seq: 5, size: 2, "
            "latency_us: 1500}\n");
}

TEST(Icmp6, Tells) {
  const Case cases[] = {
      {"icmp6", "router advertisement",
       "icmp6 {icmp_type: 134, icmp_code: 0, name: \"router_advertisement\", hop_limit: 64, "
       "managed: true, other: false, router_lifetime: 1800, src_mac: 52:54:00:00:00:01, mtu: 1500, "
       "prefix: 2001:db8::, prefix_length: 64, dns_servers: [2001:db8::53]}\n"
       "fact 52:54:00:00:00:01 fe80::1 router = true (icmp6.router_lifetime)\n"
       "fact 52:54:00:00:00:01 ip_address = fe80::1 (icmp6.router_advertisement)\n"
       "act 52:54:00:00:00:01 claim_address fe80::1 (icmp6.router_advertisement)\n"},
      {"icmp6", "neighbor solicitation",
       "icmp6 {icmp_type: 135, icmp_code: 0, name: \"neighbor_solicitation\", target: fe80::1, "
       "src_mac: 52:54:00:00:00:01}\n"
       "fact 52:54:00:00:00:01 ip_address = fe80::1 (icmp6.src_mac)\n"
       "act 52:54:00:00:00:01 claim_address fe80::1 (icmp6.src_mac)\n"},
      {"icmp6", "neighbor advertisement",
       "icmp6 {icmp_type: 136, icmp_code: 0, name: \"neighbor_advertisement\", target: fe80::1, "
       "router: true, solicited: true, override: true, target_mac: 52:54:00:00:00:01}\n"
       "fact 52:54:00:00:00:01 ip_address = fe80::1 (icmp6.target)\n"
       "fact 52:54:00:00:00:01 router = true (icmp6.router)\n"
       "act 52:54:00:00:00:01 claim_address fe80::1 (icmp6.target)\n"},
      {"icmp6", "mld report",
       "icmp6 {icmp_type: 131, icmp_code: 0, name: \"mld_report\", group: ff02::fb0}\n"},
      {"icmp6", "mld report v2",
       "icmp6 {icmp_type: 143, icmp_code: 0, name: \"mld_report_v2\", groups: [{record_type: 4, "
       "group: ff02::fb0}]}\n"},
  };
  for (const Case& c : cases)
    EXPECT_EQ(told(kIcmp6, payload(c.protocol, c.what), context_of6()), c.told) << c.what;
}

TEST(Icmp6, DiscoveryThatCameOverARouterIsRefused) {  // RFC 4861, section 7.1
  Context context = context_of6();
  context.ttl = 254;
  EXPECT_EQ(told(kIcmp6, payload("icmp6", "neighbor advertisement"), context),
            "malformed bad_value\n");
  EXPECT_EQ(told(kIcmp6, payload("icmp6", "echo request"), context),
            "icmp6 {icmp_type: 128, icmp_code: 0, name: \"echo_request\", id: 1, seq: 5, size: "
            "0}\n");
}

TEST(Igmp, Tells) {
  const Case cases[] = {
      {"igmp", "query", "igmp {type: \"query\", group: 0.0.0.0}\n"},
      {"igmp", "report v2", "igmp {type: \"report_v2\", group: 224.0.0.251}\n"},
      {"igmp", "report v3",
       "igmp {type: \"report_v3\", groups: [{record_type: 4, group: 224.0.0.251}]}\n"},
  };
  for (const Case& c : cases)
    EXPECT_EQ(told(kIgmp, payload(c.protocol, c.what), context_of()), c.told) << c.what;
}

TEST(Icmp, AWrongChecksumIsTold) {
  for (const Payload& each : payloads()) {
    const Dissector* dissector = each.protocol == "icmp"    ? &kIcmp
                                 : each.protocol == "icmp6" ? &kIcmp6
                                 : each.protocol == "igmp"  ? &kIgmp
                                                            : nullptr;
    if (!dissector) continue;
    const Context context = dissector == &kIcmp6 ? context_of6() : context_of();
    Buffer broken = each.bytes;
    broken[1] ^= 1;
    const char* const mark = "checksum: \"wrong\"";
    EXPECT_NE(told(*dissector, broken, context).find(mark), std::string::npos) << each.what;
    EXPECT_EQ(told(*dissector, each.bytes, context).find(mark), std::string::npos) << each.what;
    // Of a copy that the mirror cut the sum is not known: what is there is read.
    Context cut = context;
    cut.cut = true;
    EXPECT_EQ(told(*dissector, broken, cut).find(mark), std::string::npos) << each.what;
    for (std::size_t size = 0; size < each.bytes.size(); ++size)
      told(*dissector, Buffer(each.bytes.begin(), each.bytes.begin() + static_cast<int>(size)),
           cut);
  }
}

TEST(Icmp6, MalformedOptions) {
  const Ip ends{.source = ip("fe80::1"), .destination = ip("ff02::1")};
  const Buffer target(20);
  const auto with = [&](std::string_view option) {
    const std::string out =
        told(kIcmp6, icmp(135, 0, concat({target, hex(option)}), ends), context_of6());
    return out.substr(out.find('\n') + 1);
  };
  EXPECT_EQ(with("01 00 525400000001"), "malformed bad_length\n");
  EXPECT_EQ(with("01 02 525400000001"), "malformed truncated\n");
  EXPECT_EQ(with("05 02 0000 000005dc 0000000000000000"), "malformed bad_length\n");
}

}  // namespace
}  // namespace vmirror
