// The envelope of ERSPAN II as switches send it, recognised from one frame to the next:
//
//   field[n]: n bytes; digits: bytes in hexadecimal
//
//   0          12     14                          20                 22       23
//   | MACs[12] | 0800 | 45, tos, length[2], id[2] | flags, offset[2] | ttl[1] | 2f |
//   24            26       30       34          38            42          50
//   | checksum[2] | src[4] | dst[4] | 1000 88be | sequence[4] | ERSPAN[8] | copy... |
//
// What tells sender and session is compared with an envelope that was read in full before; the rest
// is taken from where it must be then.
#pragma once

#include <algorithm>
#include <array>
#include <cstring>
#include <new>

#include "agent/engine/decap/erspan.hpp"
#include "agent/engine/decap/sessions.hpp"
#include "agent/model/frame.hpp"

namespace vmirror {

enum class Shortcut : std::uint8_t;

/// The few envelopes that came last, by a hash of sender and session.
class Envelopes {
 public:
  static constexpr std::size_t kSize = 50;  ///< Of an envelope: where the mirrored frame begins.

  /// `taken_off` counts what `take_known` took off; `udp` says what may be encapsulated once more.
  Envelopes(std::uint64_t& taken_off, const UdpCarriers& udp) : taken_off_(taken_off), udp_(udp) {}

  /// What is known of one: its session's counters, and its origin as far as it is always the same.
  struct Known {
    std::uint32_t sender = 0;            ///< As it stands in the frame.
    std::uint32_t session = 0xffffffff;  ///< ERSPAN's first word, masked: else it is none.
    Sessions::Entry* entry = nullptr;
    Origin origin;
  };

  /// The known envelope of this frame; null where it isn't one that can be taken this way. The
  /// frame is one of may_be_erspan2.
  const Known* find(const Frame& frame) const {
    const std::uint8_t* at = frame.bytes.data();
    const Known& known = known_[slot(at)];
    const std::uint32_t session = load(at + 42) & kSessionMask;
    const bool same = ((load(at + 26) ^ known.sender) | (session ^ known.session) | form(at)) == 0;
    return same && has_place(frame) ? &known : nullptr;
  }
  /// Remembers the envelope of a frame whose outermost layer is an accepted ERSPAN II session.
  void remember(const Frame& frame, const Origin& origin, Sessions::Entry* entry) {
    const std::uint8_t* at = frame.bytes.data();
    if (may_be_erspan2(frame) && has_place(frame) && form(at) == 0)
      known_[slot(at)] = {load(at + 26), load(at + 42) & kSessionMask, entry, origin};
  }

 private:
  static std::uint32_t load(const std::uint8_t* at) {
    std::uint32_t v;
    std::memcpy(&v, at, 4);
    return v;
  }
  /// Four bytes as `load` gives them.
  static constexpr std::uint32_t word(std::uint8_t a, std::uint8_t b, std::uint8_t c,
                                      std::uint8_t d) {
    return a | std::uint32_t{b} << 8 | std::uint32_t{c} << 16 | std::uint32_t{d} << 24;
  }
  static constexpr std::uint32_t kSessionMask = 0xff0300f0;  ///< Version and session ID.
  static std::size_t slot(const std::uint8_t* at) { return (at[29] ^ at[45]) % kKnown; }
  static bool has_place(const Frame& frame) {
    return frame.link == LinkType::ethernet && !frame.stripped.present();
  }
  /// 0: IPv4 without options, no fragment, GRE.
  static std::uint32_t form(const std::uint8_t* at) {
    return ((load(at + 12) ^ word(8, 0, 0x45, 0)) & word(255, 255, 255, 0)) |
           ((load(at + 20) ^ word(0, 0, 0, 47)) & word(0xbf, 255, 0, 255));
  }

  friend Shortcut take_known(Envelopes&, const Frame&, Frame&, Packet&, Origin&);

  std::uint64_t& taken_off_;
  const UdpCarriers& udp_;
  static constexpr std::size_t kKnown = 16;
  std::array<Known, kKnown> known_{};
};

/// How much of a frame's encapsulation `take_known` took off.
enum class Shortcut : std::uint8_t {
  none,       ///< Nothing: the frame is for parse_packet and `take`.
  whole,      ///< What `take` would take off; it is counted.
  outermost,  ///< What is inside may be encapsulated again: it is for Decapsulator::take_inner.
};

/// The common case, at a small part of the cost: ERSPAN II in GRE in untagged IPv4 without options,
/// of a session and sender that Decapsulator::take has accepted lately. The frame is one of
/// may_be_erspan2. What was taken off is in `inner` (which borrows from `frame`), `packet` and
/// `origin`.
[[gnu::always_inline]] inline Shortcut take_known(Envelopes& envelopes, const Frame& frame,
                                                  Frame& inner, Packet& packet, Origin& origin) {
  const Envelopes::Known* known = envelopes.find(frame);
  if (known == nullptr) return Shortcut::none;
  const std::uint8_t* at = frame.bytes.data();
  const std::size_t captured = frame.bytes.size() - Envelopes::kSize;
  const std::size_t wire_size = load_be16(at + 16) + std::size_t{14} - Envelopes::kSize;
  // Too short for a link header; past 65,535 `take` looks at less.
  if (wire_size - 14 > 0xffff - Envelopes::kSize - 14) return Shortcut::none;
  inner = frame;
  inner.bytes = {at + Envelopes::kSize, std::min(wire_size, captured)};
  inner.wire_size = static_cast<std::uint32_t>(wire_size);
  const std::uint16_t vlan = load_be16(at + 42) & 0xfff;
  // En is 1 or 2: ErspanHeader::Tag::isl or taken_out.
  if (((at[44] + 8) & 16) != 0) {
    inner.stripped = {ethertype::kVlan, static_cast<std::uint16_t>((at[44] & 0xe0) << 8 | vlan)};
    inner.wire_size += 4;
  }
  new (&packet) Packet(parse_packet(inner.bytes, LinkType::ethernet, inner.stripped));  // No copy.
  origin = known->origin;
  origin.truncated = (at[44] & 4) != 0;
  origin.vlan = vlan;
  origin.port_index = load_be32(at + 46) & 0xfffff;
  if (may_be_encapsulated(packet, envelopes.udp_, std::nullopt)) return Shortcut::outermost;
  SessionCounters& c = known->entry->counters;
  ++c.received;
  c.last = frame.time;
  c.bytes += inner.wire_size;
  c.truncated += origin.truncated ? 1 : 0;
  known->entry->see(load_be32(at + 38));
  ++envelopes.taken_off_;
  return Shortcut::whole;
}

}  // namespace vmirror
