// The form of a fuzz target; tests/fuzz/CMakeLists.txt tells how it is built and run.
#pragma once

#include <vector>

#include "plugin/base/cursor.hpp"
#include "tests/support/frames.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace vmirror::test {
/// Inputs to begin with; defined by VMIRROR_SEEDS, and empty where a target has none.
std::vector<Buffer> fuzz_seeds();
}  // namespace vmirror::test

/// The target's function: gets one input as the Bytes `name`. What it finds, it tells by crashing
/// (std::abort, a sanitizer, the guard page behind the input).
#define VMIRROR_FUZZ(name)                                                            \
  static void fuzz_one(vmirror::Bytes name);                                          \
  extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) { \
    fuzz_one({data, size});                                                           \
    return 0;                                                                         \
  }                                                                                   \
  static void fuzz_one(vmirror::Bytes name)

/// Valid inputs that the mutations begin at: a function that returns std::vector<Buffer>.
#define VMIRROR_SEEDS() std::vector<vmirror::test::Buffer> vmirror::test::fuzz_seeds()
