// A file's bytes from front to back, through a window that moves: a buffer of bounded size that is
// filled by read(2), unpacked on the way where the file is gzip.
//
// Not mapped: a capture is read once, and filling a buffer that stays in the cache costs less than
// half of the page faults of a mapping (55 against 25 million frames of 160 bytes a second), keeps
// memory flat, and a file that is shortened meanwhile ends instead of killing its reader.
#pragma once

#include <zlib.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "plugin/base/cursor.hpp"
#include "plugin/base/result.hpp"

namespace vmirror {

/// One thread.
class ByteSource {
 public:
  /// Opens a file or a pipe. missing, refused, unreachable; invalid: a directory, or a file with
  /// nothing in it.
  static Result<std::unique_ptr<ByteSource>> open(const std::string& path);
  ~ByteSource();
  ByteSource(const ByteSource&) = delete;
  ByteSource& operator=(const ByteSource&) = delete;

  /// The bytes from the current position on: at least `want`, fewer only where the file ends. Good
  /// until the next call. invalid: the compressed data is broken; unreachable: can't be read.
  Result<Bytes> window(std::size_t want);
  /// Moves the position on, at most to the end.
  Result<void> skip(std::uint64_t bytes);
  /// True where the compressed data ended before its end mark.
  bool cut_off() const { return cut_off_; }

 private:
  ByteSource(std::string path, int file) : path_(std::move(path)), file_(file) {}
  Result<void> begin();
  Result<std::size_t> fill(std::uint8_t* to, std::size_t room);
  Result<void> more();
  Result<void> unpack();

  std::string path_;
  int file_;
  std::vector<std::uint8_t> buffer_;  ///< [at_, end_) is the window.
  std::size_t at_ = 0, end_ = 0;
  bool done_ = false;  ///< Nothing comes behind the buffer.

  bool packed_ = false;
  bool between_members_ = false;
  bool cut_off_ = false;
  z_stream unpacker_{};
  std::vector<std::uint8_t> packed_bytes_;  ///< As read; `unpacker_` points into it.
};

}  // namespace vmirror
