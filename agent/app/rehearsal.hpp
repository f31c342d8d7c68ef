// `vmirrord --check`: what a start with this configuration would say, without the start. Nothing is
// created, listened on, or changed on the switch; the switch is read once.
#pragma once

#include <vector>

#include "agent/app/config.hpp"

namespace vmirror {

struct Rehearsal {
  std::vector<Error> errors;    ///< The start would fail.
  std::vector<Error> warnings;  ///< The daemon would start, and something would not work yet.
};

/// `config` is as load_config() gives it: what is wrong with it alone is an error there.
Rehearsal rehearse(const Config& config);

}  // namespace vmirror
