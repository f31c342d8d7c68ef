// The phase of one host's half of a migration. These are the values and all transitions between
// them; the tracker (migration_tracker.hpp) decides when a transition is due.
//
//   source        Underway ---suspend---> Suspended ---end---> Over ---complete---> Complete
//                    |                                          ^
//                    +------------------------end---------------+
//
//   destination   Underway ---arrive---------> Over ---complete---> Complete
//                    |                          ^
//                    +---------end--------------+
//
//   Underway   source: the guest runs and is copied; destination: the guest is awaited
//   Suspended  source: the guest is suspended, its last state is being sent
//   Over       the verdict is known; counters are still read, ports and mirrors may be removed
//   Complete   this half does not change any more
//
// The switchover is the moment at which the guest stops on the source, or runs on the destination.
// A transition that is not in the drawing changes nothing.
#pragma once

#include <optional>
#include <variant>

#include "agent/model/migration.hpp"
#include "plugin/base/clock.hpp"

namespace vmirror::half {

struct Underway {};
struct Suspended {
  Time switchover = 0;
};
struct Over {
  MigrationState verdict = MigrationState::done;
  Time since = 0;                  ///< When the verdict was found.
  std::optional<Time> switchover;  ///< None: it was not seen, or there was none.
};
struct Complete {
  Over over;
  Time since = 0;
};
using Phase = std::variant<Underway, Suspended, Over, Complete>;

// ---- Transitions

Phase suspend(const Phase& from, Time switchover);
/// The guest runs on the destination since `switchover`, which was noticed at `now`.
Phase arrive(const Phase& from, Time switchover, Time now);
Phase end(const Phase& from, MigrationState verdict, Time now);
Phase complete(const Phase& from, Time now);
/// The wall clock was set back by `by` to `now` (set_back.hpp): all times keep their age.
Phase set_back(Phase phase, Time by, Time now);

// ---- Questions about a phase

/// Over or Complete.
bool is_over(const Phase& phase);
bool is_complete(const Phase& phase);
/// `running` before the phase is over.
MigrationState verdict(const Phase& phase);
std::optional<Time> over_since(const Phase& phase);
std::optional<Time> complete_since(const Phase& phase);
std::optional<Time> switchover(const Phase& phase);

}  // namespace vmirror::half
