// The ends of policies with a `ttl`, whatever becomes of the wall clock.
#include "agent/control/policy/terms.hpp"

#include <gtest/gtest.h>

namespace vmirror {
namespace {

constexpr Time kHour = 3600 * kSecond;
constexpr Time kBoot = 1'700'000'000 * kSecond;  ///< Wall clock when the steady one was 0.

Policy policy(Time set_at, std::optional<Time> expires = {}) {
  Policy out;
  out.name = "incident";
  out.ttl = 4 * kHour;
  out.set_at = set_at;
  out.expires = expires;
  return out;
}

TEST(Terms, BeginWhenThePolicyWasSet) {
  const struct {
    const char* what;
    Time set_at;
    std::optional<Time> expires;
    Time end;  ///< Since the boot, an hour after which they are asked.
  } table[] = {
      {"just now", 0, {}, 5 * kHour},
      {"half an hour ago", kBoot + kHour / 2, {}, 4 * kHour + kHour / 2},
      {"by a clock ahead", kBoot + 9 * kHour, {}, 5 * kHour},
      {"long ago", kBoot - 9 * kHour, {}, kHour},
      {"an earlier end of its own", 0, kBoot + 2 * kHour, 2 * kHour},
      {"a later end of its own", 0, kBoot + 20 * kHour, 5 * kHour},
  };
  for (const auto& row : table) {
    std::vector<Policy> policies{policy(row.set_at, row.expires)};
    Terms().set_ends(policies, kBoot + kHour, kHour);
    EXPECT_EQ(policies[0].expires, kBoot + row.end) << row.what;
  }
}

TEST(Terms, AClockThatIsSetMovesNoEnd) {
  for (const Time step : {-kHour, kHour, 100 * kHour}) {
    Terms terms;
    std::vector<Policy> policies{policy(0)};
    terms.set_ends(policies, kBoot, 0);
    EXPECT_FALSE(terms.is_stale(kBoot + kHour, kHour));
    EXPECT_TRUE(terms.is_stale(kBoot + kHour + step, kHour));
    policies = {policy(0)};
    terms.set_ends(policies, kBoot + kHour + step, kHour);
    EXPECT_EQ(policies[0].expires, kBoot + step + 4 * kHour);  // Three hours from then.
    EXPECT_FALSE(terms.is_stale(kBoot + kHour + step, kHour));
  }
}

TEST(Terms, APolicyThatIsSetAnewBeginsAnew) {
  Terms terms;
  std::vector<Policy> policies{policy(kBoot)};
  terms.set_ends(policies, kBoot, 0);
  policies = {policy(kBoot + 3 * kHour)};
  terms.set_ends(policies, kBoot + 3 * kHour, 3 * kHour);
  EXPECT_EQ(policies[0].expires, kBoot + 7 * kHour);
}

TEST(Terms, WithoutATermNothingIsStale) {
  Terms terms;
  std::vector<Policy> policies{policy(0)};
  policies[0].ttl.reset();
  terms.set_ends(policies, kBoot, 0);
  EXPECT_FALSE(policies[0].expires);
  EXPECT_FALSE(terms.is_stale(kBoot + kHour, 0));
}

}  // namespace
}  // namespace vmirror
