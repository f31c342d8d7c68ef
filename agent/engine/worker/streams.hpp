// The TCP flows of one worker whose protocol is read: reassembly and dissecting of each, side by
// side, in a bounded number. The flow table keeps a flow's handle here.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "agent/engine/dissect/dissection.hpp"
#include "agent/engine/stream/reassembler.hpp"
#include "agent/engine/worker/handover.hpp"

namespace vmirror {

/// One thread. No allocation after construction.
class Streams {
 public:
  /// `dissection` must outlive this.
  Streams(Dissection& dissection, ReassemblyLimits limits, std::uint32_t max_streams);
  ~Streams();
  Streams(const Streams&) = delete;
  Streams& operator=(const Streams&) = delete;

  /// A stream for a flow of this dissector (or undecided). 0: none is free, counted.
  std::uint32_t open(DissectorId dissector);
  struct Taken {
    /// What became of the flow's dissector. Not is_read: the stream is closed and its handle void.
    DissectorId dissector;
    bool turned;  ///< Client and server are the other way round: the flow must be turned.
  };
  /// A segment of the client (`to_server`) or the server. `make_context` gives the Context of who
  /// sent it: asked for where there is something to read, which most acknowledgements have not.
  template <typename MakeContext>
  Taken take(std::uint32_t stream, const Segment& segment, bool to_server,
             MakeContext&& make_context, Facts& facts) {
    TcpStream& tcp = streams_[stream].tcp;
    reassembler_.take(tcp, to_server ? 0 : 1, segment);
    const std::optional<Piece> first = reassembler_.next(tcp);
    if (!first) return {streams_[stream].conversation.dissector, false};
    return read_from(stream, *first, make_context(), facts);
  }
  /// The flow's end: what waits behind holes is still read. `context` is of the client.
  void close(std::uint32_t stream, const Context& context, Facts& facts);

  // -- for guests that move --
  /// The stream as a value; its dissector apart.
  HandedStream save(std::uint32_t stream);
  DissectorId dissector(std::uint32_t stream) const {
    return streams_[stream].conversation.dissector;
  }
  /// By whose name the stream's flow goes.
  DissectorId application(std::uint32_t stream) const {
    return streams_[stream].conversation.application();
  }
  /// Goes on where `given` was. A side of which bytes were read here already stays as it is. The
  /// stream's dissector becomes `dissector` where it was not found here yet.
  void adopt(std::uint32_t stream, DissectorId dissector, const HandedStream& given);
  /// Client and server change places.
  void turn(std::uint32_t stream);
  /// The flow goes on elsewhere: what waits here is not read.
  void forget(std::uint32_t stream) { release(stream); }

  std::uint32_t used() const { return used_; }
  std::uint32_t capacity() const { return max_; }
  std::uint64_t overflowed() const { return overflowed_; }
  const Reassembler& reassembler() const { return reassembler_; }

 private:
  struct Stream {
    TcpStream tcp;
    Conversation conversation;
    std::uint32_t next_free = 0;
  };
  Taken read_from(std::uint32_t handle, const Piece& first, const Context& context, Facts& facts);
  void read(Stream& stream, std::optional<Piece> piece, const Context& context, Facts& facts);
  void release(std::uint32_t handle);

  Dissection& dissection_;
  Reassembler reassembler_;
  Stream* streams_;  ///< Memory of max_ + 1, made as used; [0] is none.
  std::uint32_t max_;
  std::uint32_t fresh_ = 1;  ///< Those below were in use at least once.
  std::uint32_t free_ = 0;
  std::uint32_t used_ = 0;
  std::uint64_t overflowed_ = 0;
};

}  // namespace vmirror
