// Fuzzes the dissector of mdns.
#include "agent/engine/dissect/it/mdns.hpp"
#include "tests/fuzz/fuzz_dissector.hpp"

VMIRROR_FUZZ(bytes) {
  vmirror::test::fuzz_dissector(vmirror::kMdns, bytes);
}
VMIRROR_SEEDS() {
  return seeds_of("mdns");
}
