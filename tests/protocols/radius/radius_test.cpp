#include "agent/engine/dissect/it/radius.hpp"

#include <gtest/gtest.h>

#include "tests/unit/agent/engine/dissect/tables.hpp"

namespace vmirror {
namespace {

using namespace test;

TEST(Radius, Tells) {
  expect_tells(kRadius, "radius",
               {
                   {"request, pap",
                    "radius {code: \"access_request\", identifier: 7, username: \"ann\", nas_ip: "
                    "192.0.2.5, nas_identifier: \"switch-7\", calling_station_id: "
                    "\"52-54-00-00-00-01\", called_station_id: \"gi0/7\", method: \"pap\"}\n"
                    "act 10.0.0.1 weak_authentication 10.0.0.2 (radius.method)\n"},
                   {"accept",
                    "radius {code: \"access_accept\", identifier: 7, framed_ip: 192.0.2.100, "
                    "filter_id: \"guests\"}\n"
                    "fact 10.0.0.2 service = \"radius\" (radius.code, implied)\n"},
                   {"request, eap",
                    "radius {code: \"access_request\", identifier: 8, username: "
                    "\"ann@example.lan\", method: \"eap\"}\n"},
                   {"challenge",
                    "radius {code: \"access_challenge\", identifier: 8}\n"
                    "fact 10.0.0.2 service = \"radius\" (radius.code, implied)\n"},
                   {"reject",
                    "radius {code: \"access_reject\", identifier: 9, reply_message: \"no\"}\n"
                    "fact 10.0.0.2 service = \"radius\" (radius.code, implied)\n"},
                   {"request, chap",
                    "radius {code: \"access_request\", identifier: 10, username: \"ann\", method: "
                    "\"chap\"}\n"
                    "act 10.0.0.1 weak_authentication 10.0.0.2 (radius.method)\n"},
                   {"request, ms-chap",
                    "radius {code: \"access_request\", identifier: 11, username: \"ann\", method: "
                    "\"mschap\"}\n"
                    "act 10.0.0.1 weak_authentication 10.0.0.2 (radius.method)\n"},
                   {"request, ms-chap 2",
                    "radius {code: \"access_request\", identifier: 12, username: \"ann\", method: "
                    "\"mschapv2\"}\n"},
                   {"accounting",
                    "radius {code: \"accounting_request\", identifier: 13, acct_status: \"stop\", "
                    "acct_session_id: \"5e3\", username: \"ann\", nas_port_id: \"port 7\"}\n"},
                   {"accounted",
                    "radius {code: \"accounting_response\", identifier: 13}\n"
                    "fact 10.0.0.2 service = \"radius\" (radius.code, implied)\n"},
                   {"disconnect",
                    "radius {code: \"disconnect_request\", identifier: 14, username: \"ann\"}\n"},
               });
}

TEST(Radius, Malformed) {
  expect_malformed(kRadius, {
                                {"01", "truncated"},
                                {"06 00 0014", "bad_value"},
                                {"01 07 0013", "bad_length"},
                                {"01 07 0014 c1", "truncated"},
                                {"01070016 c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1 01 07", "bad_length"},
                                {"01070016 c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1 01 01", "bad_length"},
                            });
}

TEST(Radius, CutAtEveryByte) {
  expect_no_cut_passes(kRadius, "radius");
}

}  // namespace
}  // namespace vmirror
