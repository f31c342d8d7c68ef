#include "agent/control/policy/terms.hpp"

#include <algorithm>
#include <ctime>

namespace vmirror {

namespace {

/// Clocks drift against each other; a step is more.
constexpr Time kStep = 2 * kSecond;

bool differ(Time a, Time b) {
  return a > b ? a - b > kStep : b - a > kStep;
}

}  // namespace

Time boot_clock() {
  std::timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return now.tv_sec * kSecond + now.tv_nsec;
}

void Terms::set_ends(std::vector<Policy>& policies, Time wall, Time steady) {
  if (terms_.empty() || differ(offset_, wall - steady)) offset_ = wall - steady;
  std::map<std::string, Term> running;
  for (Policy& policy : policies) {
    if (!policy.ttl) continue;
    const auto known = terms_.find(policy.name);
    Term term{policy.set_at, *policy.ttl, 0};
    if (known != terms_.end() && known->second.set_at == term.set_at &&
        known->second.ttl == term.ttl) {
      term.end = known->second.end;
    } else {
      // A time that is not there yet was written by a clock ahead of this one.
      const Time age = policy.set_at == 0 ? 0 : std::clamp<Time>(wall - policy.set_at, 0, term.ttl);
      term.end = steady + term.ttl - age;
    }
    running.emplace(policy.name, term);
    policy.expires = std::min(policy.expires.value_or(INT64_MAX), term.end + offset_);
  }
  terms_ = std::move(running);
}

bool Terms::is_stale(Time wall, Time steady) const {
  return !terms_.empty() && differ(offset_, wall - steady);
}

}  // namespace vmirror
