// The outermost catch of each program, so that a fault ends it with a message and an exit code.
#pragma once

#include <functional>

namespace vmirror {

/// The exit code for a fault of the program itself (EX_SOFTWARE of sysexits.h): an exception that
/// nothing handled, memory that is not there.
constexpr int kExitFault = 70;

/// Runs the body of main() and returns its exit code. An exception that leaves the body, or any
/// thread of the program, is told on standard error with `name` and what it says; the exit code is
/// then kExitFault. Call it once, before other threads exist.
int run_program(const char* name, const std::function<int()>& body);

}  // namespace vmirror
