// What most protocols' tests are: tables of what each payload tells, of faults, and of cuts.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <initializer_list>

#include "tests/unit/agent/engine/dissect/told.hpp"

namespace vmirror::test {

/// A payload of the protocol by its name, and the text of what its dissector must tell.
struct Tells {
  const char *what, *told;
};
/// The table must have every payload that goes by the name `protocol` ("enip", "dns/tcp").
inline void expect_tells(const Dissector& dissector, const char* protocol,
                         std::initializer_list<Tells> cases) {
  for (const Payload& each : payloads_of(protocol)) {
    const auto at = std::find_if(cases.begin(), cases.end(),
                                 [&](const Tells& c) { return each.what == c.what; });
    if (at == cases.end()) {
      ADD_FAILURE() << "the table lacks " << protocol << ": " << each.what;
      continue;
    }
    EXPECT_EQ(told(dissector, each.bytes, context_of(each.to_server)), at->told) << each.what;
  }
  EXPECT_EQ(payloads_of(protocol).size(), cases.size());
}

/// Bytes, and what is wrong with them: the end of what is told.
struct Faulty {
  const char *bytes, *malformed;
  bool to_server = true;
};
inline void expect_malformed(const Dissector& dissector, std::initializer_list<Faulty> cases) {
  for (const Faulty& c : cases) {
    const std::string out = told(dissector, hex(c.bytes), context_of(c.to_server));
    EXPECT_TRUE(out.ends_with(std::string("malformed ") + c.malformed + "\n"))
        << c.bytes << ": " << out;
  }
}

/// No payload, cut at any byte, passes for a whole one; but where `whole` (payload, size) says that
/// the protocol can't tell.
template <typename Whole>
void expect_no_cut_passes(const Dissector& dissector, const char* protocol, Whole whole) {
  for (const Payload& each : payloads_of(protocol))
    EXPECT_EQ(accepted_cuts(dissector, each.bytes, context_of(each.to_server),
                            [&](std::size_t size) { return whole(each, size); }),
              "")
        << each.what;
}
inline void expect_no_cut_passes(const Dissector& dissector, const char* protocol) {
  expect_no_cut_passes(dissector, protocol, [](const Payload&, std::size_t) { return false; });
}

}  // namespace vmirror::test
