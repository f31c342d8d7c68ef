#include "agent/app/coverage_log.hpp"

#include <algorithm>
#include <optional>

namespace vmirror {
namespace {

/// A NIC of which nothing came for this long was quiet when its switch counted. New counters give
/// no hint: they are read up to ReconcilerOptions::interval after they were written.
constexpr Time kQuiet = 1500 * kMillisecond;
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
  const SessionStatus* s = control.sessions.get(nic.session);
  return s != nullptr && s->in_place && !s->selective;
}

/// The engine's counts by MAC.
using Received = std::map<Mac, const NicFrames*>;

Received received_of(const EngineSnapshot& engine) {
  Received out;
  for (const NicFrames& nic : engine.nics) out.emplace(nic.mac, &nic);
  return out;
}

std::optional<CoverageSample> sample(const WatchedNic& nic, const Port* port,
                                     const Received& received, Time now) {
  const auto frames = received.find(nic.mac);
  if (frames == received.end() || port == nullptr || !port->counters) return std::nullopt;
  return CoverageSample{now, *frames->second, port->counters, port->id};
}

}  // namespace

bool CoverageLog::unpaired(const ControlSnapshot& control, const Mac& mac) const {
  const WatchedNic* nic = control.index->nics.get(mac);
  const Port* port = nic ? find_port(control, *nic) : nullptr;
  if (port == nullptr || !port->counters) return false;
  const auto log = logs_.find(mac);
  return log == logs_.end() ? in_place(control, *nic) : port->counters != log->second.latest.port;
}

bool CoverageLog::due(const ControlSnapshot& control) {
  static const Observed nothing;
  std::set<Mac> touched;
  diff(seen_.index->nics, control.index->nics,
       [&](const Mac& mac, const auto*, const auto*) { touched.insert(mac); });
  diff(seen_.sessions, control.sessions,
       [&](const std::string&, const SessionStatus*, const SessionStatus* is) {
         if (is != nullptr && is->mac) touched.insert(*is->mac);
       });
  diff_ports(seen_.observed ? *seen_.observed : nothing,
             control.observed ? *control.observed : nothing,
             [&](const PortKey& key, const Port*, const Port*) {
               const LocationStatus* at = control.locations.get(key);
               if (at != nullptr && at->at.mac) touched.insert(*at->at.mac);
             });
  for (const Mac& mac : touched)
    if (unpaired(control, mac))
      due_.insert(mac);
    else
      due_.erase(mac);
  seen_ = control;
  return !due_.empty();
}

void CoverageLog::take(const ControlSnapshot& control, const EngineSnapshot& engine) {
  std::map<Mac, Log> kept;
  const Received received = received_of(engine);
  for (const auto& [mac, nic] : control.index->nics) {
    if (!in_place(control, nic)) continue;
    const auto now = sample(nic, find_port(control, nic), received, engine.time);
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
  due_.clear();
}

std::vector<CoverageRow> CoverageLog::rows(const ControlSnapshot& control,
                                           const EngineSnapshot& engine) const {
  std::vector<CoverageRow> out;
  const Received received = received_of(engine);
  for (const auto& [mac, nic] : control.index->nics) {
    const auto it = logs_.find(nic.mac);
    if (it == logs_.end()) continue;
    const Log& log = it->second;
    CoverageSample now = log.quality == Base::none ? log.base : log.latest;
    if (const auto fresh = sample(nic, find_port(control, nic), received, engine.time);
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
