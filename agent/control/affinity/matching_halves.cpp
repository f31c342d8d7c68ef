#include "agent/control/affinity/matching_halves.hpp"

namespace vmirror {
namespace {

constexpr Time kSlack = 200 * kMillisecond;  ///< By which the two clocks may be misjudged.

/// Both are known, and the first is later by more than the clocks can explain.
bool later(const std::optional<Time>& a, const std::optional<Time>& b) {
  return a && b && *a > *b + kSlack;
}

}  // namespace

bool may_be_one(const MigrationHalf& source, const MigrationHalf& destination, Time ahead) {
  if (!source.host.empty() && source.host == destination.host) return false;
  const auto at_source = [ahead](std::optional<Time> time) {
    if (time) *time += ahead;
    return time;
  };
  const auto came = at_source(destination.resumed ? destination.resumed : destination.ended);
  if (later(source.began, came)) return false;
  if (later(at_source(destination.port_added), source.port_removed)) return false;
  const bool stayed = source.ended && !source.port_removed;
  return !stayed || !destination.began || later(source.ended, at_source(destination.began));
}

}  // namespace vmirror
