// The values to keep for a session whose copies leave through a tunnel. Counters are read at three
// places at different times; the windows below are chosen so that the compared counters cover the
// same frames.
//
//   the switch's own counters   one write has all: a tunnel's port and the ports behind its egress
//   the collector's             reported each second, by the agents' link
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <utility>

#include "agent/control/reconcile/way_out.hpp"
#include "plugin/base/clock.hpp"

namespace vmirror {

struct TunnelTrack {
  bool had_way = false;   ///< A way out was seen since the mirror was put.
  Time no_way_since = 0;  ///< 0: there is a way out.

  /// Do the tunnel's copies leave the host? By the switch's writes.
  struct Left {
    Time at = 0;
    Load<std::uint64_t> due;  ///< See Underlay.
    Load<std::int64_t> left;
  };
  std::optional<Left> left;       ///< At the latest write.
  std::optional<Left> left_base;  ///< At the latest write up to which all copies had left.
  int short_writings = 0;         ///< Since then.
  std::optional<Left> sent_base;  ///< From here on two writes and ten copies prove `sent`.
  bool sent = false;

  /// Do the copies arrive? Up to the write seen at `at`, the tunnel's port was given `out` copies,
  /// of which the collector had received at least `received`.
  struct Edge {
    Time at = 0;
    std::uint64_t out = 0, received = 0;
  };
  std::optional<Edge> base;                         ///< The latest compared edge.
  std::optional<Edge> open;                         ///< Its copies may still be on their way.
  std::deque<std::pair<Time, std::uint64_t>> told;  ///< The collector's count, of the last 20 s.
  std::optional<std::uint64_t> last_out;            ///< To recognise a write.
  bool delivered = false;                           ///< All copies up to `base` arrived.
  Time missing_since = 0;                           ///< 0: no copy is missing.
  std::uint64_t missing_of = 0, missing_came = 0;   ///< Copies given and received since.
  Time lost_at = 0;                                 ///< When copies were last missing; 0: never.
};

}  // namespace vmirror
