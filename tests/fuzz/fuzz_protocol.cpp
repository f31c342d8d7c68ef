// Fuzzes all dissectors of one protocol, on whatever carries them: the protocol that
// VMIRROR_PROTOCOL names in the environment.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "agent/engine/dissect/dissectors.hpp"
#include "tests/fuzz/fuzz_dissector.hpp"

namespace {

std::string the_protocol() {
  const char* name = std::getenv("VMIRROR_PROTOCOL");
  return name == nullptr ? "" : name;
}

std::vector<const vmirror::Dissector*> of_the_protocol() {
  std::vector<const vmirror::Dissector*> found;
  for (const vmirror::Dissector* each : vmirror::Dissectors::all())
    if (the_protocol() == each->name) found.push_back(each);
  if (found.empty()) {
    std::fprintf(stderr, "VMIRROR_PROTOCOL=%s names no protocol\n", the_protocol().c_str());
    std::exit(2);
  }
  return found;
}

}  // namespace

VMIRROR_FUZZ(bytes) {
  static const auto dissectors = of_the_protocol();
  for (const vmirror::Dissector* each : dissectors) vmirror::test::fuzz_dissector(*each, bytes);
}
VMIRROR_SEEDS() {
  std::vector<vmirror::test::Buffer> out;
  const std::string name = the_protocol();
  for (const vmirror::test::Payload& each : vmirror::test::payloads())
    if (each.protocol == name || each.protocol.starts_with(name + "/")) out.push_back(each.bytes);
  return out;
}
