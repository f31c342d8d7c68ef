// judge: the state of every session and the reason for the state, from the desired sessions, the
// mirrors that the switch shows, and the counters. Pure.
//
//          the switch shows the mirror as asked,            and the port's frames
//          and the port is silent                           are copied (Proof: how far)
//      pending ------------------------------------> ready -------------------------> active
//         |  ^                                         |                                 |
//         |  | the port's frames are copied            | the port's frames are not       |
//         v  |                                         v copied, for kProofPatience      v
//       failed <-----------------------------------------------------------------------+
//
//   A session to the local engine is judged by the engine's count of the NIC's frames
//   (judge_local.cpp). A session whose copies leave is judged by its mirror's counter
//   (judge_remote.cpp). refused: never attempted. draining: no longer asked for, still on the
//   switch. unknown: the switch can't be read, and the reason has the previous state; or the
//   switch's daemon carries nothing out and no counter moves.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "agent/control/reconcile/resolve.hpp"
#include "agent/control/reconcile/tunnel_track.hpp"
#include "agent/control/reconcile/way_out.hpp"
#include "agent/model/copies.hpp"
#include "agent/model/coverage.hpp"
#include "agent/model/status.hpp"

namespace vmirror {

/// A session's status, and the values that the next judgement needs.
struct Track {
  SessionStatus status;
  /// Counters when the session was last proven, or its mirror put: later frames count.
  struct Counts {
    Time at = 0;
    std::string port_id, mirror_id;
    std::uint64_t port = 0, copied = 0, received = 0;
    std::uint64_t beside = 0;  ///< Copied by other mirrors that have the same output.
    bool operator==(const Counts&) const = default;
  };
  std::optional<Counts> base;
  Time settled_at = 0;  ///< From this time on the mirror's counter counts. See kCounterSettles.
  Time moved_at = 0;    ///< First frames of the port that were not copied; 0: none.
  Time lossy_at = 0;    ///< The latest window that showed for certain that copies were lost.
  bool proven = false;  ///< Copies were seen to move since the mirror was put.
  TunnelTrack tunnel;   ///< Of a session whose copies leave through a tunnel.
};

/// The inputs of a session's judgement besides the session.
struct JudgeContext {
  const std::vector<Mirror>& wanted;  ///< The driver's: Realiser::mirrors().
  const Observed& observed;
  const Evidence& evidence;
  const std::optional<Error>& apply_error;  ///< Of the latest apply, until one succeeds.
  const std::optional<Error>& stall;        ///< The switch's daemon carries nothing out.
  const Collectors& collectors;             ///< The collectors' reports of received copies.
  const Underlays& underlays;               ///< Of `observed`.
};

struct JudgeInput {
  const Resolved& resolved;
  const Realisation& realisation;  ///< The driver's, for `resolved`.
  const Observed& observed;
  const Evidence& evidence;
  std::optional<Error> apply_error = {};  ///< Of the latest apply, until one succeeds.
  std::optional<Error> stall = {};        ///< The switch's daemon carries nothing out.
  Collectors collectors = {};
};

/// A session fails when its port moves frames for this time without a copy. A switch may write its
/// counters only every 5 s.
constexpr Time kProofPatience = 15 * kSecond;
/// A mirror's counter is not used for this time after the mirror was put. Frames that running flows
/// counted for a previous mirror are added to the new mirror at the flows' revalidation, and the
/// switch may write this count 5 s later.
constexpr Time kCounterSettles = 7 * kSecond;
/// A port whose counters were not written for this time, with others' or at all, was silent.
constexpr Time kCountPatience = 6 * kSecond;
/// On a stalled switch, a session stays known if a counter moved within this time. The engine's
/// counts come once a second; a stall is reported after a longer time
/// (reconciler.hpp).
constexpr Time kStillPatience = 2500 * kMillisecond;
/// A tunnel's port may be without a way out for this time: the switch reports the way of a new
/// port's packets a moment after it made the port.
constexpr Time kWayPatience = 3 * kSecond;
/// A linked collector without a report for this time has stopped reporting.
constexpr Time kToldPatience = 4 * kSecond;

/// The judgements. `track`: the session's previous track, or a new track. `at`: the session's NIC.
/// A session that is asked for; `verdict`: the driver's, null: none.
Track judge_asked(Track track, const Session& session, const Location* at, const Verdict* verdict,
                  const JudgeContext& context, Time now);
/// A session that another policy overrules.
Track judge_overruled(Track track, const Refusal& refusal, const Location* at, Time now);
/// A session that is no longer asked for; none: its mirror is gone from the switch, too.
std::optional<Track> judge_leftover(Track track, const JudgeContext& context, Time now);
/// The time at which a session with unchanged inputs must be judged again, because a time-out ends;
/// none: never. `track` is the result of the judgement at `now`. After a clock was set back this
/// time is too late: judge all sessions then.
std::optional<Time> due_again(const Track& track, bool stalled, Time now);

/// A track for each session that is asked for, refused or draining; by name.
std::vector<Track> judge(std::span<const Track> previous, const JudgeInput& in, Time now);

/// The tracks at the first reading that fails: every session is unknown, with its previous state in
/// the reason. The sessions stay unknown until the switch can be read again.
std::vector<Track> judge_unreadable(std::span<const Track> previous, const Error& error, Time now);

}  // namespace vmirror
