// Fuzzes the reader of pcap files.
#include "agent/engine/capture/pcap.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "tests/fuzz/records.hpp"
#include "tests/support/captures.hpp"

VMIRROR_FUZZ(bytes) {
  vmirror::PcapReader reader(0);
  vmirror::test::read_all(reader, bytes);
}

VMIRROR_SEEDS() {
  using namespace vmirror::test;
  std::vector<Buffer> seeds;
  const std::vector<Captured> frames = {{1, udp_frame({}, counting(20)), 0},
                                        {2, arp_frame({}), 90}};
  for (const bool big : {false, true})
    for (const bool modified : {false, true})
      for (const std::uint32_t link : {1u, 101u, 147u})
        seeds.push_back(pcap(frames, {.big_endian = big, .modified = modified, .linktype = link}));
  return seeds;
}
