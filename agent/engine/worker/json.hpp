// The engine's values as JSON, for `--json`, the API and tests. Pure.
#pragma once

#include <boost/json.hpp>
#include <string>
#include <vector>

#include "agent/engine/worker/analyze.hpp"
#include "agent/engine/worker/snapshot.hpp"

namespace vmirror {

/// {"packets", "bytes", "cpu_seconds", "decapsulated": {"erspan", "gre", "vxlan", "geneve",
/// "rspan"}, "flows", "assets", "dropped": {kind: n}, "protocols": {name: records}, "malformed":
/// {name: n}, "findings": [...]}. `assets` is their number.
boost::json::object to_json(const AnalyzeReport& report);

/// Inputs, sessions, flows by their numbers, protocols, limits.
boost::json::object to_json(const EngineCounters& counters);
/// {name: {"records", "malformed", "cut"}}
boost::json::object protocols_json(const std::vector<ProtocolSnapshot>& protocols);
/// That, with the greatest flows as "top" of "flows", the assets and the watched NICs.
boost::json::object to_json(const EngineSnapshot& snapshot);
boost::json::object to_json(const InputSnapshot& input);
boost::json::object to_json(const FrameCounters& counters);
/// What a session's or a sender's numbers tell is null where its rule is another one, and "rule"
/// says where it is shown, or why it is not.
boost::json::object to_json(const SessionCounters& session);
boost::json::object to_json(const SenderCounters& sender);
boost::json::object to_json(const Flow& flow);
boost::json::object to_json(const Asset& asset);
boost::json::object to_json(const NicFrames& nic);
/// {"kind", "title", "severity", "technique", "on", "by": text; "on_mac", "on_ip", "by_mac",
/// "by_ip", "source", "vlan", "scope", "first", "last", "count"}; what is not known is left out.
boost::json::object to_json(const Finding& finding);
/// {"ip", "scope", "source", "first", "last", "readings", "offset_ns", "refused", "refused_by"}:
/// "offset_ns" is null where nobody said what the clock shows.
boost::json::object to_json(const ClockRow& row);
boost::json::object to_json(const Limit& limit);
boost::json::array texts(const std::vector<std::string>& from);

}  // namespace vmirror
