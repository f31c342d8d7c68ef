// The programs of Open vSwitch by which this host's server of the store is made, started and asked
// (ovsdb-tool(1), ovsdb-server(1), ovs-appctl(8), ovsdb-client(1)). They wait.
#pragma once

#include <boost/json.hpp>
#include <string>
#include <vector>

#include "agent/cli/store_server.hpp"

namespace vmirror {

/// Runs a program of Open vSwitch to its end; what it printed. `input`, `output`: files in place of
/// its standard input and output; empty: none.
Result<std::string> run_tool(const std::string& program, const std::vector<std::string>& words,
                             const std::string& input = "/dev/null",
                             const std::string& output = {});
/// By its control socket.
Result<std::string> ask_server(const ServerSettings& settings, std::vector<std::string> words);
/// What a transaction by its Unix socket answers; an operation that was refused is an error.
/// `parameters`: JSON, as ovsdb-client takes them.
Result<boost::json::array> transact(const ServerSettings& settings, const std::string& parameters);

Result<ServerSettings> read_settings(const std::string& folder);
/// With fault_of().
Result<ServerStatus> server_status(const ServerSettings& settings);
/// What an ovsdb-server does not tell of itself; empty: nothing. A member whose disk was full for
/// one write serves on from its memory, and looks healthy; its file is spoilt from then on, and the
/// server does not start from it again (seen with 3.1). Reads the whole file.
std::string fault_of(const ServerSettings& settings);
Result<void> start_server(const ServerSettings& settings);
/// Ends it, and waits until it has ended, at most five seconds.
Result<void> end_server(const ServerSettings& settings);
/// Ends and starts it: it listens as its settings say from then on.
Result<void> restart_server(const ServerSettings& settings);
/// Gives the files to the user of the settings.
Result<void> give_to_user(const ServerSettings& settings);
/// Makes the database by which the server listens; nothing where it listens by its command line.
Result<void> make_remotes(const ServerSettings& settings);

}  // namespace vmirror
