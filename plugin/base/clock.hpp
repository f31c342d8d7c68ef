// Time as vmirror passes it: an argument of everything that is not the shell.
#pragma once

#include <cstdint>
#include <string>

namespace vmirror {

/// Nanoseconds since 1970-01-01 UTC: a frame's time, a record's time, an expiry.
using Time = std::int64_t;
constexpr Time kSecond = 1'000'000'000;
constexpr Time kMillisecond = 1'000'000;

/// The wall clock. Only shells (threads, mains) call it.
Time wall_clock();

// A clock can be set back: a machine boots two hours ahead, then NTP corrects it. One rule for all
// that keeps times and compares them with `now`: a stamp more than kClockSlack ahead of `now` is
// from before the clock was set back, and counts as of `now`. Less is frames that come out of
// order.
constexpr Time kClockSlack = 60 * kSecond;
/// Stamped before the clock was set back to `now`.
constexpr bool is_ahead(Time stamp, Time now) {
  return stamp - now > kClockSlack;
}
/// The stamp as it counts at `now`.
constexpr Time as_of(Time stamp, Time now) {
  return is_ahead(stamp, now) ? now : stamp;
}
/// Which of two was last seen earlier, for what gives way to something new at `now`: what was seen
/// only before the clock was set back was seen before all that was seen since.
constexpr bool seen_earlier(Time a, Time b, Time now) {
  return is_ahead(a, now) != is_ahead(b, now) ? is_ahead(a, now) : a < b;
}

/// RFC 3339 in UTC with microseconds: 2026-01-02T03:04:05.678901Z
std::string format_time(Time time);

}  // namespace vmirror
