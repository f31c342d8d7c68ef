// Where the tests' own files are.
#pragma once

#include <filesystem>

namespace vmirror::test {

/// The top folder of the source tree that this build was made from, absolute.
std::filesystem::path source_tree();

}  // namespace vmirror::test
