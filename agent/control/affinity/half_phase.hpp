// How far one host's half of a migration is. Values and the only transitions between them; the
// tracker (migration_tracker.hpp) decides when one is due.
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
//   Suspended  source: the guest stands still, its last state is on its way
//   Over       the verdict is known; counters are read on, ports and mirrors may still go
//   Complete   this host has nothing more to tell
//
// The switchover is the moment at which the guest stops on the source, or runs on the destination.
// A transition that the drawing does not have changes nothing.
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
/// The guest runs on the destination since `switchover`, which is found at `now`.
Phase arrive(const Phase& from, Time switchover, Time now);
Phase end(const Phase& from, MigrationState verdict, Time now);
Phase complete(const Phase& from, Time now);
/// The wall clock was set back by `by` to `now` (set_back.hpp): all is as old as it was.
Phase set_back(Phase phase, Time by, Time now);

// ---- What a phase tells

/// Over or Complete.
bool is_over(const Phase& phase);
bool is_complete(const Phase& phase);
/// `running` before the phase is over.
MigrationState verdict(const Phase& phase);
std::optional<Time> over_since(const Phase& phase);
std::optional<Time> complete_since(const Phase& phase);
std::optional<Time> switchover(const Phase& phase);

}  // namespace vmirror::half
