// A time in a note for people: "10:00:01.2" (UTC).
#pragma once

#include <string>

#include "plugin/base/clock.hpp"

namespace vmirror {

inline std::string time_of_day(Time time) {
  return format_time(time).substr(11, 10);
}

}  // namespace vmirror
