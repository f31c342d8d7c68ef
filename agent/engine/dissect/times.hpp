// Times as protocols have them, in nanoseconds since 1970.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

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

/// RFC 5905, section 6: seconds[4] since 1900 and a fraction[4], of the era that is near: a first
/// bit of 0 is after 2036 (RFC 4330, section 3). 0: it says none.
inline Time ntp_time(std::uint64_t stamp) {
  constexpr Time kFrom1900To1970 = 2'208'988'800, kEra = Time{1} << 32;
  if (stamp == 0) return 0;
  const Time era = stamp >> 63 == 0 ? kEra : 0;
  const Time seconds = static_cast<Time>(stamp >> 32) + era - kFrom1900To1970;
  return seconds * kSecond + static_cast<Time>((stamp & 0xffffffff) * 1'000'000'000 >> 32);
}

/// FILETIME: 100 ns each since 1601 ([MS-DTYP], section 2.3.3). Nothing: not of 1970 to 2199.
inline std::optional<Time> filetime(std::uint64_t ticks) {
  constexpr std::uint64_t kFrom1601To1970 = 116'444'736'000'000'000;
  constexpr std::uint64_t kTo2200 = 189'023'328'000'000'000;
  if (ticks < kFrom1601To1970 || ticks >= kTo2200) return std::nullopt;
  return static_cast<Time>((ticks - kFrom1601To1970) * 100);
}

/// GeneralizedTime as DER and Kerberos have it: "20260102030405Z" (RFC 4120, section 5.2.3).
/// Nothing: it is none, or not of 1970 to 2199.
inline std::optional<Time> generalized_time(std::string_view text) {
  if (text.size() != 15 || text[14] != 'Z') return std::nullopt;
  const auto digits = [&](std::size_t from, std::size_t count) {
    int out = 0;
    for (const char c : text.substr(from, count))
      out = c < '0' || c > '9' || out < 0 ? -1 : out * 10 + (c - '0');
    return out;
  };
  const int year = digits(0, 4), hour = digits(8, 2), minute = digits(10, 2),
            second = digits(12, 2);
  const int month = digits(4, 2), day = digits(6, 2);
  if (month < 1 || day < 1) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (year < 1970 || year > 2199 || !date.ok() || hour < 0 || hour > 23 || minute < 0 ||
      minute > 59 || second < 0 || second > 60)
    return std::nullopt;
  const Time days = std::chrono::sys_days(date).time_since_epoch().count();
  return (((days * 24 + hour) * 60 + minute) * 60 + second) * kSecond;
}

}  // namespace vmirror
