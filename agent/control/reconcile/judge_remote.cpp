// The rule for sessions whose copies leave the host.
#include <algorithm>

#include "agent/control/reconcile/rulings.hpp"

namespace vmirror {
namespace {

/// What moved since the base: the proof that copies flow, or that they don't.
Ruling rule_traffic(Track& track, const Session& s, const Track::Counts& now, bool counted,
                    const std::optional<Error>& stall) {
  const Track::Counts& base = *track.base;
  const std::uint64_t moved = now.port - base.port;
  const auto active = [&] {
    return Ruling{
        SessionState::active,
        "the switch shows it as asked, and copies move with port " + s.port + "'s traffic",
        Proof::copied};
  };
  if (moved > 0 && now.copied > base.copied) {
    track.proven = true;
    track.base = now;
    track.moved_at = 0;
    return active();
  }
  if (moved == 0) {
    track.moved_at = 0;
    // The daemon writes the counters, too.
    if (stall && now.at - base.at > kStillPatience)
      return {SessionState::unknown, "nothing moves: " + stall->what};
    if (track.proven) return active();
    if (!counted)
      return {SessionState::pending, "the switch has not counted port " + s.port + "'s frames yet"};
    return {
        SessionState::ready,
        "port " + s.port + " has been silent since " + clock_text(base.at) + ": nothing to copy",
        Proof::none, true};
  }
  if (track.moved_at == 0 || track.moved_at > now.at) track.moved_at = now.at;
  if (track.status.selective) {
    if (track.proven) return active();
    return {SessionState::pending,
            "no frame of port " + s.port + " matched the filter and VLANs yet"};
  }
  const Time waited = now.at - track.moved_at;
  const std::string fact = "port " + s.port + " moved " + count(moved, "frame") + " since " +
                           clock_text(base.at) + ", its mirror copied none";
  if (waited <= kProofPatience) {
    if (track.proven) return active();
    return {SessionState::pending, fact + " yet"};
  }
  track.proven = false;
  // Of several mirrors with one output one alone copies a frame, and counts it: the sender's.
  const std::uint64_t beside = now.beside - base.beside;
  if (beside * 2 >= moved)
    return {SessionState::pending, fact + ": another mirror with the same output, which copied " +
                                       count(beside, "frame") + ", may have taken them"};
  return {SessionState::failed, fact};
}

/// Of a switch that counts no copies: what the collector receives proves that they come, not that
/// all of them do; without its word nothing does.
Ruling rule_uncounted(Track& track, const Session& s, const JudgeContext& in) {
  const std::string shown = "the switch shows it as asked, and counts no copies: ";
  const auto to = collector_of(s.target);
  const auto found = to ? in.collectors.find(*to) : in.collectors.end();
  if (found == in.collectors.end() || !found->second->linked)
    return {SessionState::active, shown + "nothing here proves that they come", Proof::none};
  const Collector& c = *found->second;
  const auto received =
      received_of(s, track.status.session_id, c.report, in.observed.own_addresses);
  if (!received)
    return {SessionState::active,
            shown + c.host + ", the collector, says: " + received.error().what, Proof::none};
  // A report that began anew counts from nothing.
  const bool more = track.base && *received > track.base->received;
  if (more) track.proven = true;
  if (!track.base) track.base.emplace();
  track.base->received = *received;
  if (!track.proven)
    return {SessionState::active, shown + c.host + ", the collector, has received none yet",
            Proof::none};
  return {SessionState::active,
          shown + c.host + ", the collector, receives them; whether all of them cannot be told",
          Proof::delivered};
}

/// The counters of one session now.
Track::Counts read_counts(const Session& s, const Port& port, const Mirror& mirror,
                          const Switch& on, Time now) {
  Track::Counts c{now, port.id, mirror.id, 0, mirror.copied_frames.value_or(0), 0};
  if (port.counters) c.port = frames_of(*port.counters, s.direction);
  for (const auto& [name, other] : on.mirrors)
    if (name != mirror.name && other.output && other.output == mirror.output)
      c.beside += other.copied_frames.value_or(0);
  return c;
}

/// A port that was added again, or counters that went back: what was counted before says nothing.
/// A time that is ahead since the clock was set back is only taken anew.
void refresh_base(Track& track, const Track::Counts& now) {
  if (!track.base || track.base->port_id != now.port_id || track.base->mirror_id != now.mirror_id ||
      now.port < track.base->port || now.copied < track.base->copied) {
    track.base = now;
    track.settled_at = now.at + kCounterSettles;
    track.moved_at = 0;
    track.proven = false;
  }
  track.settled_at = std::min(track.settled_at, now.at + kCounterSettles);
  if (now.at < track.settled_at) track.base->copied = now.copied;
  track.base->beside = std::min(track.base->beside, now.beside);  // One of them may have gone.
  track.base->at = std::min(track.base->at, now.at);
}

}  // namespace

Ruling rule_remote(Track& track, const Session& s, const Port& port, const Mirror& mirror,
                   const JudgeContext& in, Time now) {
  const Switch& on = switch_of(in.observed, s.switch_name);
  if (!on.capabilities.proofs.contains(ProofSource::mirror_counter))
    return rule_uncounted(track, s, in);
  const Track::Counts counts = read_counts(s, port, mirror, on, now);
  refresh_base(track, counts);
  Ruling traffic = rule_traffic(track, s, counts, port.counters.has_value(), in.stall);
  if (!collector_of(s.target)) return traffic;
  const Port* output = on.ports.get(mirror.output_port());
  return output == nullptr ? traffic
                           : rule_tunnel(track, s, port, *output, in, std::move(traffic), now);
}

}  // namespace vmirror
