// What every command of `vmirror` shares: its options, its exit codes, and how it prints.
#pragma once

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <chrono>
#include <functional>
#include <iostream>
#include <ostream>
#include <string>
#include <vector>

#include "plugin/base/result.hpp"

namespace vmirror {

/// Exit codes of every command.
enum Exit : int {
  kOk = 0,
  kFailed = 1,  ///< The command could not do what was asked; standard error says why.
  /// Something that is asked for is not watched: missing, refused, failed, unreadable, or not on
  /// the switch yet. `hook status`: it is not installed, or it can't work; `diff`: they differ;
  /// `cluster status`: the server is in no cluster with a leader; `findings`: one is active;
  /// `pki list`: a certificate expires soon.
  kNotWatched = 2,
  kUsage = 64,  ///< The command line is wrong.
};

/// What the command line says to all commands, and where output goes.
struct CommandContext {
  std::string socket = "/run/vmirror/control.sock";
  std::string store = {};  ///< A file that says how the store is reached; empty: by the daemon.
  bool json = false;
  bool colour = false;    ///< Standard output is a terminal and NO_COLOR is not set.
  bool progress = false;  ///< Standard error is a terminal.
  bool terminal = false;  ///< Standard output is a terminal.
  std::size_t width = 0;  ///< Characters of a line of the terminal; 0: not known, or none.
  std::ostream& out;
  std::ostream& err;
  std::istream& in = std::cin;
  std::chrono::milliseconds change_patience = std::chrono::seconds(30);  ///< change_by_daemon
};

/// One command: `add` declares it to the parser and sets its callback, which stores the exit code.
using AddCommand = void (*)(CLI::App& app, CommandContext& context, int& exit);

/// All commands, in the order of `--help`.
const std::vector<AddCommand>& commands();

/// Runs `vmirror` with these arguments (without the program's name); returns the exit code. What a
/// test calls.
int run_command_line(std::vector<std::string> arguments, CommandContext& context);

/// Prints `error` to err and, with `--json`, {"error"} to out; returns kFailed, or kUsage where the
/// error's place is an option ("--filter").
int report(const CommandContext& context, const Error& error);
/// Each of them; with `--json` one object {"error", "errors"}: the first, and all. `errors` has one
/// at least.
int report(const CommandContext& context, const std::vector<Error>& errors);
/// As report, of a command line that is wrong; returns kUsage.
int report_usage(const CommandContext& context, const Error& error);
/// Prints `error` to err alone, where the object that was printed has it; returns kFailed.
int say(const CommandContext& context, const Error& error);
/// GET (or another method) of the daemon's API; an error answer becomes the Error in it.
Result<boost::json::object> ask_daemon(const CommandContext& context, const std::string& target,
                                       const std::string& method = "GET",
                                       const std::string& body = {});
/// Asks it for a change that does the same when it is asked for again (PUT, DELETE). While the
/// daemon answers that the store can't be reached, asks again, for `change_patience`: the servers
/// take some seconds to elect a leader after one is lost. A DELETE that finds nothing after an
/// attempt without an answer is done.
Result<boost::json::object> change_by_daemon(const CommandContext& context,
                                             const std::string& target, const std::string& method,
                                             const std::string& body = {});
/// Prints one JSON object on a line of its own.
void print_json(const CommandContext& context, const boost::json::object& object);

// Checks of an option's or argument's value, whose messages are sentences.

/// A time in seconds from 0, or above 0, to a billion.
CLI::Validator seconds_from_zero();
CLI::Validator seconds_above_zero();
CLI::Validator whole_number(std::uint64_t min, std::uint64_t max);
/// One of these words; --help and the shells' completions list them.
CLI::Validator one_of(std::vector<std::string> known);
/// Text that is not empty, as an unset variable of a shell is.
CLI::Validator not_empty();

// The commands by file.
void add_status(CLI::App& app, CommandContext& context, int& exit);
void add_sessions(CLI::App& app, CommandContext& context, int& exit);
void add_locations(CLI::App& app, CommandContext& context, int& exit);
void add_migrations(CLI::App& app, CommandContext& context, int& exit);
void add_assets(CLI::App& app, CommandContext& context, int& exit);
void add_flows(CLI::App& app, CommandContext& context, int& exit);
void add_findings(CLI::App& app, CommandContext& context, int& exit);
void add_explain(CLI::App& app, CommandContext& context, int& exit);
void add_policies(CLI::App& app, CommandContext& context, int& exit);
void add_plan(CLI::App& app, CommandContext& context, int& exit);
void add_apply(CLI::App& app, CommandContext& context, int& exit);
void add_drain(CLI::App& app, CommandContext& context, int& exit);
void add_capture(CLI::App& app, CommandContext& context, int& exit);
void add_check(CLI::App& app, CommandContext& context, int& exit);
void add_dissect(CLI::App& app, CommandContext& context, int& exit);
void add_analyze(CLI::App& app, CommandContext& context, int& exit);
void add_drivers(CLI::App& app, CommandContext& context, int& exit);
void add_get(CLI::App& app, CommandContext& context, int& exit);
void add_delete(CLI::App& app, CommandContext& context, int& exit);
void add_diff(CLI::App& app, CommandContext& context, int& exit);
void add_wait(CLI::App& app, CommandContext& context, int& exit);
void add_cluster(CLI::App& app, CommandContext& context, int& exit);
void add_pki(CLI::App& app, CommandContext& context, int& exit);
void add_hook(CLI::App& app, CommandContext& context, int& exit);

}  // namespace vmirror
