// Fuzzes the dissector of dhcp.
#include "agent/engine/dissect/it/dhcp.hpp"
#include "tests/fuzz/fuzz_dissector.hpp"

VMIRROR_FUZZ(bytes) {
  vmirror::test::fuzz_dissector(vmirror::kDhcp, bytes);
}
VMIRROR_SEEDS() {
  return seeds_of("dhcp");
}
