// Time as vmirror passes it: an argument of everything that is not the shell.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace vmirror {

/// Nanoseconds since 1970-01-01 UTC: a frame's time, a record's time, an expiry.
using Time = std::int64_t;
constexpr Time kSecond = 1'000'000'000;
constexpr Time kMillisecond = 1'000'000;

/// The wall clock. Only shells (threads, mains) call it.
inline Time wall_clock() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

/// RFC 3339 in UTC with microseconds: 2026-01-02T03:04:05.678901Z
std::string format_time(Time time);

}  // namespace vmirror
