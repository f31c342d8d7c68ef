// What judge.cpp asks, once the switch shows a session as it was asked for: what do the counters
// say? One rule for each kind of target. Not for others. Pure.
#pragma once

#include <string>

#include "agent/control/reconcile/judge.hpp"
#include "plugin/base/text.hpp"

namespace vmirror {

struct Ruling {
  SessionState state;
  std::string reason;
  Proof proof = Proof::none;
  bool silent = false;  ///< Ready, since nothing moved that could be copied: the switch is asked.
};

/// Of a session whose copies leave the host: by the mirror's own counter, which counts for all the
/// ports that it selects. `port` and `mirror` are the session's, as the switch shows them.
Ruling rule_remote(Track& track, const Session& session, const Port& port, const Mirror& mirror,
                   const JudgeContext& context, Time now);

/// Of a session to the engine here: by the engine's count against the port's. Of a port whose MAC
/// nobody knows the engine can't tell the frames: by the mirror's counter, which proves nothing.
Ruling rule_local(Track& track, const Session& session, const Port& port, const Mirror& mirror,
                  const JudgeContext& context, Time now);

/// It copies only some of the port's frames. `port`: null where it isn't there.
bool is_selective(const Session& session, const Port* port);

/// What becomes of the ruling `traffic` of a session whose copies leave through the tunnel port
/// `output`: how far they are proven, or that they can't leave or don't arrive. Adds warnings.
Ruling rule_tunnel(Track& track, const Session& session, const Port& source, const Port& output,
                   const JudgeContext& context, Ruling traffic, Time now);

/// How many copies of the session a collector's report has, or why that can't be told. `id`: the
/// session's. `own`: this host's addresses, where they are known.
Result<std::uint64_t> received_of(const Session& session, std::optional<std::uint32_t> id,
                                  const CopiesReport& report, const std::set<IpAddress>& own);

/// Those of a session's directions.
inline std::uint64_t frames_of(const PortCounters& c, Direction direction) {
  return (includes(direction, Direction::in) ? c.in_frames : 0) +
         (includes(direction, Direction::out) ? c.out_frames : 0);
}

}  // namespace vmirror
