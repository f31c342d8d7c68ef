// The times at which the output port of a guest's copies was down, by readings of its carrier: a
// port that lost its carrier between two readings was down for some of the time in between.
#pragma once

#include <optional>

#include "agent/control/affinity/frame_ledger.hpp"
#include "plugin/base/clock.hpp"

namespace vmirror {

struct OutputWatch {
  std::optional<GuestCounters::Output> last;  ///< The latest reading.
  Time read_at = 0;                           ///< The time of `last`.
  Time down_from = 0, down_to = 0;            ///< From the first loss to the last; 0: never; still.
};

/// The watch with one more reading. Pure.
OutputWatch watched(OutputWatch watch, const GuestCounters::Output& reading, Time now);

}  // namespace vmirror
