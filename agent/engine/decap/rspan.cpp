#include "agent/engine/decap/rspan.hpp"

#include <algorithm>

namespace vmirror {

Frame without_outer_tag(const Frame& frame, std::span<std::uint8_t> buffer) {
  constexpr std::uint32_t kMacs = 12, kTag = 4;
  Frame out = frame;
  if (frame.stripped.present()) {
    out.stripped = {};
    out.wire_size -= kTag;
    return out;
  }
  if (frame.bytes.size() < kMacs + kTag || buffer.size() < kMacs) return out;
  const Bytes rest = frame.bytes.subspan(kMacs + kTag);
  const Bytes kept = rest.first(std::min(rest.size(), buffer.size() - kMacs));
  std::memcpy(buffer.data(), frame.bytes.data(), kMacs);
  if (!kept.empty()) std::memcpy(buffer.data() + kMacs, kept.data(), kept.size());
  out.bytes = buffer.first(kMacs + kept.size());
  out.wire_size -= kTag;
  return out;
}

}  // namespace vmirror
