// Habits of a command line that lists: -o json|wide, --watch, --sort, --limit, --filter; lines cut
// to the terminal.
#pragma once

#include <boost/json.hpp>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "agent/cli/asking.hpp"

namespace vmirror {

/// What the command line says to one command that lists.
struct ListingOptions {
  std::string output = "table";      ///< Or wide, json, or another that the command has.
  double watch = 0;                  ///< Seconds between answers; 0: one answer.
  std::string sort;                  ///< A key; with `-` before it from the greatest down.
  std::size_t limit = 0;             ///< Rows shown at most; 0: all.
  std::vector<std::string> filters;  ///< "KEY=GLOB", "KEY!=GLOB", or text that a row has.
};

/// A further form of -o, for other programs.
struct ListingForm {
  const char *name, *help;
  std::string (*text)(const boost::json::array& rows);
};

/// Declares a command that lists rows of the daemon's answer.
CLI::App* declare_listing(CLI::App& app, CommandContext& context, ListingOptions& options,
                          const char* name, const char* description, const char* example,
                          const ListingForm* also = nullptr);
/// -o and --watch alone, for a command that shows no rows.
void add_view_options(CLI::App& command, CommandContext& context, ListingOptions& options,
                      const ListingForm* also = nullptr);

/// Calls `once`, again and again with --watch; returns the latest exit code. A watch ends by a
/// signal.
int watched(const CommandContext& context, const ListingOptions& options,
            const std::function<int()>& once);

/// The rows that the filters take, sorted, and no more than the limit. Error::Kind::invalid: a key
/// was named that is none of `columns` and that no row has; the remedy names the nearest.
Result<boost::json::array> chosen_rows(const boost::json::array& rows,
                                       std::span<const Column> columns,
                                       const ListingOptions& options);

/// Asks for `target`, or calls `answer` where it is given, and shows the chosen rows of the array
/// at `key`, as JSON, as a table of `columns`, or in the form `also`. `after` is given the answer
/// with the chosen rows, prints what else there is to tell, and returns the exit code. `table_rows`
/// changes the rows of a table before they are shown.
struct Listing {
  std::string target;
  const char* key;
  std::span<const Column> columns;
  std::function<boost::json::array(const boost::json::object&)> table_rows = {};
  std::function<int(const boost::json::object&)> after = {};
  const ListingForm* also = nullptr;
  std::function<Result<boost::json::object>()> answer = {};
};
int list(const CommandContext& context, const ListingOptions& options, const Listing& listing);

}  // namespace vmirror
