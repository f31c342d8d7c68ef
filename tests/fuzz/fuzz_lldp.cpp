// Fuzzes the dissector of lldp.
#include "agent/engine/dissect/link/lldp.hpp"
#include "tests/fuzz/fuzz_dissector.hpp"

VMIRROR_FUZZ(bytes) {
  vmirror::test::fuzz_dissector(vmirror::kLldp, bytes);
}
VMIRROR_SEEDS() {
  return seeds_of("lldp");
}
