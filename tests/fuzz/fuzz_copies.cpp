// Fuzzes the reading of a collector's report, which another host's agent sends: what is read says
// the same when it is written and read again.
#include <cstdlib>

#include "agent/engine/health/copies_json.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace vmirror;

VMIRROR_FUZZ(bytes) {
  const auto report = parse_copies(as_text(bytes));
  if (!report) return;
  const auto again = parse_copies(encode_copies(*report));
  if (!again || *again != *report) std::abort();
}

VMIRROR_SEEDS() {
  CopiesReport report;
  report.addresses = {*IpAddress::parse("192.0.2.9"), *IpAddress::parse("2001:db8::9")};
  report.left_out = 1;
  report.sessions[{Encapsulation::erspan2, 7, *IpAddress::parse("192.0.2.1")}] = {812, 3, 5};
  report.sessions[{Encapsulation::gre, 0, *IpAddress::parse("2001:db8::1")}] = {1, 0, 6};
  return {vmirror::test::text(encode_copies(report)), vmirror::test::text(encode_copies({})),
          vmirror::test::text("{\"version\":2}")};
}
