// Fuzzes TCP reassembly: each nine bytes of the input are a segment. Every byte must be given once
// or be said to be missing, and the pool must be empty at the end.
#include <cstdlib>

#include "agent/engine/stream/reassembler.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace vmirror;

VMIRROR_FUZZ(bytes) {
  static const test::Buffer content(65536);
  static Reassembler reassembler({.chunks = 16, .held_bytes = 20000, .wait = 30});
  TcpStream stream;
  std::uint64_t given[2] = {}, start[2] = {};
  bool open[2] = {};
  const auto fetch = [&] {
    while (const auto piece = reassembler.next(stream)) {
      given[piece->side] += piece->bytes.size() + piece->gap;
      if (piece->restarted) open[piece->side] = false;
      if (!open[piece->side]) {
        // Its numbers begin where this piece ends.
        given[piece->side] = 0;
        start[piece->side] = stream.side[piece->side].next;
        open[piece->side] = true;
      }
    }
  };
  Cursor cursor(bytes);
  for (Time time = 0; cursor.left() >= 9; ++time) {
    const std::uint8_t what = cursor.u8();
    Segment segment;
    segment.sequence = cursor.u16() + (what & 2 ? 0xffff8000u : 0u) + (what & 4 ? 1u << 30 : 0u);
    segment.acknowledgement = cursor.u16();
    segment.flags = cursor.u8() & 0x17;
    segment.payload = Bytes(content).first(cursor.u16() % 9000);
    segment.wire_size = static_cast<std::uint32_t>(segment.payload.size()) + cursor.u8();
    segment.time = time;
    reassembler.take(stream, what & 1, segment);
    fetch();
  }
  reassembler.flush(stream);
  fetch();
  for (const int side : {0, 1})
    if (open[side] &&
        static_cast<std::uint32_t>(start[side] + given[side]) != stream.side[side].next)
      std::abort();
  if (reassembler.chunks_in_use() != 0) std::abort();
  reassembler.close(stream);
}

VMIRROR_SEEDS() {
  return {test::hex("00 0001 0000 10 0064 00  00 00c9 0000 10 0064 00  01 0001 0200 10 0000 00"
                    "00 0065 0000 10 0064 00"),
          test::hex("00 0001 0000 02 0000 00  01 0001 0002 12 0000 00  00 0002 0002 10 2000 10"
                    "02 7fff 0000 10 0100 00  02 0000 0000 11 0001 00  01 0000 0000 04 0000 00")};
}
