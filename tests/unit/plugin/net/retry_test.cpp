// When a call may be made again, by tables.
#include "plugin/net/retry.hpp"

#include <gtest/gtest.h>

namespace vmirror::net {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;
using Reached = Failure::Reached;

TEST(Retry, PausesOnlyWhereTheServerCannotHaveDoneIt) {
  struct Row {
    const char* what;
    Failure failure;
    bool repeatable;
    int made;
    milliseconds left;
    double random;
    std::optional<milliseconds> expected;
  };
  const RetryOptions options{.attempts = 4, .first = 500ms, .most = 10s};
  const Row rows[] = {
      {"a read that broke", {Reached::unknown, {}}, true, 1, 60s, 1, 500ms},
      {"the half is fixed", {Reached::unknown, {}}, true, 1, 60s, 0, 250ms},
      {"doubled", {Reached::unknown, {}}, true, 3, 60s, 1, 2000ms},
      {"random is a number of another kind", {Reached::unknown, {}}, true, 1, 60s, 7, 500ms},
      {"no attempt left", {Reached::unknown, {}}, true, 4, 60s, 1, {}},
      {"no time left", {Reached::unknown, {}}, true, 1, 400ms, 1, {}},
      {"a change that broke", {Reached::unknown, {}}, false, 1, 60s, 1, {}},
      {"a change that was never sent", {Reached::nothing, {}}, false, 1, 60s, 1, 500ms},
      {"a change, 503", {Reached::answered, {}}, false, 1, 60s, 1, {}},
      {"a change, 503 with a time", {Reached::answered, 2s}, false, 1, 60s, 1, 2s},
      {"a time shorter than ours", {Reached::answered, 0s}, false, 1, 60s, 1, 500ms},
      {"a time longer than any pause", {Reached::answered, 11s}, true, 1, 60s, 1, {}},
      {"a read, 503", {Reached::answered, {}}, true, 2, 60s, 1, 1000ms},
  };
  for (const Row& row : rows)
    EXPECT_EQ(
        pause_before_retry(options, row.failure, row.repeatable, row.made, row.left, row.random),
        row.expected)
        << row.what;
  const RetryOptions many{.attempts = 100, .first = 500ms, .most = 10s};
  EXPECT_EQ(pause_before_retry(many, {Reached::nothing, {}}, false, 99, 60s, 1), 10s);
}

TEST(Retry, ReadsRetryAfter) {
  constexpr std::chrono::seconds kNow{784111700};
  struct Row {
    const char* field;
    std::optional<milliseconds> expected;
  };
  // The date is the example of RFC 9110, section 5.6.7: 784111777 s.
  const Row rows[] = {
      {"0", 0ms},
      {"120", 120s},
      {"Sun, 06 Nov 1994 08:49:37 GMT", 77s},
      {"Sun, 06 Nov 1994 08:00:00 GMT", 0ms},
      {"-1", {}},
      {"", {}},
      {"5 minutes", {}},
      {"99999999999999999999", {}},
      {"Sun, 06 Nov 1994 08:49:37 GMT+1", {}},
  };
  for (const Row& row : rows)
    EXPECT_EQ(parse_retry_after(row.field, kNow), row.expected) << row.field;
}

}  // namespace
}  // namespace vmirror::net
