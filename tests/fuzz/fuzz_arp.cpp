// Fuzzes the dissector of arp.
#include "agent/engine/dissect/link/arp.hpp"
#include "tests/fuzz/fuzz_dissector.hpp"

VMIRROR_FUZZ(bytes) {
  vmirror::test::fuzz_dissector(vmirror::kArp, bytes);
}
VMIRROR_SEEDS() {
  return seeds_of("arp");
}
