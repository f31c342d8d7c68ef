// Sequence numbers live on a circle of 2^32 (RFC 9293, section 3.4): they are compared by the sign
// of their difference.
//
//            next              head
//   ...bytes  | hole           | chunk | chunk | hole | chunk |
//   given on  |                held, in order of sequence; never overlapping
#include "agent/engine/stream/reassembler.hpp"

#include <algorithm>
#include <cstring>

#include "agent/engine/wire/packet.hpp"

namespace vmirror {
namespace {

/// How far `a` is behind `b`, in bytes; negative: in front of it.
std::int32_t distance(std::uint32_t a, std::uint32_t b) {
  return static_cast<std::int32_t>(a - b);
}

void allow_holes_to(TcpStream::Side& side, std::uint32_t sequence) {
  if (side.has_passable && distance(sequence, side.passable) <= 0) return;
  side.passable = sequence;
  side.has_passable = true;
}

}  // namespace

Reassembler::Reassembler(ReassemblyLimits limits)
    : limits_(limits), chunks_(new Chunk[std::size_t{limits.chunks} + 1]) {}

void Reassembler::Run::drop_front(std::uint32_t size) {
  sequence += size;
  wire_size -= size;
  bytes = bytes.subspan(std::min<std::size_t>(size, bytes.size()));
}

std::uint32_t Reassembler::allocate() {
  std::uint32_t chunk = free_;
  if (chunk != 0) {
    free_ = chunks_[chunk].next;
  } else if (fresh_ <= limits_.chunks) {
    chunk = fresh_++;
  } else {
    return 0;
  }
  ++in_use_;
  return chunk;
}

void Reassembler::free(std::uint32_t chunk) {
  chunks_[chunk].next = free_;
  free_ = chunk;
  --in_use_;
}

void Reassembler::drop(Side& side) {
  while (const std::uint32_t chunk = side.head) {
    side.head = chunks_[chunk].next;
    free(chunk);
  }
  side.held = 0;
}

void Reassembler::close(TcpStream& stream) {
  for (Side& side : stream.side) {
    drop(side);
    side = Side{};
  }
}

SavedSide Reassembler::save(const TcpStream& stream, int index) const {
  const Side& side = stream.side[static_cast<std::size_t>(index)];
  SavedSide out;
  if (!side.open) return out;
  out.open = true;
  out.next = side.next;
  if (side.has_passable) out.passable = side.passable;
  out.since = side.since;
  for (std::uint32_t at = side.head; at != 0; at = chunks_[at].next) {
    const Chunk& chunk = chunks_[at];
    out.held.push_back({chunk.sequence, chunk.wire_size, {chunk.bytes, chunk.bytes + chunk.size}});
  }
  return out;
}

void Reassembler::restore(TcpStream& stream, int index, const SavedSide& saved) {
  Side& side = stream.side[static_cast<std::size_t>(index)];
  drop(side);
  side = Side{};
  if (!saved.open) return;
  side.open = true;
  side.next = saved.next;
  side.passable = saved.passable.value_or(0);
  side.has_passable = saved.passable.has_value();
  side.since = saved.since;
  std::uint32_t* link = &side.head;
  std::uint32_t end = side.next;
  for (const SavedSide::Run& run : saved.held) {
    const bool in_order = distance(run.sequence, end) >= 0 && run.wire_size >= run.bytes.size() &&
                          run.wire_size < kWindow &&
                          distance(run.sequence, side.next) < static_cast<std::int32_t>(kWindow);
    if (!in_order || run.wire_size == 0) continue;
    direct_ = {run.sequence, run.wire_size, run.bytes};
    while (direct_.wire_size > 0) {
      const std::uint32_t most = direct_.bytes.empty() ? direct_.wire_size : kChunk;
      if (!store(side, link, std::min(direct_.wire_size, most))) break;
      link = &chunks_[*link].next;
    }
    end = direct_.sequence;
  }
  direct_ = {};
}

void Reassembler::flush(TcpStream& stream) {
  for (Side& side : stream.side) {
    for (std::uint32_t at = side.head; at != 0; at = chunks_[at].next)
      allow_holes_to(side, chunks_[at].sequence);
  }
}

/// Where the side's numbers begin: at its SYN, else at the first bytes seen.
void Reassembler::synchronise(Side& side, const Segment& segment, int index) {
  const bool syn = (segment.flags & tcp_flag::kSyn) != 0;
  const std::uint32_t first = segment.sequence + (syn ? 1 : 0);
  if (side.open) {
    // The SYN of this connection comes again from behind; that of another comes from anywhere.
    const std::int32_t behind = distance(side.next, first);
    if (!syn || (behind >= 0 && behind < static_cast<std::int32_t>(kWindow))) return;
    ++counters_.restarted;
    restarted_[index] = true;
    drop(side);
  } else if (!syn) {
    if (segment.wire_size == 0) return;
    ++counters_.midstream;
  }
  side = Side{};
  side.open = true;
  side.next = first;
}

/// A segment too far from what is to come is ignored, unless several in a row say that the stream
/// went on elsewhere.
bool Reassembler::is_stray(Side& side, const Run& run, int index) {
  const std::int32_t ahead = distance(run.sequence, side.next);
  const auto window = static_cast<std::int32_t>(kWindow);
  if (ahead < window && ahead > -window) {
    side.strays = 0;
    return false;
  }
  if (++side.strays < kMaxStrays) {
    ++counters_.out_of_window;
    return true;
  }
  ++counters_.restarted;
  restarted_[index] = true;
  drop(side);
  side = Side{};
  side.open = true;
  side.next = run.sequence;
  return false;
}

void Reassembler::take(TcpStream& stream, int side_index, const Segment& segment) {
  Side& side = stream.side[side_index];
  Side& other = stream.side[1 - side_index];
  now_ = segment.time;
  direct_ = {};
  direct_side_ = side_index;
  missing_ = 0;

  synchronise(side, segment, side_index);
  for (Side& each : stream.side)  // What lies behind is forgotten before the numbers come around.
    if (distance(each.passable, each.next) <= 0) each.has_passable = false;
  if ((segment.flags & tcp_flag::kAck) && other.open &&
      distance(segment.acknowledgement, other.next) < static_cast<std::int32_t>(kWindow))
    allow_holes_to(other, segment.acknowledgement);

  const auto captured = static_cast<std::uint32_t>(segment.payload.size());
  Run run{segment.sequence + ((segment.flags & tcp_flag::kSyn) ? 1 : 0),
          std::max(segment.wire_size, captured), segment.payload};
  if (run.wire_size > 0 && side.open) {
    ++counters_.segments;
    if (!is_stray(side, run, side_index)) {
      direct_ = run;
      const std::int32_t ahead = distance(run.sequence, side.next);
      if (ahead > 0) {
        ++counters_.out_of_order;
        if (side.head == 0) side.since = now_;
        hold(side);
      } else if (-ahead >= static_cast<std::int32_t>(run.wire_size)) {
        ++counters_.retransmitted;
      }
    }
  }
  if (segment.flags & tcp_flag::kRst) flush(stream);
  for (Side& each : stream.side) {
    each.since = as_of(each.since, now_);
    if (each.head == 0 || now_ - each.since < limits_.wait) continue;
    if (each.has_passable && distance(each.passable, chunks_[each.head].sequence) >= 0) continue;
    ++counters_.limit_wait;
    allow_holes_to(each, chunks_[each.head].sequence);
  }
}

/// Drops the front of the segment that is held already; the first copy stays. Returns the link
/// where the rest belongs.
std::uint32_t* Reassembler::covered_until(Side& side) {
  std::uint32_t* link = &side.head;
  while (*link != 0) {
    const Chunk& chunk = chunks_[*link];
    if (distance(chunk.sequence, direct_.sequence) > 0) break;
    const std::int32_t covered = distance(chunk.sequence + chunk.wire_size, direct_.sequence);
    if (covered > 0) {
      const auto size = std::min(static_cast<std::uint32_t>(covered), direct_.wire_size);
      counters_.overlapped_bytes += std::min<std::size_t>(size, direct_.bytes.size());
      direct_.drop_front(size);
    }
    link = &chunks_[*link].next;
  }
  return link;
}

/// Puts the first `size` bytes of the segment into the chain. False when a bound forbids it.
bool Reassembler::store(Side& side, std::uint32_t* link, std::uint32_t size) {
  if (side.held + size > limits_.held_bytes) {
    ++counters_.limit_bytes;
    return false;
  }
  const std::uint32_t index = allocate();
  if (index == 0) {
    ++counters_.limit_chunks;
    return false;
  }
  Chunk& chunk = chunks_[index];
  chunk.next = *link;
  chunk.sequence = direct_.sequence;
  chunk.wire_size = size;
  chunk.size = static_cast<std::uint32_t>(std::min<std::size_t>(size, direct_.bytes.size()));
  if (chunk.size > 0) std::memcpy(chunk.bytes, direct_.bytes.data(), chunk.size);
  *link = index;
  side.held += size;
  direct_.drop_front(size);
  return true;
}

/// Keeps the segment, which lies behind a hole. What a bound forbids to keep stays in `direct_`,
/// and all holes in front of it are given up, so that it follows at once.
void Reassembler::hold(Side& side) {
  for (;;) {
    std::uint32_t* link = covered_until(side);
    std::uint32_t size = direct_.wire_size;
    if (size == 0) return;
    if (*link != 0) size = std::min(size, chunks_[*link].sequence - direct_.sequence);
    if (!direct_.bytes.empty()) size = std::min(size, kChunk);
    if (!store(side, link, size)) {
      allow_holes_to(side, direct_.sequence);
      return;
    }
  }
}

Piece Reassembler::gap(Side& side, int index, std::uint32_t size) {
  ++counters_.gaps;
  counters_.gap_bytes += size;
  side.next += size;
  side.since = now_;
  return {index, {}, size, false};
}

std::optional<Piece> Reassembler::next_of(Side& side, int index) {
  if (restarted_[index]) {
    restarted_[index] = false;
    return Piece{index, {}, 0, true};
  }
  if (missing_ > 0 && missing_side_ == index) {
    const std::uint32_t size = missing_;
    missing_ = 0;
    counters_.truncated_bytes += size;
    return gap(side, index, size);
  }
  Run* direct = index == direct_side_ && direct_.wire_size > 0 ? &direct_ : nullptr;
  if (direct) {
    const std::int32_t passed = distance(side.next, direct->sequence);
    if (passed > 0) {
      const auto size = std::min(static_cast<std::uint32_t>(passed), direct->wire_size);
      counters_.overlapped_bytes += std::min<std::size_t>(size, direct->bytes.size());
      direct->drop_front(size);
      if (direct->wire_size == 0) direct = nullptr;
    }
  }
  if (!direct && side.head == 0) return std::nullopt;

  const Chunk* chunk = side.head != 0 ? &chunks_[side.head] : nullptr;
  const bool chunk_first = chunk && (!direct || distance(chunk->sequence, direct->sequence) <= 0);
  const std::uint32_t start = chunk_first ? chunk->sequence : direct->sequence;
  if (start != side.next) {
    if (!side.has_passable || distance(side.passable, start) < 0) return std::nullopt;
    return gap(side, index, start - side.next);
  }
  Run run = chunk_first ? Run{start, chunk->wire_size, {chunk->bytes, chunk->size}} : *direct;
  if (chunk_first) {
    const std::uint32_t used = side.head;
    side.head = chunk->next;
    side.held -= run.wire_size;
    free(used);
  } else {
    if (chunk) {  // What is held came first: pass on only what is in front of it.
      run.wire_size = std::min(run.wire_size, chunk->sequence - start);
      run.bytes = run.bytes.first(std::min<std::size_t>(run.bytes.size(), run.wire_size));
    }
    direct->drop_front(run.wire_size);
  }
  const auto size = static_cast<std::uint32_t>(run.bytes.size());
  missing_ = run.wire_size - size;
  missing_side_ = index;
  side.next += size;
  if (size == 0) return next_of(side, index);
  return Piece{index, run.bytes, 0, false};
}

std::optional<Piece> Reassembler::next(TcpStream& stream) {
  for (const int index : {1 - direct_side_, direct_side_}) {
    if (auto piece = next_of(stream.side[index], index)) return piece;
  }
  return std::nullopt;
}

}  // namespace vmirror
