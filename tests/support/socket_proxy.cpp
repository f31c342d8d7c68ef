#include "tests/support/socket_proxy.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <stdexcept>
#include <vector>

namespace vmirror::test {
namespace {

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  return address;
}

}  // namespace

/// How deep into a JSON object one direction is: nothing but the braces parts OVSDB's messages.
struct SocketProxy::Json {
  int depth = 0;
  bool in_string = false, escaped = false;

  /// True when the character ends a message.
  bool ends_with(char c) {
    if (in_string) {
      if (!escaped && c == '"') in_string = false;
      escaped = !escaped && c == '\\';
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{') {
      depth++;
    } else if (c == '}') {
      return --depth == 0;
    }
    return false;
  }
};

struct SocketProxy::Link {
  int client = -1, server = -1;
  Json up, down;
};

SocketProxy::SocketProxy(std::string listen_path, std::string server_path)
    : listen_path_(std::move(listen_path)), server_path_(std::move(server_path)) {
  listener_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_un address = address_of(listen_path_);
  if (bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      listen(listener_, 8) != 0 || pipe2(stop_, O_CLOEXEC) != 0)
    throw std::runtime_error("can't listen at " + listen_path_);
  thread_ = std::thread([this] { serve(); });
}

SocketProxy::~SocketProxy() {
  close(stop_[1]);
  thread_.join();
  close(stop_[0]);
  close(listener_);
  unlink(listen_path_.c_str());
}

void SocketProxy::cut_after(std::size_t n) {
  cut_ = false;
  countdown_ = n;
}

/// Passes what there is, at most to the end of the message after which to cut. False: close the
/// link.
bool SocketProxy::pass(int from, int to, Json& json) {
  char buffer[65536];
  const ssize_t got = recv(from, buffer, sizeof buffer, 0);
  if (got <= 0) return false;
  std::size_t end = 0;
  bool cut = false;
  while (end < static_cast<std::size_t>(got) && !cut)
    if (json.ends_with(buffer[end++]) && countdown_ != 0) cut = --countdown_ == 0;
  std::size_t sent = 0;
  while (sent < end) {
    const ssize_t n = send(to, buffer + sent, end - sent, MSG_NOSIGNAL);
    if (n <= 0) return false;
    sent += static_cast<std::size_t>(n);
  }
  if (cut) cut_ = true;
  return !cut;
}

void SocketProxy::serve() {
  std::vector<Link> links;
  for (;;) {
    std::vector<pollfd> fds = {{stop_[0], POLLIN, 0}, {listener_, POLLIN, 0}};
    for (const Link& link : links) {
      fds.push_back({link.client, POLLIN, 0});
      fds.push_back({link.server, POLLIN, 0});
    }
    poll(fds.data(), fds.size(), -1);
    if (fds[0].revents != 0) break;
    std::vector<Link> kept;
    const bool cut_before = cut_;
    for (std::size_t i = 0; i < links.size(); i++) {
      Link& link = links[i];
      bool ok = true;
      if (fds[2 + 2 * i].revents != 0) ok = pass(link.client, link.server, link.up);
      if (ok && fds[3 + 2 * i].revents != 0) ok = pass(link.server, link.client, link.down);
      if (ok) {
        kept.push_back(link);
      } else {
        close(link.client);
        close(link.server);
      }
    }
    links = std::move(kept);
    if (cut_ && !cut_before) {
      for (const Link& link : links) {
        close(link.client);
        close(link.server);
      }
      links.clear();
    }
    if (fds[1].revents != 0) {
      Link link;
      link.client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      link.server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
      const sockaddr_un address = address_of(server_path_);
      if (connect(link.server, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
        links.push_back(link);
      } else {
        close(link.client);
        close(link.server);
      }
    }
  }
  for (const Link& link : links) {
    close(link.client);
    close(link.server);
  }
}

}  // namespace vmirror::test
