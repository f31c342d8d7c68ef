// The two parts that a kernel may lack; each gives `in force` or `not available: why`.
#pragma once

#include <span>
#include <string>

#include "agent/confine/confine.hpp"

namespace vmirror {

constexpr const char* kInForce = "in force";

/// Writing, making, removing and executing files: only where the options say. Reading is not
/// limited, since policies and TLS files may be links to anywhere; the user decides there.
std::string limit_files(const ConfineOptions& options);

/// System calls: those of the groups in system_calls.cpp. Any other fails with EPERM, and the
/// kernel writes it to its audit log.
std::string limit_system_calls();

}  // namespace vmirror
