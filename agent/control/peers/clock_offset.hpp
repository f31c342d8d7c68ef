// The offset of another host's clock, by pings with four times (RFC 5905, section 8). The quickest
// of the last eight pings decides, because a delay of another ping may have been in one direction
// only.
//
//   ours    sent ---------.            .--> received      delay  = (received - sent)
//   peer's                 '-> received - sent                     - (peer_sent - peer_received)
//
//   offset = ((peer_received - sent) + (peer_sent - received)) / 2, wrong by at most delay / 2
#pragma once

#include <algorithm>
#include <array>
#include <limits>
#include <optional>

#include "agent/control/peers/frame.hpp"

namespace vmirror {

struct ClockSample {
  Time offset = 0;  ///< The peer's clock less ours.
  Time delay = 0;   ///< There and back, without the peer's own time.
  bool operator==(const ClockSample&) const = default;
};

class ClockOffset {
 public:
  /// Takes a ping's times. Impossible times (an answer before its question: a clock was set in
  /// between, or the peer invents the times) are ignored.
  void add(const PeerTimes& t) {
    constexpr Time kMost = std::numeric_limits<Time>::max() / 2;
    for (const Time v : {t.sent, t.peer_received, t.peer_sent, t.received})
      if (v < 0 || v > kMost) return;  // So that nothing below overflows.
    const Time delay = (t.received - t.sent) - (t.peer_sent - t.peer_received);
    if (t.received < t.sent || t.peer_sent < t.peer_received || delay < 0) return;
    samples_[added_++ % samples_.size()] = {
        ((t.peer_received - t.sent) + (t.peer_sent - t.received)) / 2, delay};
  }
  /// The quickest of the last eight; none before the first.
  std::optional<ClockSample> best() const {
    if (added_ == 0) return std::nullopt;
    return *std::min_element(
        samples_.begin(),
        samples_.begin() + static_cast<std::ptrdiff_t>(std::min(added_, samples_.size())),
        [](const auto& a, const auto& b) { return a.delay < b.delay; });
  }

 private:
  std::array<ClockSample, 8> samples_;
  std::size_t added_ = 0;
};

}  // namespace vmirror
