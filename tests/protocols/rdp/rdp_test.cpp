#include "agent/engine/dissect/it/rdp.hpp"

#include <gtest/gtest.h>

#include "tests/unit/agent/engine/dissect/connection.hpp"
#include "tests/unit/agent/engine/dissect/tables.hpp"

namespace vmirror {
namespace {

using namespace test;

TEST(Rdp, Tells) {
  expect_tells(
      kRdp, "rdp",
      {
          {"request",
           "rdp {event_type: \"initial_request\", cookie: \"mstshash=user7\", requested: [\"rdp\", "
           "\"ssl\", \"hybrid\"]}\n"},
          {"tls chosen",
           "rdp {event_type: \"initial_response\", protocol: \"ssl\"}\n"
           "fact 10.0.0.2 service = \"rdp\" (rdp.event_type, implied)\n"},
          {"credssp chosen",
           "rdp {event_type: \"initial_response\", protocol: \"hybrid\"}\n"
           "fact 10.0.0.2 service = \"rdp\" (rdp.event_type, implied)\n"},
          {"rdp chosen",
           "rdp {event_type: \"initial_response\", protocol: \"rdp\"}\n"
           "fact 10.0.0.2 service = \"rdp\" (rdp.event_type, implied)\n"
           "act 10.0.0.1 weak_authentication 10.0.0.2 (rdp.protocol)\n"},
          {"refused",
           "rdp {event_type: \"initial_response\", error: \"hybrid_required_by_server\"}\n"
           "fact 10.0.0.2 service = \"rdp\" (rdp.event_type, implied)\n"},
          {"request, old", "rdp {event_type: \"initial_request\", requested: [\"rdp\"]}\n"},
          {"confirm, old",
           "rdp {event_type: \"initial_response\", protocol: \"rdp\"}\n"
           "fact 10.0.0.2 service = \"rdp\" (rdp.event_type, implied)\n"
           "act 10.0.0.1 weak_authentication 10.0.0.2 (rdp.protocol)\n"},
      });
}

TEST(Rdp, Malformed) {
  expect_malformed(kRdp, {
                             {"0300000b06f00000000000", "bad_value"},
                             {"0300002b26e0", "truncated"},
                             {"030000130ee00000123400020008000100 0000", "bad_value"},
                             {"030000130ed00000123400021f090001000000", "bad_value"},
                             {"0400000b06e00000000000", "bad_value"},
                         });
}

TEST(Rdp, OfTlsOrCredsspTheFlowBecomesTls) {
  const std::pair<const char*, const char*> cases[] = {
      {"tls chosen", "tls"}, {"credssp chosen", "tls"}, {"rdp chosen", "rdp"}};
  for (const auto& [chosen, name] : cases) {
    Connection wire(3389, facts_text);
    wire.feed(true, payload("rdp", "request"));
    wire.feed(false, payload("rdp", chosen));
    EXPECT_STREQ(all_dissectors().name(wire.conversation.application()), name) << chosen;
  }
}

TEST(Rdp, CutAtEveryByte) {
  expect_no_cut_passes(kRdp, "rdp");
}

}  // namespace
}  // namespace vmirror
