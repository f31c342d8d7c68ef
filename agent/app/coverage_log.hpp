// Pairs what the engine received of each NIC with what its switch counted on the port. A switch
// writes its counters now and then (Open vSwitch: every 5 s), so a pair is taken when they change.
// One thread.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "agent/engine/snapshot.hpp"
#include "agent/reconcile/reconciler.hpp"

namespace vmirror {

/// One NIC's coverage, as `status` shows it.
struct CoverageRow {
  NicFrames nic;
  Direction direction = Direction::both;  ///< What of it is mirrored.
  Coverage coverage;
  std::vector<std::string> warnings;
};

class CoverageLog {
 public:
  /// True when `control` has counters of a NIC that were not paired yet: an engine snapshot is due.
  bool due(const ControlSnapshot& control) const;
  /// Pairs. `engine` was made after `control`.
  void take(const ControlSnapshot& control, const EngineSnapshot& engine);
  /// One for each NIC of the mirror index whose mirror is in place, in its order. `now`: pairs of
  /// ports that fell silent are completed with the frames that were still on their way.
  std::vector<CoverageRow> rows(const ControlSnapshot& control, const EngineSnapshot& engine) const;

 private:
  struct Log {
    CoverageSample first;  ///< When the mirror was first seen in place.
    CoverageSample base;   ///< At the switch's next writing: from here on the pairs are exact.
    CoverageSample latest;
    bool exact = false;  ///< `base` is set.
  };
  std::map<Mac, Log> logs_;
};

}  // namespace vmirror
