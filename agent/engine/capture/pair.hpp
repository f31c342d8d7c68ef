// The two monitor ports of a TAP that does not aggregate, as one source: each port has one
// direction of the cable.
//
//   first    Direction::out  ---frames---> |         |
//                                          | by time | ---> one source
//   second   Direction::in   ---frames---> |         |
//
// A frame is given once the other port can have none that is older: at once where both are busy,
// and `late` after its time where the other port is silent.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>

#include "agent/model/source.hpp"

namespace vmirror {

struct PairOptions {
  std::array<std::string, 2> names = {};  ///< For warnings.
  /// A port that had nothing when it was asked has nothing that came this long before. Longer than
  /// RingOptions::block_timeout_ms, shorter than the 30 ms after which a worker takes a source for
  /// quiet.
  Time late = 25 * kMillisecond;
  std::function<Time()> clock = wall_clock;  ///< The clock that frames are stamped by.
};

/// Frames of both in the order of their times; each side must give its own in that order. A side
/// that fails ends the pair, once all frames that were taken from both are given. A half that is
/// silent for 10 s, while the other had 100 frames or more, is a warning until a frame comes: a
/// cable is pulled, or the TAP's port is not wired.
std::unique_ptr<FrameSource> make_pair_source(std::unique_ptr<FrameSource> first,
                                              std::unique_ptr<FrameSource> second,
                                              PairOptions options);

}  // namespace vmirror
