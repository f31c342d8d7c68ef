// What capture files hold, in the forms in which the daemon answers: so that a command that asks a
// daemon can read files in its place.
#pragma once

#include <boost/json.hpp>
#include <functional>
#include <string>
#include <vector>

#include "agent/engine/worker/analyze.hpp"

namespace vmirror {

/// Analyses the files as `vmirror analyze` does without options, and calls `on_flow` with the EVE
/// event of each flow's end. Error: as analyze's, or the temporary folder has no room for the
/// events, which are there for a while.
Result<AnalyzeReport> analyze_flows(
    const std::vector<std::string>& files,
    const std::function<void(const boost::json::object& event)>& on_flow);

constexpr std::size_t kMostFileFlows = 100'000;  ///< That flows_of_files tells at most.

/// As /v1/assets and /v1/flows: {"assets", "from", "to", "warnings", "error"}, {"flows",
/// "flows_left_out", "warnings", "error"}. Flows come with the most bytes first; those above `most`
/// are left out. `error`: a file is corrupt, and the rest is of what came before; else null.
Result<boost::json::object> assets_of_files(const std::vector<std::string>& files);
Result<boost::json::object> flows_of_files(const std::vector<std::string>& files,
                                           std::size_t most = kMostFileFlows);

}  // namespace vmirror
