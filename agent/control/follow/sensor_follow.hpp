// Decides whether the sensor VM should migrate after its sources (policy `sensor: follow`). Pure:
// the time is an argument, and the history is a value.
//
//   most sources on one other host   --settled there for a while-->  migrate the sensor there
//          ^                                                               |
//          '------ never more often than `spacing`, `per_hour` <----------'
//
// A migration of the sensor costs more than a late one. The sensor therefore migrates only to a
// host with more of its sources than here, only after these have stayed there, and seldom. Two
// sources that change places, or a source that migrates back and forth, do not move the sensor.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "plugin/base/clock.hpp"

namespace vmirror {

struct SensorFollowOptions {
  Time settle = 30 * kSecond;    ///< The sources must have been on their host for this time.
  Time spacing = 300 * kSecond;  ///< Between two migrations of the sensor, and after its arrival.
  std::size_t per_hour = 4;      ///< Migrations of the sensor, also failed ones.
  Time backoff = 60 * kSecond;   ///< After a failed migration; doubled with each further one ...
  Time backoff_most = 3600 * kSecond;  ///< ... up to this.
};

/// One guest that a policy with `sensor: follow` selects.
struct SensorSource {
  std::string vm;
  std::string host;     ///< The guest's host.
  Time since = 0;       ///< When the guest arrived there.
  bool moving = false;  ///< The guest migrates now.
  bool operator==(const SensorSource&) const = default;
};

/// The sensor and its sources, as one host's agent sees them now. Only the agent on the sensor's
/// host acts.
struct SensorView {
  bool running_here = false;
  bool moving = false;  ///< The sensor migrates now, or libvirt was asked to migrate it.
  std::string here;     ///< This host.
  std::vector<SensorSource> sources;
  /// When the sensor arrived here, for any reason, or its agent started: it stays for `spacing`.
  Time since = 0;
};

/// The outcome of earlier decisions, on all hosts. Bounded by the migrations of one hour.
struct SensorHistory {
  std::vector<Time> moves;  ///< Of the last hour, oldest first, also failed ones.
  unsigned failures = 0;    ///< In a row.
};

struct MigrateSensor {
  std::string to;
  std::string why;  ///< "2 of 3 sources are on hostb since 40 s"
  bool operator==(const MigrateSensor&) const = default;
};
struct HoldSensor {
  std::string why;
  Time until = 0;  ///< When time alone may change the decision; 0: only new inputs can.
  bool operator==(const HoldSensor&) const = default;
};
using SensorDecision = std::variant<MigrateSensor, HoldSensor>;

/// The decision now.
SensorDecision follow(const SensorView& view, const SensorHistory& history, Time now,
                      const SensorFollowOptions& options = {});

/// The history after a migration of the sensor ended at `now`.
SensorHistory moved(SensorHistory history, bool done, Time now);

/// The history with a migration at `at` that another host's agent reports. The same migration may
/// be reported several times, with slightly different times.
SensorHistory heard(SensorHistory history, Time at, Time now);

}  // namespace vmirror
