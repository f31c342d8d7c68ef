// For who is told the time again and again, and so knows by how much the clock was set back: what
// it stamped stays as old as it was. Who does not know goes by plugin/base/clock.hpp.
#pragma once

#include <algorithm>

#include "plugin/base/clock.hpp"

namespace vmirror {

/// The stamp as it counts at `now`, after the clock was set back `by` so much. What is not ahead
/// stays: it may be of since.
constexpr Time set_back(Time stamp, Time by, Time now) {
  return stamp > now ? std::min(stamp - by, now) : stamp;
}

}  // namespace vmirror
