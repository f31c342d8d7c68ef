// What must be remembered of a session whose copies leave through a tunnel. Counters are read at
// three places at different times; the windows below are chosen so that what is compared covers the
// same frames.
//
//   the switch's own counters   all of one writing: a tunnel's port and those behind its egress
//   the collector's             told each second, by the agents' link
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
  Time no_way_since = 0;  ///< 0: there is one.

  /// Does what the tunnel was given leave the host? By the switch's writings.
  struct Left {
    Time at = 0;
    Load<std::uint64_t> due;  ///< See Underlay.
    Load<std::int64_t> left;
  };
  std::optional<Left> left;       ///< At the latest writing.
  std::optional<Left> left_base;  ///< At the latest one up to which all had left.
  int short_writings = 0;         ///< Since then.
  bool sent = false;

  /// Does it arrive? `out` was given to the tunnel's port up to a writing seen at `at`, of which
  /// the collector had received at least `received`.
  struct Edge {
    Time at = 0;
    std::uint64_t out = 0, received = 0;
  };
  std::optional<Edge> base;                         ///< The latest that was compared.
  std::optional<Edge> open;                         ///< Its copies may still be on their way.
  std::deque<std::pair<Time, std::uint64_t>> told;  ///< The collector's count, of the last 20 s.
  std::optional<std::uint64_t> last_out;            ///< To see a writing.
  bool delivered = false;                           ///< All up to `base` came.
  Time missing_since = 0;                           ///< 0: nothing is missing.
  std::uint64_t missing_of = 0, missing_came = 0;   ///< Copies given and received since.
  Time lost_at = 0;                                 ///< When some were last missing; 0: never.
};

}  // namespace vmirror
