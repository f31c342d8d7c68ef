#include "agent/engine/wire/wlan.hpp"

namespace vmirror {

std::optional<WlanHeader> parse_wlan(Bytes frame) {
  constexpr std::size_t kHeader = 24, kAddress = 6, kQos = 2, kHtControl = 4;
  constexpr std::uint8_t kVersion = 0x03, kTypeMask = 0x0c, kData = 0x08, kNoData = 0x40,
                         kHasQos = 0x80, kToDs = 0x01, kFromDs = 0x02, kMoreFragments = 0x04,
                         kProtected = 0x40, kOrder = 0x80, kAggregated = 0x80;
  if (frame.size() < kHeader) return std::nullopt;
  const bool swapped = (frame[0] & kVersion) != 0;
  const std::uint8_t kind = frame[swapped ? 1 : 0], flags = frame[swapped ? 0 : 1];
  const bool fragment = (flags & kMoreFragments) != 0 || (frame[22] & 0x0f) != 0;
  if ((kind & (kVersion | kTypeMask)) != kData || (kind & kNoData) != 0 || fragment ||
      (flags & kProtected) != 0)
    return std::nullopt;
  const bool to = (flags & kToDs) != 0, from = (flags & kFromDs) != 0, qos = (kind & kHasQos) != 0;
  std::size_t size = kHeader + (to && from ? kAddress : 0);
  if (qos) {
    if (frame.size() < size + kQos || (frame[size] & kAggregated) != 0) return std::nullopt;
    size += kQos + ((flags & kOrder) != 0 ? kHtControl : 0);
  }
  if (frame.size() < size) return std::nullopt;
  const std::size_t sender = !from ? 10 : to ? kHeader : 16;
  return WlanHeader{static_cast<std::uint8_t>(size), static_cast<std::uint8_t>(sender)};
}

}  // namespace vmirror
