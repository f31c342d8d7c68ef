// The moves of guests that one agent sees as a whole, because the switches that it reads span the
// hosts. Pure.
#pragma once

#include <vector>

#include "agent/control/affinity/migration_tracker.hpp"
#include "agent/control/reconcile/session_judge.hpp"

namespace vmirror {

/// One for each guest with a UUID whose changed ports were all on one host before and are all on
/// another one now. `mirrored` and `in_place` are left to who knows.
std::vector<SeenMove> moves_of(const RoundChanges& changes);

}  // namespace vmirror
