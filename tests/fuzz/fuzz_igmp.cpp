// Fuzzes the dissector of igmp.
#include "agent/engine/dissect/network/igmp.hpp"
#include "tests/fuzz/fuzz_dissector.hpp"

VMIRROR_FUZZ(bytes) {
  vmirror::test::fuzz_dissector(vmirror::kIgmp, bytes);
}
VMIRROR_SEEDS() {
  return seeds_of("igmp");
}
