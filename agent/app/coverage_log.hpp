// Pairs what the engine received of each NIC with what its switch counted on the port. A switch
// writes its counters now and then (Open vSwitch: every 5 s), so a pair is taken a moment after
// they are seen to change. It is exact when the NIC was quiet from before they were written; else
// it may be off by the frames since. What the switch counted before its first writing since the
// mirror is in place is not told apart from what the mirror copied: that first writing is where
// coverage begins. One thread.
#pragma once

#include <map>
#include <set>
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
  /// True when `control` has counters of a NIC that were not paired yet: `take` is due, kPause
  /// later. Costs what differs from the snapshot of the last call.
  bool due(const ControlSnapshot& control);
  /// Pairs. `engine` was made after `control`.
  void take(const ControlSnapshot& control, const EngineSnapshot& engine);
  /// One for each NIC of the mirror index whose mirror is in place, in its order.
  std::vector<CoverageRow> rows(const ControlSnapshot& control, const EngineSnapshot& engine) const;

  /// For the frames that the switch counted and that are on their way to the engine's count.
  static constexpr Time kPause = 50 * kMillisecond;

 private:
  enum class Base { none, rough, quiet };  ///< What is known of where coverage begins.
  struct Log {
    Base quality = Base::none;
    CoverageSample base, latest;
  };
  bool unpaired(const ControlSnapshot& control, const Mac& mac) const;

  std::map<Mac, Log> logs_;
  ControlSnapshot seen_;  ///< Of the last due().
  std::set<Mac> due_;     ///< As of then.
};

}  // namespace vmirror
