// `vmirror plan FILE`, which `vmirror apply --dry-run FILE` does, too.
#pragma once

#include <string>

#include "agent/cli/command.hpp"

namespace vmirror {

/// Prints what the policies at `path` (a file, a folder, `-`) would do; returns the exit code.
int preview(const CommandContext& context, const std::string& path);

}  // namespace vmirror
