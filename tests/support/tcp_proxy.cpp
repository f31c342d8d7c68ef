#include "tests/support/tcp_proxy.hpp"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <utility>
#include <vector>

namespace vmirror::test {
namespace {

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_port = htons(port);
  out.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return out;
}

/// False when one side is gone.
bool pass(int from, int to) {
  std::array<char, 16384> buffer;
  ssize_t n = ::recv(from, buffer.data(), buffer.size(), 0);
  for (ssize_t sent = 0; sent < n;) {
    const ssize_t more =
        ::send(to, buffer.data() + sent, static_cast<std::size_t>(n - sent), MSG_NOSIGNAL);
    if (more <= 0) return false;
    sent += more;
  }
  return n > 0;
}

}  // namespace

TcpProxy::TcpProxy(std::uint16_t server_port) : server_port_(server_port) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
      ::listen(listener_, 16) == 0 &&
      ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0)
    port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { serve(); });
}

TcpProxy::~TcpProxy() {
  stop_ = true;
  thread_.join();
  ::close(listener_);
}

void TcpProxy::serve() {
  std::vector<std::pair<int, int>> pairs;
  while (!stop_) {
    std::vector<pollfd> fds{{listener_, POLLIN, 0}};
    for (const auto& [a, b] : pairs) {
      fds.push_back({a, POLLIN, 0});
      fds.push_back({b, POLLIN, 0});
    }
    held_ = hold_.load();
    held_.notify_all();
    if (held_) fds.clear();
    ::poll(fds.data(), fds.size(), 10);
    if (fds.empty()) continue;
    for (std::size_t i = pairs.size(); i-- > 0;) {
      const auto [a, b] = pairs[i];
      const bool lives = (fds[1 + 2 * i].revents == 0 || pass(a, b)) &&
                         (fds[2 + 2 * i].revents == 0 || pass(b, a));
      if (lives) continue;
      ::close(a);
      ::close(b);
      pairs.erase(pairs.begin() + static_cast<std::ptrdiff_t>(i));
    }
    if (fds[0].revents == 0) continue;
    const int client = ::accept(listener_, nullptr, nullptr);
    const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = loopback(server_port_);
    if (::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
      pairs.emplace_back(client, server);
    } else {
      ::close(client);
      ::close(server);
    }
  }
  for (const auto& [a, b] : pairs) {
    ::close(a);
    ::close(b);
  }
}

}  // namespace vmirror::test
