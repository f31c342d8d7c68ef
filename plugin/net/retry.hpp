// When a call to a server may be made again, and after how long: pure functions, to which time and
// randomness are arguments.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace vmirror::net {

struct RetryOptions {
  int attempts = 4;                        ///< In all; 1: never again.
  std::chrono::milliseconds first{500};    ///< The pause after the first failure; then doubled.
  std::chrono::milliseconds most{30'000};  ///< No pause is longer, also where a server asks for it.
};

/// How an attempt failed. An attempt that was answered and is not to be repeated has no such value.
struct Failure {
  /// What may have happened at the server.
  enum class Reached {
    nothing,  ///< No byte of the request left this machine: no connection, no TLS.
    unknown,  ///< The connection broke, or time was up: the server may have done it.
    answered  ///< 429, 502, 503, 504.
  };
  Reached reached = Reached::nothing;
  /// Of the field Retry-After (RFC 9110, section 10.2.3): the server says that it did not do it.
  std::optional<std::chrono::milliseconds> retry_after;
};

/// The pause before the next attempt, or nothing: the failure stands.
/// A request that is not `repeatable` (it changes something, or counts as an attempt to log in) is
/// sent again only if the server can't have done it: it was never reached, or it named a
/// Retry-After. The pause is `first` times two to the power of `attempts_made` - 1, at most `most`,
/// of which a half is fixed and a half is scaled by `random` (0 to 1): agents that lost a server
/// together do not come back together. Retry-After makes it longer, never shorter. None follows
/// where it would end after `left`.
std::optional<std::chrono::milliseconds> pause_before_retry(const RetryOptions& options,
                                                            const Failure& failure, bool repeatable,
                                                            int attempts_made,
                                                            std::chrono::milliseconds left,
                                                            double random);

/// A field Retry-After: seconds, or a date (RFC 9110, section 5.6.7; the form of RFC 1123 only),
/// which is held against `now`, in seconds since 1970. Nothing: neither.
std::optional<std::chrono::milliseconds> parse_retry_after(std::string_view field,
                                                           std::chrono::seconds now);

}  // namespace vmirror::net
