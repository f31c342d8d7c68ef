// Fuzzes the dissector of icmp.
#include "agent/engine/dissect/network/icmp.hpp"
#include "tests/fuzz/fuzz_dissector.hpp"

VMIRROR_FUZZ(bytes) {
  vmirror::test::fuzz_dissector(vmirror::kIcmp, bytes);
}
VMIRROR_SEEDS() {
  return seeds_of("icmp");
}
