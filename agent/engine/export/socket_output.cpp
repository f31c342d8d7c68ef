// A Unix socket that another program listens on, as Suricata's unix_stream and unix_dgram: we
// connect, and connect again when the reader comes back. A reader never gets half a line at the
// start of a connection.
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "agent/engine/export/output.hpp"

namespace vmirror {
namespace {

class Socket final : public LineOutput {
 public:
  explicit Socket(SocketOutput options) : options_(std::move(options)) {}
  ~Socket() override { close(); }

  Attempt write(std::string_view text) override {
    Attempt attempt;
    if (fd_ < 0) attempt.error = connect();
    if (attempt.error) return attempt;
    if (options_.datagram) {
      send_lines(text, attempt);
    } else {
      send_stream(text, attempt);
    }
    return attempt;
  }

  void reopen() override {
    if (!inside_line_) close();
  }

 private:
  std::optional<Error> connect() {
    fd_ = ::socket(
        AF_UNIX, (options_.datagram ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, options_.path.data(), options_.path.size());
    if (fd_ >= 0 &&
        ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
      return std::nullopt;
    const int number = errno;
    close();
    return error("nobody takes the events: ", number);
  }

  void send_stream(std::string_view text, Attempt& attempt) {
    const ssize_t n = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
    if (n > 0) {
      attempt.taken = attempt.written = static_cast<std::size_t>(n);
      attempt.lines = count_lines(text.substr(0, static_cast<std::size_t>(n)));
      inside_line_ = text[attempt.taken - 1] != '\n';
      return;
    }
    if (wait_if_full(errno)) return;
    attempt.error = error("the reader went away: ", errno);
    close();
    if (!inside_line_) return;
    attempt.taken = std::min(text.find('\n'), text.size() - 1) + 1;
    attempt.lost = 1;
    attempt.reason = LineLoss::disconnected;
    inside_line_ = false;
  }

  void send_lines(std::string_view text, Attempt& attempt) {
    while (attempt.taken < text.size()) {
      const std::size_t end = text.find('\n', attempt.taken);
      const std::string_view line = text.substr(attempt.taken, end + 1 - attempt.taken);
      if (::send(fd_, line.data(), line.size(), MSG_NOSIGNAL) >= 0) {
        attempt.taken += line.size();
        attempt.written += line.size();
        ++attempt.lines;
      } else if (errno == EMSGSIZE) {
        attempt.taken += line.size();
        ++attempt.lost;
        attempt.reason = LineLoss::too_long;
      } else {
        if (wait_if_full(errno)) return;
        attempt.error = error("the reader went away: ", errno);
        return close();
      }
    }
  }

  /// True when the reader is only slow; then it has been given a while.
  bool wait_if_full(int number) const {
    if (number == EINTR) return true;
    if (number != EAGAIN && number != ENOBUFS) return false;
    constexpr int kWaitMs = 100;
    pollfd p{fd_, POLLOUT, 0};
    ::poll(&p, 1, kWaitMs);
    return true;
  }

  Error error(const std::string& what, int number) const {
    return {Error::Kind::unreachable, what + std::strerror(number), options_.path,
            "start the program that listens on this socket"};
  }

  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

  SocketOutput options_;
  int fd_ = -1;
  bool inside_line_ = false;  ///< The stream's last byte was not a line's end.
};

}  // namespace

Result<std::unique_ptr<LineOutput>> make_socket_output(const SocketOutput& options) {
  if (options.path.empty() || options.path.size() >= sizeof(sockaddr_un{}.sun_path))
    return fail(Error::Kind::invalid, "not a Unix socket's path", options.path,
                "1 to 107 bytes are possible");
  return std::make_unique<Socket>(options);
}

}  // namespace vmirror
