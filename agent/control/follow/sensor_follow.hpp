// Whether the sensor VM should migrate after its sources (policy `sensor: follow`), or stay. Pure:
// time is an argument; what was done before is in a value.
//
//   most sources on one other host   --settled there for a while-->  migrate the sensor there
//          ^                                                               |
//          '------ never more often than `spacing`, `per_hour` <----------'
//
// Moving a sensor costs more than seeing it late: so it moves only where strictly more of its
// sources are than here, only after they stayed there, and seldom. Two sources that change places,
// or one that goes back and forth, leave it where it is.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "plugin/base/clock.hpp"

namespace vmirror {

struct SensorFollowOptions {
  Time settle = 30 * kSecond;    ///< The sources have been where they are for so long.
  Time spacing = 300 * kSecond;  ///< Between two migrations of the sensor, and after it came.
  std::size_t per_hour = 4;      ///< Migrations of the sensor, failed ones too.
  Time backoff = 60 * kSecond;   ///< After a migration that failed; doubled with each in a row ...
  Time backoff_most = 3600 * kSecond;  ///< ... up to this.
};

/// One guest that a policy with `sensor: follow` selects.
struct SensorSource {
  std::string vm;
  std::string host;     ///< Where it runs.
  Time since = 0;       ///< When it came there.
  bool moving = false;  ///< It migrates now.
  bool operator==(const SensorSource&) const = default;
};

/// The sensor and its sources, as one host's agent sees them now. Only the agent on whose host the
/// sensor runs acts.
struct SensorView {
  bool running_here = false;
  bool moving = false;  ///< It migrates now, or its agent was asked to.
  std::string here;     ///< This host.
  std::vector<SensorSource> sources;
  /// When the sensor came here, by whoever's hand, or its agent started: it stays for `spacing`.
  Time since = 0;
};

/// What became of earlier decisions, here and on other hosts. Bounded by what an hour can hold.
struct SensorHistory {
  std::vector<Time> moves;  ///< Of the last hour, oldest first, failed ones too.
  unsigned failures = 0;    ///< In a row.
};

struct MigrateSensor {
  std::string to;
  std::string why;  ///< "2 of 3 sources are on hostb since 40 s"
  bool operator==(const MigrateSensor&) const = default;
};
struct HoldSensor {
  std::string why;
  Time until = 0;  ///< When time alone may change the answer; 0: only news can.
  bool operator==(const HoldSensor&) const = default;
};
using SensorDecision = std::variant<MigrateSensor, HoldSensor>;

/// What to do now.
SensorDecision follow(const SensorView& view, const SensorHistory& history, Time now,
                      const SensorFollowOptions& options = {});

/// The history after a migration of the sensor ended at `now`.
SensorHistory moved(SensorHistory history, bool done, Time now);

/// The history with a migration at `at` that another host's agent made or heard of. The same one
/// may be heard of several times, each a little off by the way that it took.
SensorHistory heard(SensorHistory history, Time at, Time now);

}  // namespace vmirror
