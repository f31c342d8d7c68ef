// The rules by which judge.cpp judges the counters of a session that the switch shows as asked for.
// One rule for each kind of target. Internal to the judge. Pure.
#pragma once

#include <string>

#include "agent/control/reconcile/judge.hpp"
#include "plugin/base/text.hpp"

namespace vmirror {

struct Ruling {
  SessionState state;
  std::string reason;
  Proof proof = Proof::none;
  bool silent = false;  ///< Ready, since no frame moved that could be copied: trace the session.
};

/// For a session whose copies leave the host: by the mirror's own counter, which is the sum over
/// its ports. `port` and `mirror` are the session's, as the switch shows them.
Ruling rule_remote(Track& track, const Session& session, const Port& port, const Mirror& mirror,
                   const JudgeContext& context, Time now);

/// For a session to the local engine: by the engine's count against the port's. The engine cannot
/// count a port with an unknown MAC: by the mirror's counter, which proves nothing.
Ruling rule_local(Track& track, const Session& session, const Port& port, const Mirror& mirror,
                  const JudgeContext& context, Time now);

/// The session copies only some of the port's frames. `port`: null if it isn't there.
bool is_selective(const Session& session, const Port* port);

/// Refines the ruling `traffic` of a session whose copies leave through the tunnel port `output`:
/// how far the copies are proven, or that they can't leave or don't arrive. Adds warnings.
Ruling rule_tunnel(Track& track, const Session& session, const Port& source, const Port& output,
                   const JudgeContext& context, Ruling traffic, Time now);

/// The number of the session's copies in a collector's report, or why it is not known. `id`: the
/// session's. `own`: this host's addresses, if they are known.
Result<std::uint64_t> received_of(const Session& session, std::optional<std::uint32_t> id,
                                  const CopiesReport& report, const std::set<IpAddress>& own);

/// The frames of a session's directions.
inline std::uint64_t frames_of(const PortCounters& c, Direction direction) {
  return (includes(direction, Direction::in) ? c.in_frames : 0) +
         (includes(direction, Direction::out) ? c.out_frames : 0);
}

}  // namespace vmirror
