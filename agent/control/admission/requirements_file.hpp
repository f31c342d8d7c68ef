// Keeps what libvirt's hook must know without an agent (agent/control/hook/requirement.hpp).
#pragma once

#include <span>
#include <string>

#include "agent/model/policy.hpp"
#include "plugin/base/result.hpp"

namespace vmirror {

/// The file in the daemon's folder for what lasts.
std::string requirements_path(const std::string& state_folder);

/// Writes the requirements of these policies; at once or not at all, and on the disk when it
/// returns, for guests are started before the daemon when the host is. A file that says so already
/// stays. Creates the folder. Error::Kind::refused: it can't be written.
Result<void> save_requirements(const std::string& path, std::span<const Policy> policies);

}  // namespace vmirror
