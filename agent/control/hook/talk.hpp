// The hook's effects: reading its input, and talking to the agent, all of it bounded by one moment.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "agent/control/hook/message.hpp"

namespace vmirror {

using HookClock = std::chrono::steady_clock;

/// What could be read before `deadline`, of at most `limit` bytes.
struct ReadBytes {
  std::string bytes;
  bool whole = false;  ///< It came to its end.
};
ReadBytes read_until(int fd, std::size_t limit, HookClock::time_point deadline);

/// A file of at most `limit` bytes. Error::Kind::missing: there is none; unreachable: it can't be
/// read; exhausted: it is longer.
Result<std::string> read_file(const std::string& path, std::size_t limit);

/// Sends the request and waits for the answer, until `deadline`. Error::Kind::unreachable: nobody
/// listens, hangs up, or answers in time; invalid: the answer is none.
Result<HookReply> ask_agent(const std::string& socket, const std::string& request,
                            HookClock::time_point deadline);

/// Sends the request and waits for nothing. Error::Kind::unreachable: nobody listens, or the agent
/// has so many unread ones that this one found no room.
Result<void> tell_agent(const std::string& socket, const std::string& request);

/// One line to the system's log (RFC 3164, over /dev/log), as a warning; lost where that would
/// wait.
void log_warning(const std::string& line);

}  // namespace vmirror
