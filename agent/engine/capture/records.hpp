// Records of a capture file as frames: what the readers of pcap and pcapng have in common. They are
// functions of the bytes alone; files, gzip and memory are file.cpp's.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>

#include "agent/model/frame.hpp"
#include "plugin/base/result.hpp"

namespace vmirror {

/// How far one call of `RecordReader::read` came.
struct Progress {
  enum class Stop : std::uint8_t {
    batch_full,  ///< Or the records that are left out change their link type.
    need_more,   ///< The window ends within a record, or right behind one.
    corrupt,     ///< `what` is wrong with the record at `consumed`.
  };
  Stop stop = Stop::need_more;
  std::size_t frames = 0;         ///< Written to the front of the batch.
  std::uint64_t unsupported = 0;  ///< Records left out for their link type.
  std::uint16_t linktype = 0;     ///< Of those: this one, all of them.
  std::uint64_t consumed = 0;     ///< Bytes done with; may pass the window's end: skip to there.
  std::size_t need = 1;           ///< need_more: bytes from `consumed` on that make the next step.
  const char* what = "";
};

/// Records longer than this are taken for corruption.
constexpr std::size_t kMaxRecord = 1 << 20;
/// Those of link types that we leave out may be longer.
constexpr std::size_t kMaxForeignRecord = 128 << 20;

/// Takes a frame check sequence of `size` bytes off: it is no part of what the sender sent.
inline void take_off_fcs(Frame& frame, std::uint32_t size) {
  frame.wire_size -= std::min(size, frame.wire_size);
  frame.bytes = frame.bytes.first(std::min<std::size_t>(frame.bytes.size(), frame.wire_size));
}

class RecordReader {
 public:
  virtual ~RecordReader() = default;
  /// Reads the records of `window`, which begins where the last call's `consumed` ended, or at the
  /// file's first byte. The frames borrow from it.
  virtual Progress read(Bytes window, std::span<Frame> batch) = 0;
};

/// The reader for the format that a file's first bytes name, or null: no capture. 4 bytes are
/// enough.
std::unique_ptr<RecordReader> reader_for(Bytes first, std::uint16_t input);

}  // namespace vmirror
