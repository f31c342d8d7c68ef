// Fuzzes the dissector of modbus.
#include "agent/engine/dissect/ot/modbus.hpp"
#include "tests/fuzz/fuzz_dissector.hpp"

VMIRROR_FUZZ(bytes) {
  vmirror::test::fuzz_dissector(vmirror::kModbus, bytes);
}
VMIRROR_SEEDS() {
  return seeds_of("modbus");
}
