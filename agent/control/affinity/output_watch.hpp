// Whether the port where a guest's copies come out could take them, by readings of its carrier: one
// that lost it between two readings was down for some of the time in between.
#pragma once

#include <optional>

#include "agent/control/affinity/frame_ledger.hpp"
#include "plugin/base/clock.hpp"

namespace vmirror {

struct OutputWatch {
  std::optional<GuestCounters::Output> last;  ///< The latest reading.
  Time read_at = 0;                           ///< When that was.
  Time down_from = 0, down_to = 0;            ///< From the first loss to the last; 0: never; still.
};

/// With one reading more. Pure.
OutputWatch watched(OutputWatch watch, const GuestCounters::Output& reading, Time now);

}  // namespace vmirror
