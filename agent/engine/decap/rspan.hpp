// RSPAN: the switch sends a copy over a VLAN of its own, as the outermost tag.
//
//   | dst[6] | src[6] | TPID[2] | PCP:3 DEI:1 VLAN:12 | the frame's own tags and type... |
//
//   field[n]: n bytes, field:n: n bits
#pragma once

#include <span>

#include "agent/model/frame.hpp"

namespace vmirror {

/// The frame without its outermost tag: the capture's metadata loses it where it was stripped
/// already; else the MACs move up to the rest, for which the frame is copied to `buffer` (a frame
/// longer than the buffer is cut to it; `wire_size` keeps its length). The frame must have a tag:
/// Packet::tag_count > 0. IEEE 802.1Q.
Frame without_outer_tag(const Frame& frame, std::span<std::uint8_t> buffer);

}  // namespace vmirror
