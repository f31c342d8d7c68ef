// The command line as a test calls it, alone or against a daemon that gives prepared answers.
#pragma once

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "agent/api/http.hpp"
#include "agent/cli/command.hpp"
#include "tests/support/captures.hpp"

namespace vmirror::test {

struct CommandOutcome {
  int exit = 0;
  std::string out, err;
  std::size_t calls = 0;  ///< That the daemon got.
};

inline CommandOutcome run(std::vector<std::string> arguments,
                          std::chrono::milliseconds change_patience = std::chrono::seconds(30)) {
  std::ostringstream out, err;
  CommandContext context{.out = out, .err = err, .change_patience = change_patience};
  const int exit = run_command_line(std::move(arguments), context);
  return {exit, out.str(), err.str()};
}

/// A command against a daemon that gives these answers, the last again and again.
inline CommandOutcome run_against(
    std::vector<HttpResponse> answers, std::vector<std::string> arguments,
    std::chrono::milliseconds change_patience = std::chrono::seconds(30)) {
  const TempDir folder;
  const std::string socket = folder / "control.sock";
  boost::asio::io_context io;
  std::size_t calls = 0;
  auto server = HttpServer::on_unix_socket(io, io.get_executor(), socket, [&](const HttpRequest&) {
    return answers[std::min(calls++, answers.size() - 1)];
  });
  if (!server) return {kFailed, "", server.error().text()};
  std::thread serves([&] { io.run(); });
  arguments.insert(arguments.end(), {"--socket", socket});
  CommandOutcome o = run(std::move(arguments), change_patience);
  io.stop();
  serves.join();
  o.calls = calls;
  return o;
}

}  // namespace vmirror::test
