// Gives libFuzzer the target's seeds: writes them into the first directory of the command line.
#include <filesystem>
#include <fstream>
#include <string>

#include "tests/fuzz/fuzz.hpp"

namespace vmirror::test {
__attribute__((weak)) std::vector<Buffer> fuzz_seeds() {
  return {};
}
}  // namespace vmirror::test

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  namespace fs = std::filesystem;
  for (int i = 1; i < *argc; ++i) {
    const fs::path folder = (*argv)[i];
    if ((*argv)[i][0] == '-' || !fs::is_directory(folder)) continue;
    int n = 0;
    for (const auto& seed : vmirror::test::fuzz_seeds())
      std::ofstream(folder / ("seed" + std::to_string(n++)), std::ios::binary)
          .write(reinterpret_cast<const char*>(seed.data()),
                 static_cast<std::streamsize>(seed.size()));
    break;
  }
  return 0;
}
