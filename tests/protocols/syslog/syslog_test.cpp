#include "agent/engine/dissect/it/syslog.hpp"

#include <gtest/gtest.h>

#include "tests/unit/agent/engine/dissect/tables.hpp"

namespace vmirror {
namespace {

using namespace test;

TEST(Syslog, Tells) {
  expect_tells(kSyslog, "syslog",
               {
                   {"3164",
                    "syslog {facility: \"auth\", severity: \"crit\", timestamp: \"Oct 11 "
                    "22:14:15\", hostname: \"plc-7\", app_name: \"su\", process_id: \"231\", "
                    "message: \"'su root' failed\"}\n"},
                   {"5424",
                    "syslog {facility: \"local4\", severity: \"notice\", timestamp: "
                    "\"2026-01-02T03:04:05.003Z\", hostname: \"hmi-3.example.lan\", app_name: "
                    "\"evntslog\", message_id: \"ID47\", message: \"An event\"}\n"},
                   {"5424, nothing said", "syslog {facility: \"local7\", severity: \"debug\"}\n"},
                   {"without a header",
                    "syslog {facility: \"local7\", severity: \"notice\", message: \"58: *Mar 1 "
                    "00:01:00: %LINK-3-UPDOWN: Interface Gi0/7, changed state to up\"}\n"},
                   {"3164, without a tag",
                    "syslog {facility: \"user\", severity: \"notice\", timestamp: \"Feb  5 "
                    "17:32:18\", hostname: \"10.0.0.99\", message: \"use the BFG!\"}\n"},
               });
}

TEST(Syslog, Malformed) {
  expect_malformed(kSyslog, {
                                {"", "truncated"},
                                {"3c3334", "truncated"},
                                {"33343e61", "bad_value"},
                                {"3c3139323e61", "bad_value"},
                                {"3c3e61616161", "bad_value"},
                                {"3c313233343e", "bad_value"},
                            });
}

TEST(Syslog, CutAtEveryByte) {
  expect_no_cut_passes(kSyslog, "syslog", [](const Payload& each, std::size_t size) {
    return size > as_text(each.bytes).find('>');  // A datagram's text has no length.
  });
}

}  // namespace
}  // namespace vmirror
