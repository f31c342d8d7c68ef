// The file for libvirt's hook when no agent runs (agent/control/hook/requirement.hpp).
#pragma once

#include <span>
#include <string>

#include "agent/model/policy.hpp"
#include "plugin/base/result.hpp"

namespace vmirror {

/// The path of the file in the daemon's folder `state`.
std::string requirements_path(const std::string& state_folder);

/// Writes the requirements of these policies, whole or not at all. The file is on the disk when the
/// function returns, since a booting host starts guests before the daemon. An equal file is not
/// written again. With `all_known` false not all policies could be read: what the file says of
/// policies that are not among these stays. Creates the folder. Error::Kind::refused: the file
/// can't be written, a full disk for one. If the file that is there asks for less than these
/// policies, it is then emptied, which needs no space: an empty file requires every guest.
Result<void> save_requirements(const std::string& path, std::span<const Policy> policies,
                               bool all_known = true);

}  // namespace vmirror
