#include "tests/support/source_tree.hpp"

namespace vmirror::test {

std::filesystem::path source_tree() {
  return VMIRROR_SOURCE_DIR;
}

}  // namespace vmirror::test
