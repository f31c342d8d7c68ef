// What can be done to a switch without a daemon: clean up after one that crashed.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/model/policy.hpp"
#include "plugin/api/driver.hpp"

namespace vmirror {

struct PruneOptions {
  std::string host;                ///< This host's name.
  std::optional<Mac> monitor_nic;  ///< As ReconcilerOptions.
};

/// Takes away what is ours and no policy asks for: mirrors, their ports, and ports out of mirrors
/// that stay. Adds nothing, for nobody would watch over it. Returns the steps that it took. Error:
/// as the driver says.
Result<std::vector<Step>> prune(Driver& driver, const PruneOptions& options,
                                const std::vector<Policy>& policies);

}  // namespace vmirror
