#include "agent/app/coverage_log.hpp"

#include <algorithm>
#include <optional>

namespace vmirror {
namespace {

/// A NIC of which nothing came for this long is quiet.
constexpr Time kQuiet = 250 * kMillisecond;
/// A port whose counters did not change for this long has been silent: more than Open vSwitch's
/// interval.
constexpr Time kSilent = 6 * kSecond;

const Port* find_port(const ControlSnapshot& control, const WatchedNic& nic) {
  if (!control.observed || control.observe_error) return nullptr;
  const std::size_t slash = nic.port.rfind('/');
  const auto sw = control.observed->switches.find(nic.port.substr(0, slash));
  if (sw == control.observed->switches.end()) return nullptr;
  const auto port = sw->second.ports.find(nic.port.substr(slash + 1));
  return port == sw->second.ports.end() ? nullptr : &port->second;
}

/// True once the switch shows the NIC's mirror of all its frames to us as asked, moving or not.
bool in_place(const ControlSnapshot& control, const WatchedNic& nic) {
  return std::ranges::any_of(control.sessions, [&](const auto& entry) {
    const SessionStatus& s = entry.second;
    return s.target == "local" && s.mac == nic.mac && s.in_place && !s.selective;
  });
}

std::optional<CoverageSample> sample(const WatchedNic& nic, const Port* port,
                                     const EngineSnapshot& engine) {
  const auto frames = std::ranges::find(engine.nics, nic.mac, &NicFrames::mac);
  if (frames == engine.nics.end() || port == nullptr || !port->counters) return std::nullopt;
  return CoverageSample{engine.time, *frames, port->counters, port->id};
}

}  // namespace

bool CoverageLog::due(const ControlSnapshot& control) const {
  return std::ranges::any_of(control.index->nics, [&](const auto& entry) {
    const WatchedNic& nic = entry.second;
    const Port* port = find_port(control, nic);
    const auto log = logs_.find(nic.mac);
    if (log == logs_.end()) return in_place(control, nic);
    return port != nullptr && port->counters != log->second.latest.port;
  });
}

void CoverageLog::take(const ControlSnapshot& control, const EngineSnapshot& engine) {
  std::map<Mac, Log> kept;
  for (const auto& [mac, nic] : control.index->nics) {
    if (!in_place(control, nic)) continue;
    const auto now = sample(nic, find_port(control, nic), engine);
    const auto before = logs_.find(nic.mac);
    Log log = before == logs_.end() ? Log{} : before->second;
    const bool anew = now && (before == logs_.end() || needs_new_baseline(log.latest, *now));
    if (anew) {
      log = {Base::none, *now, *now};
    } else if (now && now->port != log.latest.port) {
      const bool quiet = engine.time - now->received.last > kQuiet;
      log.latest = *now;
      if (log.quality == Base::none || (log.quality == Base::rough && quiet)) {
        log.base = *now;
        log.quality = quiet ? Base::quiet : Base::rough;
      }
    }
    if (now || before != logs_.end()) kept[nic.mac] = log;
  }
  logs_ = std::move(kept);
}

std::vector<CoverageRow> CoverageLog::rows(const ControlSnapshot& control,
                                           const EngineSnapshot& engine) const {
  std::vector<CoverageRow> out;
  for (const auto& [mac, nic] : control.index->nics) {
    const auto it = logs_.find(nic.mac);
    if (it == logs_.end()) continue;
    const Log& log = it->second;
    CoverageSample now = log.quality == Base::none ? log.base : log.latest;
    if (const auto fresh = sample(nic, find_port(control, nic), engine);
        fresh && log.quality != Base::none && fresh->port == now.port &&
        fresh->time - now.time > kSilent)
      now.received = fresh->received;
    CoverageRow row{now.received, nic.direction, coverage(log.base, now, nic.direction),
                    warnings(log.base, now, nic.direction)};
    row.nic.vm = nic.vm;
    row.nic.port = nic.port;
    out.push_back(std::move(row));
  }
  return out;
}

}  // namespace vmirror
