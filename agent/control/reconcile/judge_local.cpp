// The rule for sessions whose copies the engine here takes in: its own count of that NIC's frames
// against the port's, over a window that began with the mirror in place.
//
//   silent    ready, until it was proven once           lossy   pending, and failed once it lasts
//   complete  active (received)                         excess  active, not proven: counted wrongly
//   open      as it was; active, not proven, where the counters never tell, or no more of a loss
#include <algorithm>
#include <cstdio>

#include "agent/control/reconcile/rulings.hpp"

namespace vmirror {
namespace {

std::string percent(double ratio) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f%%", ratio * 100);
  return text;
}

Ruling received(const Session& s) {
  return {SessionState::active,
          "the switch shows it as asked, and the engine received what port " + s.port + " moved",
          Proof::received};
}

Ruling not_proven(const Session& s, const std::string& why) {
  return {SessionState::active,
          "the switch shows it as asked; what the engine received of port " + s.port +
              " proves nothing: " + why,
          Proof::none};
}

/// Of a port in one VLAN all frames match that VLAN, or none does.
bool matches_all(const Session& s, const Port& port) {
  return s.filter.empty() && (s.vlans.empty() || (port.vlan && s.vlans.contains(*port.vlan)));
}

Ruling rule_selective(Track& track, const Session& s, const Port& port, const Coverage* c) {
  // What comes nevertheless is of flows that the switch has not looked at anew.
  if (!s.vlans.empty() && port.vlan && !s.vlans.contains(*port.vlan))
    return {SessionState::ready, "port " + s.port + " is in VLAN " + std::to_string(*port.vlan) +
                                     ", of which it copies nothing"};
  if (c != nullptr && c->received().low > 0) track.proven = true;
  if (!track.proven)
    return {SessionState::ready,
            "no frame of port " + s.port + " matched the filter and VLANs yet: not proven yet"};
  return {SessionState::active,
          "the switch shows it as asked, and the engine received frames of port " + s.port +
              " that matched; whether all of them cannot be told",
          Proof::received};
}

/// What did not come, for as long as it lasts.
Ruling rule_loss(Track& track, const Session& s, const Coverage& c, Time now) {
  if (track.moved_at == 0 || track.moved_at > now) track.moved_at = now;
  track.lossy_at = now;
  const std::uint64_t most = std::min(c.received().high + c.flooded, c.counted());
  const std::string fact = "port " + s.port + " moved " + count(c.counted(), "frame") + " since " +
                           clock_text(c.from) + ", the engine received " +
                           (c.low < c.high ? "at most " : "") + std::to_string(most) + " (" +
                           percent(c.high) + ")";
  if (now - track.moved_at <= kProofPatience) return {SessionState::pending, fact};
  track.proven = false;
  return {SessionState::failed, fact};
}

/// A loss is not mended by a guest that says no more.
Ruling still_lossy(Track& track, const Session& s, Time now) {
  track.moved_at = std::min(track.moved_at, now);
  const SessionStatus& was = track.status;
  const bool is_told = was.state == SessionState::pending || was.state == SessionState::failed;
  const std::string reason = is_told ? was.reason : "copies of port " + s.port + " did not come";
  if (now - track.moved_at <= kProofPatience) return {SessionState::pending, reason};
  track.proven = false;
  return {SessionState::failed, reason};
}

Ruling rule_window(Track& track, const Session& s, const Coverage& c, Time now) {
  switch (c.verdict) {
    case Coverage::Verdict::complete:
      track.proven = true;
      track.moved_at = 0;
      return received(s);
    case Coverage::Verdict::lossy:
      return rule_loss(track, s, c, now);
    case Coverage::Verdict::excess:
      return not_proven(s, "at least " + std::to_string(c.received().low) +
                               " frames came, and the port moved " + std::to_string(c.counted()) +
                               ": a fault of counting");
    case Coverage::Verdict::silent:
    case Coverage::Verdict::open:
      break;
  }
  // One loss that is long over proves nothing of what came since, where that cannot be told.
  if (c.verdict == Coverage::Verdict::open && track.moved_at != 0 &&
      now - track.lossy_at > kProofPatience) {
    track.moved_at = 0;
    track.proven = false;
  }
  if (track.moved_at != 0) return still_lossy(track, s, now);
  if (track.proven) return received(s);
  if (c.verdict == Coverage::Verdict::silent)
    return {SessionState::ready,
            "port " + s.port + " has been silent since " + clock_text(c.from) + ": nothing to copy",
            Proof::none, true};
  if (c.to - c.from > kProofPatience)
    return not_proven(s, "between " + percent(c.low) + " and " + percent(c.high) + " of " +
                             std::to_string(c.counted()) + " frames");
  return {SessionState::pending, "port " + s.port + " moved " + count(c.counted(), "frame") +
                                     " since " + clock_text(c.from) + ", the engine received " +
                                     std::to_string(c.received().low) + " to " +
                                     std::to_string(c.received().high) + ": not told yet"};
}

/// Of a switch that tells no counters of its ports: what the engine counts proves that copies come,
/// not that all of them do.
Ruling rule_without_port_counters(Track& track, const Session& s, bool came) {
  if (came) track.proven = true;
  const std::string shown = "the switch shows it as asked, and counts no frames of port " + s.port;
  if (!track.proven)
    return {SessionState::active, shown + ": the engine has received no copy yet", Proof::none};
  return {SessionState::active,
          shown + ": the engine receives its copies; whether all of them came cannot be told",
          Proof::received};
}

}  // namespace

