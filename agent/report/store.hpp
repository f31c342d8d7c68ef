// What the store tells of all hosts, as JSON. Pure.
#pragma once

#include <boost/json.hpp>

#include "agent/control/store/link.hpp"

namespace vmirror {

/// {"policies": [{"name", "generation", "set_by", "set_at", "ends", "yaml", "hosts", "observed",
/// "sessions", "accepted", "realised", "proven"}], "generation"}. The last three are each
/// {"status", "hosts", "reason"}; `ends` is null for a policy without a `ttl`.
boost::json::object store_policies_json(const StoreContents& contents, Time now);
/// {"removals": [{"policy", "generation", "removed_by", "removed_at"}]}, the newest first
boost::json::object store_removals_json(const StoreContents& contents);
/// {"hosts": [{"name", "kind", "switch_version", "version", "capabilities", "generation",
/// "refused", "fault", "sessions"}]}
boost::json::object store_hosts_json(const StoreContents& contents);
/// {"sessions": [{"name", "host", "policies", "vm", "mac", "switch", "port", "target", "state",
/// "proof", "state_text", "in_place", "reason", "since"}]}
boost::json::object store_sessions_json(const StoreContents& contents);

/// Of `status`; docs/OPERATING.md, "Status, by field".
boost::json::object to_json(const StoreStatus& status);

}  // namespace vmirror
