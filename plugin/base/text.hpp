// Numbers and times in sentences for people.
#pragma once

#include <cstdint>
#include <string>

#include "plugin/base/clock.hpp"

namespace vmirror {

/// "1 frame", "2 frames"
inline std::string count(std::uint64_t number, const char* what) {
  return std::to_string(number) + " " + what + (number == 1 ? "" : "s");
}

/// In UTC: "2026-01-02T03:04:05Z"
inline std::string clock_text(Time time) {
  return format_time(time).substr(0, 19) + "Z";
}

/// In UTC: "03:04:05.6"
inline std::string time_of_day(Time time) {
  return format_time(time).substr(11, 10);
}

}  // namespace vmirror
