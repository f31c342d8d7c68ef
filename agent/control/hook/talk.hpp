// The hook's effects: reading its input, and talking to the agent, all until one deadline.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "agent/control/hook/message.hpp"

namespace vmirror {

using HookClock = std::chrono::steady_clock;

/// The bytes that could be read before `deadline`, at most `limit`.
struct ReadBytes {
  std::string bytes;
  bool whole = false;  ///< The input was read to its end.
};
ReadBytes read_until(int fd, std::size_t limit, HookClock::time_point deadline);

/// A file of at most `limit` bytes. Error::Kind::missing: there is no file; unreachable: it can't
/// be read; exhausted: it is longer.
Result<std::string> read_file(const std::string& path, std::size_t limit);

/// Sends the request and waits for the answer, until `deadline`. Error::Kind::unreachable: no agent
/// listens, it closes the connection, or no answer in time; invalid: not an answer.
Result<HookReply> ask_agent(const std::string& socket, const std::string& request,
                            HookClock::time_point deadline);

/// Sends the request and does not wait. Error::Kind::unreachable: no agent listens, or the agent's
/// queue of unread requests is full.
Result<void> tell_agent(const std::string& socket, const std::string& request);

/// Writes a line to the system's log (RFC 3164, over /dev/log), as a warning. The line is lost if
/// the write would wait.
void log_warning(const std::string& line);

}  // namespace vmirror
