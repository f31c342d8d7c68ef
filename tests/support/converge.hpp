// Reconciles by the shortest loop that there is: observe, realise, diff, submit, until nothing is
// left.
#pragma once

#include <string>
#include <vector>

#include "plugin/api/driver.hpp"

namespace vmirror::test {

struct Converged {
  Realisation wanted;                        ///< Of the last round.
  std::shared_ptr<const Observed> observed;  ///< Of the last round: nothing was left to do.
  std::vector<Step> steps;                   ///< All that were submitted.
};

/// Error::Kind::internal when `rounds` weren't enough; else the driver's own first error.
Result<Converged> converge(Driver& driver, const Desired& desired, int rounds = 8);

/// What asks for the same on every switch, as text: names, types, options, ownership, selections;
/// not identities, counters and link states.
std::string to_text(const Observed& observed);
/// The same of what isn't owned.
std::string foreign_text(const Observed& observed);

}  // namespace vmirror::test
