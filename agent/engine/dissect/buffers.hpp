// Buffers for messages that come in several segments: a fixed number of small and of large ones for
// all flows of a worker. A buffer that is given back stays readable until `settle`.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "plugin/base/cursor.hpp"

namespace vmirror {

/// How many buffers a worker has. Their memory is touched only as far as it is used.
struct BufferLimits {
  std::uint32_t small = 4096;  ///< Of Buffers::kSmall bytes each.
  std::uint32_t large = 128;   ///< Of Buffers::kLarge bytes each.
};

/// How much of one size is in use.
struct BufferUse {
  std::uint32_t count = 0;    ///< There are so many.
  std::uint32_t used = 0;     ///< Of these; what was released counts until `settle`.
  std::uint64_t refused = 0;  ///< Times that none was free.
};

class Buffers {
 public:
  static constexpr std::uint32_t kSmall = 2048, kLarge = 65536;  ///< bytes

  explicit Buffers(BufferLimits limits);

  /// A buffer of at least `size` bytes; 0 when none is free, or `size` is over kLarge.
  std::uint32_t acquire(std::uint32_t size);
  /// The whole buffer.
  std::span<std::uint8_t> bytes(std::uint32_t handle);
  void release(std::uint32_t handle);
  /// Makes what was released usable again.
  void settle();

  BufferUse small() const { return use_of(small_); }
  BufferUse large() const { return use_of(large_); }

 private:
  /// Buffers of one size; handles are first + 0..count.
  struct Class {
    std::uint32_t size = 0, first = 0, count = 0;
    std::uint32_t fresh = 0;  ///< Those below were in use at least once.
    std::uint64_t refused = 0;
    std::unique_ptr<std::uint8_t[]> memory;
    std::vector<std::uint32_t> free;
  };
  static BufferUse use_of(const Class& of) {
    return {of.count, of.fresh - static_cast<std::uint32_t>(of.free.size()), of.refused};
  }
  Class& class_of(std::uint32_t handle) { return handle < large_.first ? small_ : large_; }

  Class small_, large_;
  std::vector<std::uint32_t> released_;
};

}  // namespace vmirror
