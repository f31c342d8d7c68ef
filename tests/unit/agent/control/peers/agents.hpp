// Two agents of the tests, in one process, over loopback.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "agent/control/peers/peers.hpp"

namespace vmirror::test {

/// Far more than anything needs; only a failing test waits for so long.
constexpr std::chrono::seconds kPatience{30};

inline PeerEndpoint local(std::uint16_t port) {
  PeerEndpoint out = *PeerEndpoint::parse("127.0.0.1");
  out.port = port;
  return out;
}

/// One agent's link, and all that it told, as lines: "up hosta", "hosta record {...}", "down
/// hosta".
class Agent {
 public:
  explicit Agent(PeersOptions options) {
    PeersHandlers handlers;
    handlers.on_up = [this](const std::string& host) { tell("up " + host); };
    handlers.on_down = [this](const std::string& host, const std::string&) {
      tell("down " + host);
    };
    handlers.on_message = [this](const std::string& host, const std::string& type,
                                 std::string body) {
      tell(host + " " + type + " " +
           (body.size() > 100 ? std::to_string(body.size()) + " bytes" : body));
    };
    auto link = Peers::start(std::move(options), std::move(handlers));
    EXPECT_TRUE(link) << link.error().text();
    if (link) link_ = std::move(*link);
  }

  Peers& link() { return *link_; }
  std::uint16_t port() const { return link_->status().listen->port; }
  PeerStatus peer(const std::string& host) const {
    for (const PeerStatus& peer : link_->status().peers)
      if (peer.host == host) return peer;
    return {};
  }

  /// Waits for a line.
  bool told(const std::string& line, std::size_t times = 1) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] {
      return static_cast<std::size_t>(std::count(lines_.begin(), lines_.end(), line)) >= times;
    });
  }
  std::vector<std::string> lines() {
    const std::lock_guard lock(mutex_);
    return lines_;
  }
  /// Waits for a status of which nobody tells.
  template <typename Condition>
  bool becomes(Condition condition) const {
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (!condition(link_->status())) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return true;
  }
  bool is_refused(const std::string& host) const {
    return becomes(
        [&](const PeersStatus&) { return peer(host).state == PeerStatus::State::refused; });
  }

 private:
  void tell(std::string line) {
    const std::lock_guard lock(mutex_);
    lines_.push_back(std::move(line));
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> lines_;
  std::unique_ptr<Peers> link_;  // The last: its thread uses the rest.
};

/// `b` waits for `a`.
inline PeersOptions waits(std::uint16_t port = 0) {
  PeersOptions out;
  out.host = "b";
  out.listen = local(port);
  out.peers = {{"a", local(1)}};
  return out;
}
/// `a` dials `b`.
inline PeersOptions dials(std::uint16_t port) {
  PeersOptions out;
  out.host = "a";
  out.peers = {{"b", local(port)}};
  return out;
}

}  // namespace vmirror::test
