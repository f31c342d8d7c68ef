// Fuzzes all dissectors of one protocol, VMIRROR_PROTOCOL, on whatever carries them.
#include <cstring>

#include "agent/engine/dissect/dissectors.hpp"
#include "tests/fuzz/fuzz_dissector.hpp"

VMIRROR_FUZZ(bytes) {
  for (const vmirror::Dissector* each : vmirror::Dissectors::all())
    if (std::strcmp(each->name, VMIRROR_PROTOCOL) == 0) vmirror::test::fuzz_dissector(*each, bytes);
}
VMIRROR_SEEDS() {
  return vmirror::test::seeds_of(VMIRROR_PROTOCOL);
}
