// judge: the state of every session and the reason for it, from what was asked, what the switch
// shows, and what moved. Pure.
//
//          the switch shows the mirror as asked,            and what the port moves
//          and the port is silent                           is copied (Proof: how far)
//      pending ------------------------------------> ready -------------------------> active
//         |  ^                                         |                                 |
//         |  | what the port moves is copied           | the port moves, and its         |
//         v  |                                         v copies don't come, for long     v
//       failed <-----------------------------------------------------------------------+
//
//   A session that copies to the engine here is judged by the engine's own count of that NIC's
//   frames (judge_local.cpp); one whose copies leave, by its mirror's (judge_remote.cpp).
//   refused: never attempted.   draining: no longer asked for, still there.
//   unknown: the switch can't be read; what was true before stays in the reason. Or its daemon
//   carries nothing out and no counter moves, which says nothing then.
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

/// A session's status and what must be remembered to judge it the next time.
struct Track {
  SessionStatus status;
  /// Counters when it was last proven (or put): what moved since is what counts.
  struct Counts {
    Time at = 0;
    std::string port_id, mirror_id;
    std::uint64_t port = 0, copied = 0, received = 0;
    bool operator==(const Counts&) const = default;
  };
  std::optional<Counts> base;
  Time settled_at = 0;  ///< From then on the mirror's counter has a say. See kCounterSettles.
  Time moved_at = 0;    ///< When the port was first seen to move, uncopied, since; 0: it has not.
  Time lossy_at = 0;    ///< When a window last told for sure that copies did not come.
  bool proven = false;  ///< Copies were seen to move since the mirror was put.
  TunnelTrack tunnel;   ///< Of a session whose copies leave through one.
};

/// What a session is judged by besides itself.
struct JudgeContext {
  const std::vector<Mirror>& wanted;  ///< The driver's: Realiser::mirrors().
  const Observed& observed;
  const Evidence& evidence;
  const std::optional<Error>& apply_error;  ///< Of the latest apply, until one succeeds.
  const std::optional<Error>& stall;        ///< The switch's daemon carries nothing out.
  const Collectors& collectors;             ///< What they tell of the copies sent to them.
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

/// How long a port may move without a copy before the session has failed. A switch may write its
/// counters only every 5 s.
constexpr Time kProofPatience = 15 * kSecond;
/// How long a mirror's counter says nothing after the mirror was put: frames that the flows which
/// run were counting for the mirror before it are added to it when they are looked at again, and
/// a switch may write that 5 s later.
constexpr Time kCounterSettles = 7 * kSecond;
/// A port whose counters were not written for so long, with others' or at all, has been silent.
constexpr Time kCountPatience = 6 * kSecond;
/// How long ago something must have moved where the switch is stalled, for the session to be more
/// than unknown. The engine's word comes once a second; a stall is told after more
/// (reconciler.hpp).
constexpr Time kStillPatience = 2500 * kMillisecond;
/// How long a tunnel's port may have no way out before that counts: the switch tells where a new
/// port's packets leave a moment after it made the port.
constexpr Time kWayPatience = 3 * kSecond;
/// A collector that is linked and told nothing for this long has stopped telling.
constexpr Time kToldPatience = 4 * kSecond;

/// The three that a session can be; `track` is its own from before, or a new one, and `at` its NIC.
/// Asked for; `verdict` is the driver's, null: it says nothing.
Track judge_asked(Track track, const Session& session, const Location* at, const Verdict* verdict,
                  const JudgeContext& context, Time now);
/// Overruled by another policy.
Track judge_overruled(Track track, const Refusal& refusal, const Location* at, Time now);
/// No longer asked for; none: it is gone from the switch, too.
std::optional<Track> judge_leftover(Track track, const JudgeContext& context, Time now);
/// When a session is to be judged again though nothing that it is judged by has changed, because a
/// patience ends then; none: never. `track` as it was judged at `now`. A clock that is set back
/// makes it too late: then all are to be judged.
std::optional<Time> due_again(const Track& track, bool stalled, Time now);

/// One track for each session asked or refused, and for those that drain; by name.
std::vector<Track> judge(std::span<const Track> previous, const JudgeInput& in, Time now);

/// The same at the first reading that fails: every session is unknown, its past state in the
/// reason. It stays so until the switch can be read again.
std::vector<Track> judge_unreadable(std::span<const Track> previous, const Error& error, Time now);

}  // namespace vmirror
