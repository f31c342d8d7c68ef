// TCP reassembly (RFC 9293, section 3.10.7.4): segments in, each direction's bytes in order out.
// For a passive observer: what the receiver acknowledged but no copy shows is a gap and is passed
// over; nothing is waited for longer than its bounds. What is in order is passed on as the frame's
// own bytes; only what is ahead of a hole is copied, into chunks of a pool shared by all streams of
// a worker.
//
//   reassembler.take(stream, side, segment);
//   while (const auto piece = reassembler.next(stream)) ... piece->side, piece->bytes or piece->gap
//
// One thread. No allocation after construction.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "plugin/base/clock.hpp"
#include "plugin/base/cursor.hpp"

namespace vmirror {

struct ReassemblyLimits {
  std::uint32_t chunks = 4096;  ///< Of Reassembler::kChunk bytes, for all streams of the worker.
  std::uint32_t held_bytes = 128 << 10;  ///< Held ahead of a hole, per direction.
  Time wait = 3 * kSecond;               ///< For a hole to be filled.
};

struct ReassemblyCounters {
  std::uint64_t segments = 0;             ///< With payload.
  std::uint64_t out_of_order = 0;         ///< Of those, held for a while.
  std::uint64_t retransmitted = 0;        ///< Of those, with nothing new.
  std::uint64_t overlapped_bytes = 0;     ///< Bytes that came again; the first copy is used.
  std::uint64_t gaps = 0, gap_bytes = 0;  ///< Never seen: mirror loss.
  std::uint64_t truncated_bytes = 0;      ///< Of gap_bytes: cut off by the mirror.
  std::uint64_t midstream = 0;            ///< Directions picked up without their SYN.
  std::uint64_t restarted = 0;            ///< A new SYN on a stream that was open.
  std::uint64_t out_of_window = 0;        ///< Segments too far off, ignored.
  std::uint64_t limit_bytes = 0;          ///< Times that a hole was given up for held_bytes
  std::uint64_t limit_chunks = 0;         ///< ... for want of chunks
  std::uint64_t limit_wait = 0;           ///< ... after `wait`
};

/// One TCP segment as captured.
struct Segment {
  std::uint32_t sequence = 0, acknowledgement = 0;
  std::uint8_t flags = 0;       ///< tcp_flag
  std::uint32_t wire_size = 0;  ///< Payload that the wire had; more than `payload` in a cut copy.
  Bytes payload;
  Time time = 0;
};

/// Both directions of one TCP flow. Plain data; must be given to `Reassembler::close` before it is
/// forgotten. Side 0 is the client.
struct TcpStream {
  struct Side {
    std::uint32_t next = 0;   ///< Sequence number that is to come.
    std::uint32_t acked = 0;  ///< Up to where the receiver has it; valid with has_acked.
    std::uint32_t head = 0;   ///< First chunk held, in order of sequence; 0: none.
    std::uint32_t held = 0;   ///< Bytes held.
    Time since = 0;           ///< When the hole in front of `head` was first seen.
    bool open = false, has_acked = false, skip_hole = false;
    std::uint8_t strays = 0;  ///< Segments in a row that were out of the window.
  };
  std::array<Side, 2> side;
};

/// The next of a stream: bytes in order, or a hole.
struct Piece {
  int side = 0;
  Bytes bytes;             ///< Empty for a hole.
  std::uint32_t gap = 0;   ///< Bytes missing; 0: none.
  bool restarted = false;  ///< A new connection begins: what was held of the old one is void.
};

class Reassembler {
 public:
  static constexpr std::uint32_t kChunk = 2048;       ///< bytes
  static constexpr std::uint32_t kWindow = 16 << 20;  ///< Ahead or behind: further off is a stray.
  static constexpr int kMaxStrays = 3;  ///< In a row: then they are right and we are wrong.

  explicit Reassembler(ReassemblyLimits limits = {});

  /// Takes a segment that `side` sent. All pieces that it gives must be fetched with `next` before
  /// the next call.
  void take(TcpStream& stream, int side, const Segment& segment);
  /// The next piece, of either side: first what the segment acknowledged, then its own. Its bytes
  /// are the segment's, or the pool's, and good until the next call of `take`.
  std::optional<Piece> next(TcpStream& stream);
  /// Gives up all holes, so that `next` gives what is held: at a flow's end.
  void flush(TcpStream& stream);
  /// Drops what the stream holds.
  void close(TcpStream& stream);

  const ReassemblyCounters& counters() const { return counters_; }
  /// Chunks in use now.
  std::uint32_t chunks_in_use() const { return in_use_; }

 private:
  struct Chunk {
    std::uint32_t next = 0;
    std::uint32_t sequence = 0;
    std::uint32_t size = 0;       ///< Bytes here.
    std::uint32_t wire_size = 0;  ///< Bytes that the wire had from `sequence` on.
    std::uint8_t bytes[kChunk - 16];
  };

  void open(TcpStream::Side& side, const Segment& segment);
  void hold(TcpStream::Side& side, std::uint32_t sequence, Bytes bytes, std::uint32_t wire_size);
  bool insert(TcpStream::Side& side, std::uint32_t* link, std::uint32_t sequence, Bytes bytes,
              std::uint32_t wire_size);
  void review(TcpStream::Side& side, Time now);
  std::optional<Piece> next_of(TcpStream::Side& side, int index);
  void drop(TcpStream::Side& side);

  ReassemblyLimits limits_;
  ReassemblyCounters counters_;
  std::unique_ptr<Chunk[]> chunks_;  ///< [0] is no chunk.
  std::uint32_t fresh_ = 1;          ///< Chunks below were in use at least once.
  std::uint32_t free_ = 0;           ///< Chain of those given back.
  std::uint32_t in_use_ = 0;

  // What the last `take` gave that was not fetched yet.
  Bytes direct_;
  std::uint32_t direct_missing_ = 0;
  int direct_side_ = 0;
  std::array<bool, 2> restarted_{};
};

}  // namespace vmirror
