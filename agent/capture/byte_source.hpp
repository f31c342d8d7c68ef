// A file's bytes from front to back, through a window that moves: mapped, or unpacked from gzip.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "plugin/base/cursor.hpp"
#include "plugin/base/result.hpp"

namespace vmirror {

/// One thread.
class ByteSource {
 public:
  virtual ~ByteSource() = default;

  /// The bytes from the current position on: at least `want`, fewer only where the file ends. Good
  /// until the next call. invalid: the compressed data is broken; unreachable: can't be read.
  virtual Result<Bytes> window(std::size_t want) = 0;
  /// Moves the position on, at most to the end.
  virtual Result<void> skip(std::uint64_t bytes) = 0;
  /// True where the compressed data ended before its end mark.
  virtual bool cut_off() const { return false; }
};

/// Opens a regular file (mapped) or, where it begins as gzip or is a pipe, a stream of it. missing,
/// refused, invalid (a directory, or nothing in it).
Result<std::unique_ptr<ByteSource>> open_bytes(const std::string& path);

}  // namespace vmirror
