// Times as protocols have them, in nanoseconds since 1970.
#pragma once

#include <optional>

#include "plugin/base/clock.hpp"
#include "plugin/base/cursor.hpp"

namespace vmirror {

/// IEC 61850-7-2, TimeStamp (and IEC 61850-8-1, UtcTime).
///
///   | seconds since 1970[4] | fraction of a second, 1/2^24[3] | quality[1] |
struct UtcTime {
  Time time = 0;
  std::uint8_t quality = 0;
};
/// Nothing: it has not eight bytes.
inline std::optional<UtcTime> utc_time(Bytes bytes) {
  if (bytes.size() != 8) return std::nullopt;
  const Time seconds = load_be32(bytes.data());
  const std::uint64_t fraction = load_be32(bytes.data() + 4) >> 8;
  return UtcTime{seconds * kSecond + static_cast<Time>(fraction * 1'000'000'000 >> 24), bytes[7]};
}

}  // namespace vmirror
