#include "plugin/net/retry.hpp"

#include <time.h>

#include <algorithm>
#include <charconv>
#include <string>

namespace vmirror::net {

using std::chrono::milliseconds;

std::optional<milliseconds> pause_before_retry(const RetryOptions& options, const Failure& failure,
                                               bool repeatable, int attempts_made,
                                               milliseconds left, double random) {
  if (attempts_made >= options.attempts) return {};
  const bool undone = failure.reached == Failure::Reached::nothing || failure.retry_after;
  if (!repeatable && !undone) return {};
  // 2^20 pauses of a millisecond are 17 minutes: no bound that is meant is passed over.
  const auto doubled = options.first * (1 << std::clamp(attempts_made - 1, 0, 20));
  const milliseconds pause = std::min(doubled, options.most);
  milliseconds out =
      pause / 2 +
      milliseconds(static_cast<milliseconds::rep>(
          static_cast<double>(pause.count() - pause.count() / 2) * std::clamp(random, 0.0, 1.0)));
  if (failure.retry_after) {
    if (*failure.retry_after > options.most) return {};
    out = std::max(out, *failure.retry_after);
  }
  if (out >= left) return {};
  return out;
}

std::optional<milliseconds> parse_retry_after(std::string_view field, std::chrono::seconds now) {
  constexpr std::int64_t kMostSeconds = 1'000'000'000;
  std::int64_t seconds = 0;
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), seconds);
  if (end == field.data() + field.size() && error == std::errc() && seconds >= 0 &&
      seconds <= kMostSeconds)
    return milliseconds(seconds * 1000);
  std::tm date{};
  const std::string text(field);
  const char* rest = strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &date);
  if (!rest || *rest) return {};
  const std::int64_t at = timegm(&date);
  return milliseconds(std::clamp<std::int64_t>(at - now.count(), 0, kMostSeconds) * 1000);
}

}  // namespace vmirror::net
