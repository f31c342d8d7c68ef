// Fuzzes the helpers of dissectors: BER, GUID, UTF-16LE.
#include <cstdlib>

#include "agent/engine/dissect/ber.hpp"
#include "agent/engine/dissect/dissector.hpp"
#include "agent/engine/dissect/guid.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace {
void walk(vmirror::Bytes bytes, int depth) {
  for (vmirror::BerReader reader(bytes); !reader.empty();) {
    const vmirror::BerElement element = reader.next();
    if (!reader.ok()) return;
    vmirror::ber_integer(element.value);
    vmirror::ber_size(element.value);
    if (element.is_constructed() && depth < 8) walk(element.value, depth + 1);
  }
}
}  // namespace

VMIRROR_FUZZ(bytes) {
  static vmirror::Facts facts;
  walk(bytes, 0);
  if (vmirror::utf16_text(bytes, facts).size() > vmirror::kMaxText) std::abort();
  vmirror::guid_text(bytes, facts);
  facts.clear();
}
VMIRROR_SEEDS() {
  return {vmirror::test::hex("30 0c 02 01 07 60 07 02 01 03 04 00 80 00"),
          vmirror::test::hex("bf 4d 02 80 00"), vmirror::test::hex("3dd8 00de 4100 0000")};
}
