// The lists of all hosts, by the store of the daemon that is asked.
#pragma once

#include "agent/cli/listing.hpp"

namespace vmirror {

/// `sessions --all-hosts` and `get sessions`. Exit code: kNotWatched where one is not on its switch
/// as asked.
int list_all_sessions(const CommandContext& context, const ListingOptions& options);

/// The lines of two texts, as `diff` shows them without context: "-was", "+is"; empty: they are the
/// same. Texts of very many lines that differ are shown whole. Pure.
std::vector<std::string> line_diff(std::string_view was, std::string_view is);

}  // namespace vmirror
