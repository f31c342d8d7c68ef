// Fuzzes the decapsulator on both kinds of input: frames and their bytes lie where they should, no
// frame is lost or counted twice, and the short way for known envelopes gives what the long one
// does. An input is a few frames: | length[2] | bytes[length] |, repeated.
#include <algorithm>
#include <cstdlib>

#include "agent/engine/decap/envelope.hpp"
#include "agent/engine/wire/packet.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "tests/support/encapsulate.hpp"

using namespace vmirror;

namespace {

const DecapOptions kOptions{
    .rspan_vlan = test::kRspanVlan, .max_datagrams = 4, .max_fragment_bytes = 20000};

void must(bool holds) {
  if (!holds) std::abort();
}

/// What the short way makes of a frame must be what the long way makes of it.
void compare(Decapsulator& quick, const Frame& frame, const Decapsulated& expected) {
  Frame inner;
  Packet packet;
  Origin origin;
  const Shortcut shortcut = may_be_erspan2(frame)
                                ? take_known(quick.envelopes(), frame, inner, packet, origin)
                                : Shortcut::none;
  if (shortcut == Shortcut::none) {
    quick.take(frame, parse_packet(frame.bytes, frame.link));
    return;
  }
  if (shortcut == Shortcut::outermost) {
    const Decapsulated taken = quick.take_inner(frame, inner, packet, origin);
    must(taken.status == expected.status && taken.drop == expected.drop);
    must(taken.frames == expected.frames);
    if (taken.status != Decapsulated::Status::frame) return;
    inner = taken.frame;
    packet = taken.packet;
    origin = taken.origin;
    must(std::ranges::equal(inner.bytes, expected.frame.bytes));
  } else {
    must(expected.status == Decapsulated::Status::frame);
    must(inner.bytes.data() == expected.frame.bytes.data());
  }
  must(inner.bytes.size() == expected.frame.bytes.size());
  must(inner.wire_size == expected.frame.wire_size);
  must(inner.stripped == expected.frame.stripped);
  must(packet.payload == expected.packet.payload && packet.error == expected.packet.error);
  must(origin.session == expected.origin.session && origin.vlan == expected.origin.vlan);
  must(origin.sender == expected.origin.sender && origin.depth == expected.origin.depth);
  must(origin.port_index == expected.origin.port_index);
  must(origin.truncated == expected.origin.truncated);
}

void run(Bytes input, bool accept_bare) {
  DecapOptions options = kOptions;
  options.accept_bare = accept_bare;
  Decapsulator decapsulator(options), shortcut(options);
  FrameCounters counters;
  Cursor c(input);
  while (!c.empty()) {
    const std::size_t size = c.u16();
    const Bytes bytes = c.take(std::min(size, c.left()));
    const Frame frame = test::frame_of(bytes, static_cast<Time>(counters.received) * kSecond);
    ++counters.received;
    const Decapsulated d = decapsulator.take(frame, parse_packet(bytes, frame.link));
    compare(shortcut, frame, d);
    if (d.status == Decapsulated::Status::held) continue;
    if (d.status == Decapsulated::Status::drop) {
      counters.drop(d.drop, d.frames);
      continue;
    }
    counters.analysed += d.frames;
    must(d.packet.payload + d.packet.payload_size <= static_cast<int>(d.frame.bytes.size()));
    unsigned sum = 0;
    for (const std::uint8_t byte : d.frame.bytes) sum += byte;  // All of it is readable.
    if (sum == 1) counters.received_bytes += sum;
  }
  counters.drop(Drop::fragment_incomplete, decapsulator.flush());
  must(counters.balanced());
  const auto long_way = decapsulator.sessions(), short_way = shortcut.sessions();
  must(long_way.size() == short_way.size());
  for (std::size_t i = 0; i < long_way.size(); ++i) {
    must(long_way[i].received == short_way[i].received &&
         long_way[i].sequence == short_way[i].sequence);
    must(long_way[i].rule == short_way[i].rule);
    must(long_way[i].bytes == short_way[i].bytes);
  }
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
