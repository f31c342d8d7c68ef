// The ends of policies with a `ttl`. A term begins when the policy was set, and runs by a clock
// that nobody sets: a wall clock that is put right meanwhile neither ends it early nor prolongs it.
//
//   set_at, ttl --wall clock, once--> what is left --steady clock--> end --wall clock--> expires
//
// An agent that starts anew goes by the wall clock again.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "agent/model/policy.hpp"

namespace vmirror {

/// Nanoseconds since the machine booted, its sleep included: the clock that is never set, `steady`
/// below. Only shells (threads, mains) call it.
Time boot_clock();

/// One thread.
class Terms {
 public:
  /// Gives each policy with a `ttl` its `expires`; of one that has an `expires`, the earlier.
  void set_ends(std::vector<Policy>& policies, Time wall, Time steady);
  /// The wall clock was set since, and a term runs: set_ends() would say other times.
  bool is_stale(Time wall, Time steady) const;

 private:
  struct Term {
    Time set_at = 0, ttl = 0;
    Time end = 0;  ///< By the steady clock.
  };
  std::map<std::string, Term> terms_;  ///< By policy.
  Time offset_ = 0;                    ///< Wall clock less steady clock.
};

}  // namespace vmirror
