// Which relay a host reads by: how hosts spread, and what becomes of one that does not serve.
#include "agent/control/store/relays.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

namespace vmirror {
namespace {

using Texts = std::vector<std::string>;

TEST(RelayOrder, HostsSpreadAndAFurtherRelayMovesItsShareAlone) {
  const Texts three{"ssl:192.0.2.1:6651", "ssl:192.0.2.2:6651", "ssl:192.0.2.3:6651"};
  Texts four = three;
  four.push_back("ssl:192.0.2.4:6651");
  constexpr int kHosts = 1000;
  std::map<std::string, int> hosts;
  int moved = 0;
  for (int i = 0; i < kHosts; ++i) {
    const std::string host = "kvm" + std::to_string(i);
    const Texts before = relay_order(three, host), after = relay_order(four, host);
    EXPECT_TRUE(std::ranges::is_permutation(before, three));
    ++hosts[before.front()];
    if (before.front() == after.front()) continue;
    ++moved;
    EXPECT_EQ(after.front(), four.back()) << host;
  }
  for (const auto& [relay, count] : hosts) EXPECT_NEAR(count, kHosts / 3, kHosts / 10) << relay;
  EXPECT_NEAR(moved, kHosts / 4, kHosts / 10);
}

/// One look: does the current relay serve? Then which is current, and are servers wanted?
struct Look {
  double at;  ///< Seconds.
  bool serves;
  const char* current;
  bool wants_servers;
};

TEST(RelayChoice, WhatComesOfEachLook) {
  struct Case {
    const char* what;
    Texts relays;
    std::vector<Look> looks;
  };
  const Case cases[] = {
      {"one that serves", {"a", "b"}, {{0, false, "a", false}, {1, true, "a", false}}},
      {"one that never answers is left for the next",
       {"a", "b"},
       {{0, false, "a", false},
        {2.9, false, "a", false},
        {3, false, "b", false},
        {3.5, true, "b", false}}},
      {"one that served is left at once",
       {"a", "b"},
       {{0, true, "a", false},
        {1, false, "b", false},
        {2, true, "b", false},
        {9, false, "a", false}}},
      {"when none serves, the servers; and the relays go on being tried",
       {"a", "b"},
       {{0, true, "a", false},
        {1, false, "b", false},
        {3.9, false, "b", false},
        {4, false, "a", true},
        {5, false, "a", true},
        {7, false, "b", true},
        {8, true, "b", false}}},
      {"a single one is waited for",
       {"a"},
       {{0, true, "a", false},
        {1, false, "a", false},
        {3.9, false, "a", false},
        {4, false, "a", true},
        {60, false, "a", true},
        {61, true, "a", false}}},
      {"a clock that is set back ends no patience and begins none",
       {"a", "b"},
       {{1000, false, "a", false}, {0, false, "a", false}, {3, false, "b", false}}},
  };
  for (const Case& c : cases) {
    const auto time = [](double seconds) {
      return static_cast<Time>((5000 + seconds) * static_cast<double>(kSecond));
    };
    RelayChoice choice(c.relays, time(c.looks.front().at));
    for (const Look& look : c.looks) {
      const std::string before = choice.current();
      const bool other = choice.saw(look.serves, time(look.at));
      EXPECT_EQ(choice.current(), look.current) << c.what << ", " << look.at;
      EXPECT_EQ(other, before != choice.current()) << c.what << ", " << look.at;
      EXPECT_EQ(choice.wants_servers(time(look.at)), look.wants_servers)
          << c.what << ", " << look.at;
    }
  }
  EXPECT_TRUE(RelayChoice({}, 0).wants_servers(0));
}

TEST(RelayChoice, SinceWhenNoneServes) {
  RelayChoice choice({"a"}, 100 * kSecond);
  EXPECT_EQ(choice.missing(100 * kSecond), 0);
  choice.saw(false, 101 * kSecond);
  choice.saw(false, 103 * kSecond);
  EXPECT_EQ(choice.missing(104 * kSecond), 3 * kSecond);
  choice.saw(true, 105 * kSecond);
  EXPECT_EQ(choice.missing(106 * kSecond), 0);
}

}  // namespace
}  // namespace vmirror
