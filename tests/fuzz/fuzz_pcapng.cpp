// Fuzzes the reader of pcapng files.
#include "agent/engine/capture/pcapng.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "tests/fuzz/records.hpp"
#include "tests/support/captures.hpp"

VMIRROR_FUZZ(bytes) {
  vmirror::PcapngReader reader(0);
  vmirror::test::read_all(reader, bytes);
}

VMIRROR_SEEDS() {
  using namespace vmirror::test;
  const Buffer frame = udp_frame({}, counting(21));
  std::vector<Buffer> seeds;
  for (const bool big : {false, true}) {
    Pcapng file;
    file.section(big).interface(1, 64, 9, -5).interface(147).interface(101, 0, 0x8a);
    file.enhanced(0, 77, frame).enhanced(1, 78, frame).enhanced(2, 79, ip_part(frame));
    file.block(5, counting(9)).simple(frame).obsolete(0, 80, frame);
    file.section(!big).interface().enhanced(0, 1, frame);
    seeds.push_back(file.take());
  }
  return seeds;
}
