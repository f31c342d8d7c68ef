// `vmirror apply --prune --config FILE`: by a daemon's configuration, without the daemon.
#pragma once

#include <string>
#include <vector>

#include "plugin/api/diff.hpp"
#include "plugin/base/result.hpp"

namespace vmirror {

/// Takes away what is ours and no policy asks for (agent/control/loop/prune.hpp), by the
/// configuration in the file `path`, its driver and its policies. A folder that is missing, or has
/// a bad file, is an error: unknown is not empty. Error: as load_config and the driver say;
/// refused: a daemon answers at the configuration's socket.
Result<std::vector<Step>> prune_by_config(const std::string& path);

/// Takes away all that is ours, whatever the policies ask for. Errors: as above.
Result<std::vector<Step>> drain_by_config(const std::string& path);

}  // namespace vmirror
