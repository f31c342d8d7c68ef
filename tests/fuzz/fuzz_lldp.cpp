// Fuzzes the dissector of lldp.
#include "agent/dissect/lldp.hpp"
#include "tests/fuzz/fuzz_dissector.hpp"

VMIRROR_FUZZ(bytes) {
  vmirror::test::fuzz_dissector(vmirror::kLldp, bytes);
}
VMIRROR_SEEDS() {
  return seeds_of("lldp");
}
