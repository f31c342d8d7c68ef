// `vmirror explain`: the way of a session from the policy to the latest error, in words. Pure.
#pragma once

#include <boost/json.hpp>
#include <string>
#include <vector>

#include "agent/report/status.hpp"

namespace vmirror {

/// `name`: a session, a port, a VM's name or UUID, a MAC, or a policy. `places` are LocationTable's
/// rows, for what went. {"sessions": [...], "lines": [...]}; `lines` are for people. Sessions that
/// went, and places of NICs, are in `lines` alone. Error::Kind::missing: nothing here has this
/// name; the remedy names the nearest one.
Result<boost::json::object> explain_json(const DaemonView& view,
                                         const std::vector<LocationRow>& places,
                                         const std::string& name);

}  // namespace vmirror