bool is_selective(const Session& session, const Port* port) {
  return port == nullptr ? !session.filter.empty() || !session.vlans.empty()
                         : !matches_all(session, *port);
}

Ruling rule_local(Track& track, const Session& s, const Port& port, const Mirror& mirror,
                  const JudgeContext& in, Time now) {
  if (!port.mac) {
    // The mirror's counter is the sum over all its ports: it proves nothing of this one.
    Ruling ruling = rule_remote(track, s, port, mirror, in, now);
    ruling.proof = Proof::none;
    return ruling;
  }
  const NicEvidence* nic = in.evidence.nics.get({s.switch_name, s.port});
  const std::uint64_t got = nic == nullptr ? 0 : nic->received;
  const bool is_new =
      !track.base || track.base->port_id != port.id || track.base->mirror_id != mirror.id;
  if (is_new) {
    track.status.in_place_since = 0;  // It is another's since now.
    track.moved_at = 0;
    track.proven = false;
  }
  const bool came = !is_new && got > track.base->received;
  if (is_new || came) track.base = {now, port.id, mirror.id, 0, 0, got};
  track.base->received = std::min(track.base->received, got);
  track.base->at = std::min(track.base->at, now);
  if (in.stall) {
    // The daemon writes the counters, too; the kernel may copy without it.
    if (now - track.base->at > kStillPatience) {
      // What was lost before says nothing of the switch that answers again.
      track.moved_at = 0;
      return {SessionState::unknown, "nothing moves: " + in.stall->what};
    }
    if (!track.proven && (came || track.status.state == SessionState::active))
      return not_proven(s, in.stall->what);
  }
  if (nic == nullptr)
    return {SessionState::pending,
            "the engine does not take the copies from " +
                (mirror.output_port().empty() ? "the network" : "port " + mirror.output_port()) +
                " yet"};
  if (!nic->rival.empty())
    return not_proven(s,
                      "the NIC of port " + nic->rival +
                          " has the same MAC in the same VLAN, and nobody can tell the two apart");
  const Switch& on = switch_of(in.observed, s.switch_name);
  if (!on.capabilities.proofs.contains(ProofSource::engine))
    return rule_without_port_counters(track, s, came);
  const Coverage* c = nic->window && nic->since != 0 && nic->since == track.status.in_place_since
                          ? &*nic->window
                          : nullptr;
  if (!matches_all(s, port)) return rule_selective(track, s, port, c);
  if (c != nullptr) return rule_window(track, s, *c, now);
  if (track.moved_at != 0) return still_lossy(track, s, now);
  if (track.proven) return received(s);
  if (track.status.in_place_since != 0 && now - track.status.in_place_since > kCountPatience)
    return {SessionState::ready,
            "port " + s.port + "'s counters have not changed since " +
                clock_text(track.status.in_place_since) + ": nothing to copy",
            Proof::none, true};
  return {SessionState::pending, "what port " + s.port + " moves is not counted yet"};
}

}  // namespace vmirror
