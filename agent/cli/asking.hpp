// What the commands that ask the daemon share: their options, the call, and how they read answers.
#pragma once

#include <boost/json.hpp>
#include <string>

#include "agent/cli/command.hpp"
#include "agent/cli/table.hpp"

namespace vmirror {

/// Declares a command that talks to the daemon, with `--json` and `--socket`.
CLI::App* declare(CLI::App& app, CommandContext& context, const char* name, const char* description,
                  const char* example);

/// Adds `--store FILE`: ask_daemon asks the store in place of a daemon then.
void add_store_option(CLI::App& command, CommandContext& context);

/// Asks for `target`; prints the answer as JSON, or leaves that to `print`, which returns the exit
/// code.
template <typename Print>
int show(const CommandContext& context, const std::string& target, Print print) {
  const auto answer = ask_daemon(context, target);
  if (!answer) return report(context, answer.error());
  if (context.json) print_json(context, *answer);
  return print(*answer);
}

/// The array at `key`, with dots; an empty one where there is none.
const boost::json::array& rows(const boost::json::object& object, const char* key);
/// The cell at `key`.
std::string text(const boost::json::object& object, const char* key);
/// "1 guest", "2 guests", "- guests": the cell at `key`, with its noun.
std::string counted(const boost::json::object& object, const char* key, const char* noun);
/// True where `key` is true.
bool is_true(const boost::json::object& object, const char* key);
/// As the terminal shows a table.
TableStyle style(const CommandContext& context);
void heading(const CommandContext& context, const char* title);
/// The name as one part of a path.
std::string in_path(const std::string& name);

/// Where the answer's "verdict" is not well: which command tells the reason of the first thing that
/// is not. Nothing with --json.
void print_way_on(const CommandContext& context, const boost::json::object& answer);

/// Prints what the answer's "verdict" has besides its sessions: each thing that is asked for and
/// has no session, what is not proven, and the way on. kOk, or kNotWatched. `proven`: what is not
/// proven is not well, either.
int print_verdict(const CommandContext& context, const boost::json::object& answer,
                  bool proven = false);

}  // namespace vmirror
