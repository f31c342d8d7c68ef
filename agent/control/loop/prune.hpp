// Cleaning a switch without a daemon, after a daemon crashed.
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

/// Removes owned objects that no policy asks for: mirrors, their ports, and ports from mirrors
/// that stay. Adds nothing, since no daemon would keep it. Returns the steps that were carried out.
/// Errors: the driver's.
Result<std::vector<Step>> prune(Driver& driver, const PruneOptions& options,
                                const std::vector<Policy>& policies);

}  // namespace vmirror
