// Unix sockets with a bound on how long a call may take: what a client of a daemon on this host
// needs.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <utility>

#include "plugin/base/result.hpp"

namespace vmirror {

using Deadline = std::chrono::steady_clock::time_point;

/// A descriptor that closes itself.
class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd();
  int get() const { return fd_; }

 private:
  int fd_;
};

/// Waits until `events` (POLLIN, POLLOUT) are possible. False: `deadline` came first.
bool wait_for(int fd, short events, Deadline deadline);

/// Connects without waiting: a connection to a Unix socket is there at once, or the listener's
/// queue is full. Error::Kind::unreachable with the reason and the path.
Result<Fd> connect_unix(const std::string& path);

/// Sends as much as there is room for; returns how much. Negative: the peer is gone.
ssize_t send_some(int fd, std::string_view bytes);

/// Sends all. Error::Kind::unreachable: the peer is gone, or `deadline` came first; without a
/// place, which the caller knows.
Result<void> send_all(int fd, std::string_view bytes, Deadline deadline);

}  // namespace vmirror
