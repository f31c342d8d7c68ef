#include "agent/control/follow/sensor_follow.hpp"

#include <algorithm>

namespace vmirror {
namespace {

constexpr Time kHour = 3600 * kSecond;
constexpr Time kSameMove =
    kSecond / 2;  ///< No two migrations are so close: spacing is 1 s or more.
constexpr std::size_t kMaxMoves = 1024;  ///< That other agents may make us remember.

struct OnHost {
  std::size_t sources = 0;
  Time since = 0;  ///< When the latest of them came.
};

std::string seconds(Time time) {
  return std::to_string(time / kSecond) + " s";
}

/// When what was before allows the next migration; `now` or before: it does.
HoldSensor wait_for_history(Time came, const SensorHistory& history, Time now,
                            const SensorFollowOptions& options) {
  HoldSensor hold{"", now};
  const auto later = [&](Time at, std::string why) {
    if (at > hold.until) hold = {std::move(why), at};
  };
  later(came + options.spacing, "the sensor has been here for " + seconds(now - came) + " only");
  if (history.moves.empty()) return hold;
  later(history.moves.back() + options.spacing,
        "the sensor moved " + seconds(now - history.moves.back()) + " ago");
  const auto recent = static_cast<std::size_t>(
      std::ranges::count_if(history.moves, [now](Time at) { return at > now - kHour; }));
  if (recent >= options.per_hour)
    later(history.moves[history.moves.size() - options.per_hour] + kHour,
          "the sensor moved " + std::to_string(recent) + " times within an hour");
  if (history.failures > 0) {
    Time pause = options.backoff;
    for (unsigned i = 1; i < history.failures && pause < options.backoff_most; ++i) pause *= 2;
    later(history.moves.back() + std::min(pause, options.backoff_most),
          history.failures == 1
              ? "its last migration failed"
              : "its last " + std::to_string(history.failures) + " migrations failed");
  }
  return hold;
}

}  // namespace

SensorDecision follow(const SensorView& view, const SensorHistory& history, Time now,
                      const SensorFollowOptions& options) {
  if (!view.running_here) return HoldSensor{"the sensor does not run on this host"};
  if (view.moving) return HoldSensor{"the sensor is being migrated"};
  if (view.sources.empty()) return HoldSensor{"no policy has a guest for it to follow"};

  std::map<std::string, OnHost> places;  // By host: of two that are equal the first one is taken.
  for (const SensorSource& source : view.sources) {
    if (source.moving) return HoldSensor{source.vm + " is being migrated"};
    OnHost& place = places[source.host];
    ++place.sources;
    place.since = std::max(place.since, source.since);
  }
  const std::size_t here = places[view.here].sources;
  const auto best =
      std::ranges::max_element(places, {}, [](const auto& entry) { return entry.second.sources; });
  if (best->first == view.here || best->second.sources <= here)
    return HoldSensor{std::to_string(here) + " of " + std::to_string(view.sources.size()) +
                      " sources are here, nowhere more"};

  const Time settled = best->second.since + options.settle;
  if (now < settled)
    return HoldSensor{best->first + " has had its sources for " +
                          seconds(std::max<Time>(0, now - best->second.since)) + " only",
                      settled};
  if (HoldSensor hold = wait_for_history(view.since, history, now, options); hold.until > now)
    return hold;
  return MigrateSensor{best->first, std::to_string(best->second.sources) + " of " +
                                        std::to_string(view.sources.size()) + " sources are on " +
                                        best->first + " since " +
                                        seconds(now - best->second.since)};
}

SensorHistory heard(SensorHistory history, Time at, Time now) {
  std::erase_if(history.moves, [now](Time known) { return known <= now - kHour; });
  const auto same = [at](Time known) { return known - at < kSameMove && at - known < kSameMove; };
  if (at <= now - kHour || history.moves.size() >= kMaxMoves ||
      std::ranges::any_of(history.moves, same))
    return history;
  history.moves.insert(std::ranges::upper_bound(history.moves, at), at);
  return history;
}

SensorHistory moved(SensorHistory history, bool done, Time now) {
  std::erase_if(history.moves, [now](Time at) { return at <= now - kHour; });
  history.moves.push_back(now);
  history.failures = done ? 0 : history.failures + 1;
  return history;
}

}  // namespace vmirror
