// What can be done to a switch without a daemon: look, and clean up after a crash.
#pragma once

#include <vector>

#include "agent/app/config.hpp"
#include "agent/model/policy.hpp"

namespace vmirror {

/// What would bring the switch to what `policies` ask for. Changes nothing. Error: as the driver
/// says.
Result<std::vector<Step>> plan_directly(Driver& driver, const Config& config,
                                        const std::vector<Policy>& policies);

/// Takes away what is ours and no policy asks for: mirrors, their ports, and ports out of mirrors
/// that stay. Adds nothing, for nobody would watch over it. Returns what it did.
Result<std::vector<Step>> prune_directly(Driver& driver, const Config& config,
                                         const std::vector<Policy>& policies);

/// The same by the configuration's driver and folder. A folder that is missing, or has a bad file,
/// is an error: unknown is not empty.
Result<std::vector<Step>> prune_directly(const Config& config);

}  // namespace vmirror
