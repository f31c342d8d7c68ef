// Fuzzes the decapsulator on both kinds of input: frames and their bytes lie where they should, and
// no frame is lost or counted twice. An input is a few frames: | length 2 | bytes |, repeated.
#include <cstdlib>

#include "agent/decap/decap.hpp"
#include "agent/wire/packet.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "tests/support/encapsulate.hpp"

using namespace vmirror;

namespace {

void run(Bytes input, bool accept_bare) {
  Decapsulator decapsulator({.accept_bare = accept_bare,
                             .rspan_vlan = test::kRspanVlan,
                             .max_datagrams = 4,
                             .max_fragment_bytes = 20000});
  FrameCounters counters;
  Cursor c(input);
  while (!c.empty()) {
    const std::size_t size = c.u16();
    const Bytes bytes = c.take(std::min(size, c.left()));
    const Frame frame = test::frame_of(bytes, static_cast<Time>(counters.received) * kSecond);
    ++counters.received;
    const Decapsulated d = decapsulator.take(frame, parse_packet(bytes, frame.link));
    if (d.status == Decapsulated::Status::held) continue;
    if (d.status == Decapsulated::Status::drop) {
      counters.drop(d.drop, d.frames);
      continue;
    }
    counters.analysed += d.frames;
    if (d.packet.payload + d.packet.payload_size > static_cast<int>(d.frame.bytes.size()))
      std::abort();
    unsigned sum = 0;
    for (const std::uint8_t byte : d.frame.bytes) sum += byte;  // All of it is readable.
    if (sum == 1) counters.received_bytes += sum;
  }
  counters.drop(Drop::fragment_incomplete, decapsulator.flush());
  if (!counters.balanced()) std::abort();
}

}  // namespace

VMIRROR_FUZZ(bytes) {
  run(bytes, true);
  run(bytes, false);
}

VMIRROR_SEEDS() {
  using namespace vmirror::test;
  std::vector<Buffer> seeds;
  const Buffer guest = udp_frame({.tags = {{0x8100, 12}}}, counting(1500));
  for (const Wrapping& w : wrappings()) {
    Writer out;
    for (const std::uint32_t n : {1, 2})
      for (const Buffer& frame : w.wrap(guest, n)) out.u16(frame.size()).bytes(frame);
    seeds.push_back(out.take());
  }
  return seeds;
}
