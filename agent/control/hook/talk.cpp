#include "agent/control/hook/talk.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "plugin/base/unix_socket.hpp"

namespace vmirror {
namespace {

tl::unexpected<Error> unreachable(const std::string& what, const std::string& socket) {
  return fail(Error::Kind::unreachable, what, socket, "is vmirrord running?");
}

tl::unexpected<Error> unreachable(const std::string& socket) {
  return unreachable(std::strerror(errno), socket);
}

bool set_path(sockaddr_un& address, const std::string& path) {
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) return false;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return true;
}

Result<Fd> connect_to(const std::string& path) {
  auto fd = connect_unix(path);
  if (!fd) fd.error().remedy = "is vmirrord running?";
  return fd;
}

}  // namespace

ReadBytes read_until(int fd, std::size_t limit, HookClock::time_point deadline) {
  ReadBytes out;
  while (out.bytes.size() < limit) {
    if (!wait_for(fd, POLLIN, deadline)) return out;
    char buffer[16384];
    const ssize_t got = ::read(fd, buffer, std::min(sizeof buffer, limit - out.bytes.size()));
    if (got == 0) out.whole = true;
    if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN)) return out;
    if (got > 0) out.bytes.append(buffer, static_cast<std::size_t>(got));
  }
  return out;
}

Result<std::string> read_file(const std::string& path, std::size_t limit) {
  // Not waiting, so that a pipe put there by mistake is no trap.
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (fd.get() < 0)
    return fail(errno == ENOENT ? Error::Kind::missing : Error::Kind::unreachable,
                std::strerror(errno), path);
  std::string out;
  for (;;) {
    char buffer[16384];
    const ssize_t got = ::read(fd.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(Error::Kind::unreachable, std::strerror(errno), path);
    if (got == 0) return out;
    out.append(buffer, static_cast<std::size_t>(got));
    if (out.size() > limit)
      return fail(Error::Kind::exhausted, "longer than " + std::to_string(limit) + " bytes", path);
  }
}

Result<HookReply> ask_agent(const std::string& socket, const std::string& request,
                            HookClock::time_point deadline) {
  const auto fd = connect_to(socket);
  if (!fd) return tl::unexpected(fd.error());
  if (const auto sent = send_all(fd->get(), request, deadline); !sent)
    return unreachable(sent.error().what, socket);
  std::string bytes;
  for (;;) {
    if (!wait_for(fd->get(), POLLIN, deadline))
      return unreachable("the agent does not answer", socket);
    char buffer[4096];
    const ssize_t got = ::recv(fd->get(), buffer, sizeof buffer, MSG_DONTWAIT);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got < 0) return unreachable(socket);
    bytes.append(buffer, static_cast<std::size_t>(got));
    auto reply = parse_hook_reply(bytes, got == 0);
    if (!reply) return tl::unexpected(reply.error());
    if (*reply) return std::move(**reply);
  }
}

Result<void> tell_agent(const std::string& socket, const std::string& request) {
  const auto fd = connect_to(socket);
  if (!fd) return tl::unexpected(fd.error());
  // Room for all of it, so that an agent that is busy reads it later; root may ask for so much.
  const int room = static_cast<int>(2 * request.size() + 65536);
  (void)::setsockopt(fd->get(), SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room);
  const ssize_t sent = send_some(fd->get(), request);
  if (sent < 0) return unreachable(socket);
  if (static_cast<std::size_t>(sent) < request.size())
    return unreachable("no room for the call", socket);
  return {};
}

void log_warning(const std::string& line) {
  const Fd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  set_path(address, "/dev/log");
  constexpr int kDaemonWarning = 3 * 8 + 4;
  const std::string text = "<" + std::to_string(kDaemonWarning) + ">vmirror-hook[" +
                           std::to_string(::getpid()) + "]: " + line;
  (void)::sendto(fd.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
                 reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

}  // namespace vmirror
