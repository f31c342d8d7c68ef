// Policies and their files as JSON, for `vmirror policies`, `apply` and `status`. Pure.
#pragma once

#include <boost/json.hpp>
#include <string>

#include "agent/report/verdict.hpp"

namespace vmirror {

/// One row for each file, {"file", "name", "state", "reason", "sessions", "error"}. Policies that
/// stay in force although their file went bad have a row, too, whose file is null.
boost::json::array policy_rows(const AskedView& view);

/// {"policies": [policy_rows, with "summary"], "verdict"}
boost::json::object policies_json(const AskedView& view);

/// {"policy", "file", "state", "reason", "nics", "summary", "unmatched", "sessions": [...],
/// "verdict"}. `summary`: "2 NICs: active 1, refused 1: why". Error::Kind::missing: no file has
/// this policy.
Result<boost::json::object> policy_json(const AskedView& view, const std::string& name);

}  // namespace vmirror
