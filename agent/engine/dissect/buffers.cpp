#include "agent/engine/dissect/buffers.hpp"

namespace vmirror {

Buffers::Buffers(BufferLimits limits) {
  const auto make = [](std::uint32_t size, std::uint32_t first, std::uint32_t count) {
    Class made{size, first, count, 0, 0, nullptr, {}};
    // Not set to zero: pages that are never used are never there.
    made.memory.reset(new std::uint8_t[std::size_t{size} * count]);
    made.free.reserve(count);
    return made;
  };
  small_ = make(kSmall, 1, limits.small);
  large_ = make(kLarge, 1 + limits.small, limits.large);
  released_.reserve(limits.small + limits.large);
}

std::uint32_t Buffers::acquire(std::uint32_t size) {
  if (size > kLarge) return 0;
  Class& from = size <= kSmall ? small_ : large_;
  if (!from.free.empty()) {
    const std::uint32_t handle = from.free.back();
    from.free.pop_back();
    return handle;
  }
  if (from.fresh < from.count) return from.first + from.fresh++;
  ++from.refused;
  return 0;
}

std::span<std::uint8_t> Buffers::bytes(std::uint32_t handle) {
  const Class& in = class_of(handle);
  return {in.memory.get() + std::size_t{in.size} * (handle - in.first), in.size};
}

void Buffers::release(std::uint32_t handle) {
  if (handle != 0) released_.push_back(handle);
}

void Buffers::settle() {
  for (const std::uint32_t handle : released_) class_of(handle).free.push_back(handle);
  released_.clear();
}

}  // namespace vmirror
