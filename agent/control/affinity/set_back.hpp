// For code that receives the time regularly, and so knows by how much the clock was set back: its
// stamps keep their age. Other code uses the rule of plugin/base/clock.hpp.
#pragma once

#include <algorithm>

#include "plugin/base/clock.hpp"

namespace vmirror {

/// The stamp as it counts at `now`, after the clock was set back by `by`. A stamp that is not ahead
/// of `now` is unchanged: it may be later than the set-back.
constexpr Time set_back(Time stamp, Time by, Time now) {
  return stamp > now ? std::min(stamp - by, now) : stamp;
}

}  // namespace vmirror
