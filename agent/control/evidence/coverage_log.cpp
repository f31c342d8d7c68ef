#include "agent/control/evidence/coverage_log.hpp"

#include <algorithm>

namespace vmirror {
namespace {

const Port* port_of(const ControlSnapshot& control, const PortKey& at) {
  if (!control.observed || control.observe_error) return nullptr;
  return switch_of(*control.observed, at.switch_name).ports.get(at.port);
}

const NicFrames* frames_of(const NicReadings& readings, const PortKey& at) {
  const auto it = std::ranges::lower_bound(readings.nics, at, {}, &NicFrames::at);
  return it == readings.nics.end() || it->at != at ? nullptr : &*it;
}

/// The switch's latest writing, as of this port.
std::optional<PortReading> written(const ControlSnapshot& control, const Port& port) {
  const Time at = control.observed->counted_at;
  if (at == 0 || !port.counters) return std::nullopt;
  return PortReading{at - CoverageLog::kWriting, at, *port.counters, port.id};
}

/// Frames of which nobody knows on which side of the port's reading they came.
std::uint64_t uncertainty(const CoverageSample& sample) {
  return sample.high.in + sample.high.out - sample.low.in - sample.low.out;
}

/// Where a switch tells no counters of its ports, only what the engine counts proves a session.
bool counts_ports(const ControlSnapshot& control, const std::string& switch_name) {
  return !control.observed || switch_of(*control.observed, switch_name)
                                  .capabilities.proofs.contains(ProofSource::engine);
}

}  // namespace

/// Null: its mirror is not in place. What was paired of another mirror is forgotten.
CoverageLog::Log* CoverageLog::log_of(const WatchedNic& nic, const ControlSnapshot& control,
                                      Time now) {
  const SessionStatus* s = control.sessions.get(nic.session);
  if (s == nullptr || !s->in_place) return nullptr;
  Log& log = logs_[nic.at];
  const bool same = log.since == s->in_place_since && log.mac == nic.mac && log.vlan == nic.vlan &&
                    log.direction == nic.direction;
  if (same && !control.stall) return &log;
  log = {.since = s->in_place_since,
         .mac = nic.mac,
         .vlan = nic.vlan,
         .direction = nic.direction,
         .begun = log.since == s->in_place_since ? now : s->in_place_since,
         .waiting = {},
         .pairs = {},
         .judged = {},
         .faults = log.faults};
  return &log;
}

void CoverageLog::sample(NicReadings readings, const ControlSnapshot& control) {
  if (!ring_.empty() && readings.time < ring_.back().time) {  // The clock was set back.
    ring_.clear();
    logs_.clear();
  }
  ring_.push_back(std::move(readings));
  if (ring_.size() > kRing) ring_.pop_front();
  std::erase_if(waiting_, [&](const PortKey& at) {
    const auto log = logs_.find(at);
    const WatchedNic* nic = control.index->nics.get(at);
    if (log == logs_.end() || nic == nullptr) return true;
    pair(*nic, log->second);
    return log->second.waiting.empty();
  });
}

void CoverageLog::read(const ControlSnapshot& control, Time now) {
  std::erase_if(logs_, [&](const auto& log) { return !control.index->nics.contains(log.first); });
  const bool behind = !control.observed || control.observed->progress.behind;
  for (const auto& [at, nic] : control.index->nics) {
    Log* log = log_of(nic, control, now);
    if (log == nullptr) logs_.erase(at);
    const Port* port = port_of(control, at);
    if (log == nullptr || port == nullptr || (behind && log->pairs.empty())) continue;
    const SessionStatus& s = control.sessions.at(nic.session);
    const bool proven = s.state == SessionState::active && s.proof == Proof::received;
    if (now - log->read_at < (proven ? kProven : kUnproven) - kSampleInterval) continue;
    auto reading = read_device_ ? read_device_(*port) : std::nullopt;
    if (!reading) reading = written(control, *port);
    if (!reading || reading->from < log->begun + kGrace) continue;
    if (log->read_at >= reading->to) continue;  // The same writing.
    log->read_at = reading->to;
    log->waiting.push_back(std::move(*reading));
    if (log->waiting.size() > kWaiting) log->waiting.pop_front();
    waiting_.insert(at);
  }
}

/// Takes the readings whose frames have all come.
void CoverageLog::pair(const WatchedNic& nic, Log& log) {
  while (!log.waiting.empty()) {
    const PortReading& reading = log.waiting.front();
    const auto after = std::ranges::find_if(
        ring_, [&](const NicReadings& r) { return r.complete >= reading.to + kOnItsWay; });
    if (after == ring_.end()) return;
    const auto before = std::ranges::find_if(
        ring_.rbegin(), ring_.rend(), [&](const NicReadings& r) { return r.time <= reading.from; });
    const NicFrames* high = frames_of(*after, nic.at);
    const NicFrames* low = before == ring_.rend() ? nullptr : frames_of(*before, nic.at);
    if (low != nullptr && high != nullptr) put(nic, log, {reading, *low, *high});
    log.waiting.pop_front();
  }
}

void CoverageLog::put(const WatchedNic& nic, Log& log, CoverageSample sample) {
  if (!log.pairs.empty() && !is_comparable(log.pairs.back(), sample)) log.pairs.clear();
  log.pairs.push_back(std::move(sample));
  // A window that begins with a reading amid a burst is told worse than one that begins in a pause.
  while (log.pairs.size() > 2 && (log.pairs.back().port.to - log.pairs[1].port.to >= kWindow ||
                                  uncertainty(log.pairs[1]) < uncertainty(log.pairs[0])))
    log.pairs.pop_front();
  const bool was_fault = log.judged.verdict == Coverage::Verdict::excess;
  const std::vector<CoverageSample> pairs(log.pairs.begin(), log.pairs.end());
  log.judged = judge_windows(pairs, nic.direction);
  if (log.judged.verdict != Coverage::Verdict::excess) return;
  ++log.faults;
  if (was_fault) return;
  const Coverage& c = log.judged;
  news_.push_back(nic.port() + ": a fault of counting: at least " +
                  std::to_string(c.received().low) + " frames came, and its port moved " +
                  std::to_string(c.counted()));
}

std::vector<CoverageRow> CoverageLog::rows(const ControlSnapshot& control) const {
  std::vector<CoverageRow> out;
  for (const auto& [at, nic] : control.index->nics) {
    const auto log = logs_.find(at);
    const SessionStatus* s = control.sessions.get(nic.session);
    if (log == logs_.end() || log->second.pairs.empty() || s == nullptr || s->selective ||
        log->second.since != s->in_place_since)
      continue;
    const auto& pairs = log->second.pairs;
    CoverageRow row{nic, coverage(pairs.front(), pairs.back(), nic.direction), log->second.faults,
                    warnings(pairs.front(), pairs.back(), nic.direction)};
    if (!nic.rival.empty()) {
      row.coverage.ratio.reset();
      row.warnings = {nic.port() + ": not told: the NIC of port " + nic.rival +
                      " has the same MAC in the same VLAN"};
    }
    out.push_back(std::move(row));
  }
  return out;
}

/// All that it looks at is in the order of the ports.
const Evidence& CoverageLog::evidence(const ControlSnapshot& control, bool moving) {
  const auto& nics = control.index->nics;
  auto nic = nics.begin();
  auto log = logs_.begin();
  auto known = evidence_.nics.begin();
  std::vector<std::pair<PortKey, std::optional<NicEvidence>>> news;  // None: it is told no more.
  const auto drop_up_to = [&](const PortKey* at) {
    for (; known != evidence_.nics.end() && (at == nullptr || known->first < *at); ++known)
      news.emplace_back(known->first, std::nullopt);
  };
  static const std::vector<NicFrames> none;
  for (const NicFrames& frames : ring_.empty() ? none : ring_.back().nics) {
    while (nic != nics.end() && nic->first < frames.at) ++nic;
    if (nic == nics.end() || nic->first != frames.at) continue;
    while (log != logs_.end() && log->first < frames.at) ++log;
    NicEvidence is;
    is.rival = nic->second.rival;
    if (moving || !counts_ports(control, frames.at.switch_name))
      is.received = frames.out + frames.in - std::min(frames.in, frames.in_group);
    if (log != logs_.end() && log->first == frames.at && log->second.pairs.size() >= 2) {
      is.since = log->second.since;
      is.window = log->second.judged;
    }
    drop_up_to(&frames.at);
    const bool is_known = known != evidence_.nics.end() && known->first == frames.at;
    if (!is_known || known->second != is) news.emplace_back(frames.at, std::move(is));
    if (is_known) ++known;
  }
  drop_up_to(nullptr);
  for (auto& [at, is] : news)
    if (is)
      evidence_.nics.set(at, std::move(*is));
    else
      evidence_.nics.erase(at);
  return evidence_;
}

}  // namespace vmirror
