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
  std::uint32_t chunks = 4096;           ///< 2 KiB each, for all streams of the worker.
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
    std::uint32_t next = 0;      ///< Sequence number that is to come.
    std::uint32_t passable = 0;  ///< Holes up to here are passed over: the receiver acknowledged
                                 ///< them, or a bound was reached. Valid with has_passable.
    std::uint32_t head = 0;      ///< First chunk held, in order of sequence; 0: none.
    std::uint32_t held = 0;      ///< Bytes held.
    Time since = 0;              ///< When the hole in front of `head` was first seen.
    bool open = false, has_passable = false;
    std::uint8_t strays = 0;  ///< Segments in a row that were out of the window.
  };
  std::array<Side, 2> side;
};

/// One direction of a TcpStream as a value of its own: what another reassembler needs to go on.
struct SavedSide {
  /// Bytes held ahead of a hole.
  struct Run {
    std::uint32_t sequence = 0;
    std::uint32_t wire_size = 0;  ///< Bytes that the wire had; at least `bytes`.
    std::vector<std::uint8_t> bytes;
    bool operator==(const Run&) const = default;
  };
  bool open = false;  ///< False: nothing of it was seen, and the rest says nothing.
  std::uint32_t next = 0;
  std::optional<std::uint32_t> passable;
  Time since = 0;
  std::vector<Run> held;  ///< In order of sequence, none before `next`, none overlapping.
  bool operator==(const SavedSide&) const = default;
};

/// The next of a stream: bytes in order, or a hole.
struct Piece {
  int side = 0;
  Bytes bytes;             ///< Empty for a hole and for a restart.
  std::uint32_t gap = 0;   ///< Bytes that will never be seen; 0: not a hole.
  bool restarted = false;  ///< Another connection begins: what came before is not continued.
};

class Reassembler {
 public:
  static constexpr std::uint32_t kChunk = 2032;       ///< Bytes of payload in a chunk.
  static constexpr std::uint32_t kWindow = 16 << 20;  ///< Bytes ahead or behind that are believed.
  static constexpr int kMaxStrays = 3;  ///< Segments out of it in a row: then they are right.

  explicit Reassembler(ReassemblyLimits limits = {});

  /// Takes a segment that `side` sent. All pieces that it gives must be fetched with `next` before
  /// the next call.
  void take(TcpStream& stream, int side, const Segment& segment);
  /// The next piece, of either side: first what the segment acknowledged, then its own. Its bytes
  /// are the segment's, or the pool's and then good until the next call of `take`.
  std::optional<Piece> next(TcpStream& stream);
  /// Gives up all holes, so that `next` gives what is held: at a flow's end.
  void flush(TcpStream& stream);
  /// Drops what the stream holds.
  void close(TcpStream& stream);

  /// One direction as a value.
  SavedSide save(const TcpStream& stream, int side) const;
  /// Goes on where `saved` was, in place of what this direction holds: the next segment fits
  /// without a gap where it is the next of `saved`. A run that contradicts its order or finds no
  /// room is left out: a hole, as any other.
  void restore(TcpStream& stream, int side, const SavedSide& saved);

  const ReassemblyCounters& counters() const { return counters_; }
  /// Chunks that hold bytes now.
  std::uint32_t chunks_in_use() const { return in_use_; }

 private:
  using Side = TcpStream::Side;
  struct Chunk {
    std::uint32_t next;  ///< In the side's chain, or in the chain of free ones.
    std::uint32_t sequence;
    std::uint32_t size;       ///< Bytes here.
    std::uint32_t wire_size;  ///< Bytes that the wire had from `sequence` on.
    std::uint8_t bytes[kChunk];
  };
  /// A part of a segment; `bytes` are the front of `wire_size`.
  struct Run {
    std::uint32_t sequence = 0;
    std::uint32_t wire_size = 0;
    Bytes bytes;
    void drop_front(std::uint32_t size);
  };

  void synchronise(Side& side, const Segment& segment, int index);
  bool is_stray(Side& side, const Run& run, int index);
  void hold(Side& side);
  std::uint32_t* covered_until(Side& side);
  bool store(Side& side, std::uint32_t* link, std::uint32_t size);
  std::optional<Piece> next_of(Side& side, int index);
  Piece gap(Side& side, int index, std::uint32_t size);
  void drop(Side& side);
  std::uint32_t allocate();
  void free(std::uint32_t chunk);

  ReassemblyLimits limits_;
  ReassemblyCounters counters_;
  std::unique_ptr<Chunk[]> chunks_;  ///< [0] is no chunk.
  std::uint32_t fresh_ = 1;          ///< Chunks below were in use at least once.
  std::uint32_t free_ = 0;           ///< Chain of those given back.
  std::uint32_t in_use_ = 0;

  // What the last `take` left for `next`.
  Time now_ = 0;
  Run direct_;  ///< What of the segment is not held.
  int direct_side_ = 0;
  std::uint32_t missing_ = 0;  ///< Cut off the piece that was given last ...
  int missing_side_ = 0;       ///< ... of this side.
  std::array<bool, 2> restarted_{};
};

}  // namespace vmirror
