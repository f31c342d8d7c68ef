// Which halves may be of one migration, by their times. Seconds.
#include "agent/control/affinity/matching_halves.hpp"

#include <gtest/gtest.h>

namespace vmirror {
namespace {

struct Source {
  double began = 0, port_removed = 0, ended = 0;  // 0: not known.
};
struct Destination {
  double began = 0, port_added = 0, resumed = 0, ended = 0;
};

std::optional<Time> at(double seconds) {
  if (seconds == 0) return {};
  return static_cast<Time>(seconds * static_cast<double>(kSecond));
}

TEST(MatchingHalves, ByTheirTimes) {
  const struct {
    const char* what;
    Source source;
    Destination destination;
    bool may;
  } table[] = {
      {"nothing is known", {}, {}, true},
      {"as it goes", {10.1, 11.5, 12}, {10, 10, 11.2, 12.2}, true},
      {"the source is still in it", {10.1}, {10, 10}, true},
      {"the destination's agent began anew after it came", {10.1, 11.5, 12}, {15, 0, 0, 16}, true},
      {"the source's agent was told late", {11.3, 11.5, 12}, {10, 10, 11.2, 12.2}, true},
      {"the guest had come before", {13, 14, 15}, {10, 10, 11.2, 12.2}, false},
      {"had come, at a time that is not known", {13, 14, 15}, {10, 10, 0, 12.2}, false},
      {"it went before", {10.1, 11.5, 12}, {13, 13, 14, 15}, false},
      {"an attempt that failed, and the next", {10.1, 0, 12}, {13, 13, 14, 15}, false},
      {"the attempt that failed", {10.1, 0, 12}, {10, 10, 0, 11.9}, true},
  };
  for (const auto& row : table)
    for (const double ahead : {-5.0, 0.0, 5.0}) {  // The source's clock before the destination's.
      SCOPED_TRACE(row.what);
      const auto s = [&](double time) { return at(time == 0 ? 0 : time + ahead); };
      MigrationHalf source, destination;
      source.host = "hosta";
      source.began = s(row.source.began);
      source.port_removed = s(row.source.port_removed);
      source.ended = s(row.source.ended);
      destination.host = "hostb";
      destination.began = at(row.destination.began);
      destination.port_added = at(row.destination.port_added);
      destination.resumed = at(row.destination.resumed);
      destination.ended = at(row.destination.ended);
      EXPECT_EQ(may_be_one(source, destination, at(ahead).value_or(0)), row.may) << ahead;
      destination.host = "hosta";
      EXPECT_FALSE(may_be_one(source, destination, at(ahead).value_or(0)));
    }
}

}  // namespace
}  // namespace vmirror
