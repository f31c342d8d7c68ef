// Fuzzes the dissector of dns.
#include "agent/engine/dissect/it/dns.hpp"
#include "tests/fuzz/fuzz_dissector.hpp"

VMIRROR_FUZZ(bytes) {
  vmirror::test::fuzz_dissector(vmirror::kDns, bytes);
}
VMIRROR_SEEDS() {
  return seeds_of("dns");
}
