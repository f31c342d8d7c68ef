// Fuzzes the dissector of icmp6.
#include "agent/engine/dissect/network/icmp6.hpp"
#include "tests/fuzz/fuzz_dissector.hpp"

VMIRROR_FUZZ(bytes) {
  vmirror::test::fuzz_dissector(vmirror::kIcmp6, bytes);
}
VMIRROR_SEEDS() {
  return seeds_of("icmp6");
}
