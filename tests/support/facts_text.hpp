// Facts as text, one line for each record and each fact: what tests of dissectors compare.
//
//   dns {type: "query", id: 7, answers: [{rrname: "a.b", ttl: 60}]}
//   fact 52:54:00:00:00:01 10.0.0.1 host_name = "plc-7" (dhcp.hostname)
//   clock 10.0.0.2 2026-01-02T03:04:05.678901Z (ntp.transmit_time)
#pragma once

#include <string>

#include "agent/model/facts.hpp"

namespace vmirror::test {

/// Text in quotes with \xNN for what is not printable ASCII; bytes as hex in angle brackets.
std::string value_text(const Value& value);
/// `dns {...}`, without a line end.
std::string record_text(const Facts& facts, const Record& record);
/// All records, then all facts, each with a line end.
std::string facts_text(const Facts& facts);

}  // namespace vmirror::test
