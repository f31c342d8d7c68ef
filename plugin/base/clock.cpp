#include "plugin/base/clock.hpp"

#include <chrono>
#include <cstdio>
#include <ctime>

namespace vmirror {

Time wall_clock() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string format_time(Time time) {
  Time seconds = time / kSecond;
  Time nanoseconds = time % kSecond;
  if (nanoseconds < 0) {
    nanoseconds += kSecond;
    --seconds;
  }
  const std::time_t t = seconds;
  std::tm tm{};
  gmtime_r(&t, &tm);
  char out[64];
  const std::size_t n = std::strftime(out, sizeof out, "%Y-%m-%dT%H:%M:%S", &tm);
  std::snprintf(out + n, sizeof out - n, ".%06dZ", static_cast<int>(nanoseconds / 1000));
  return out;
}

}  // namespace vmirror
