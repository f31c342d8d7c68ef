// A frame as it travels: capture -> decap -> dissect -> flow. The bytes are borrowed from the ring,
// the mapped file or the reassembly buffer and are good until the call that passes them returns.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "agent/engine/wire/packet.hpp"
#include "plugin/api/model.hpp"
#include "plugin/base/clock.hpp"

namespace vmirror {

enum class Encapsulation : std::uint8_t {
  none,
  erspan1,
  erspan2,
  erspan3,
  gre,
  vxlan,
  geneve,
  rspan,
  ip,          ///< IPv4 or IPv6 in either (RFC 2003, RFC 2473, RFC 4213).
  teredo,      ///< IPv6 in UDP (RFC 4380).
  gtp,         ///< GTP-U, IP (3GPP TS 29.281).
  capwap,      ///< CAPWAP data, 802.3 frames (RFC 5415).
  tzsp,        ///< TaZmen Sniffer Protocol, Ethernet frames.
  hp_erm,      ///< HP's and Aruba's encapsulated remote mirroring.
  pbb,         ///< IEEE 802.1ah
  fabricpath,  ///< Cisco FabricPath
  isl,         ///< Cisco ISL
  mpls,        ///< An Ethernet pseudowire (RFC 4448); IP behind labels is no encapsulation here.
  count_
};
constexpr std::size_t kEncapsulations = static_cast<std::size_t>(Encapsulation::count_);
/// "erspan2"
const char* to_text(Encapsulation encapsulation);

/// How a frame came to us: what the encapsulation said of it. Zero values: it said nothing.
struct Origin {
  Encapsulation encapsulation = Encapsulation::none;
  bool has_session = false;
  bool truncated = false;  ///< The mirroring switch cut the copy.
  Direction direction =
      Direction::none;         ///< ERSPAN III D bit: ingress of the source port is `out`.
  std::uint8_t bad_frame = 0;  ///< ERSPAN III BSO: 0 good, 1 short, 2 oversized, 3 CRC.
  std::uint8_t depth = 0;      ///< Encapsulations taken off.
  std::uint16_t vlan = 0;      ///< VLAN that the ERSPAN header names; 0: none.
  /// ERSPAN session ID, GRE key, VNI, RSPAN VLAN, TEID, I-SID, FTAG, ISL VLAN, MPLS label.
  std::uint32_t session = 0;
  std::uint32_t overlay = 0;     ///< Scope of the innermost overlay (model/scope.hpp); 0: none.
  std::uint32_t port_index = 0;  ///< ERSPAN II index, ERSPAN III port of the subheader.
  /// ERSPAN III timestamp in its own granularity; a subheader's seconds or upper half above bit 32.
  std::uint64_t hardware_time = 0;
  std::uint8_t granularity = 0;  ///< ERSPAN III Gra; see granularity_text.
  std::uint8_t hardware_id = 0;  ///< ERSPAN III Hw ID: the engine within the switch, 6 bits.
  std::uint16_t group = 0;       ///< ERSPAN III SGT: the security group of the frame; 0: none.
  IpAddress sender;              ///< Outer source address.
};

/// The unit of Origin::hardware_time: "100us", "100ns", "1588" (seconds above bit 32, nanoseconds
/// below), "custom" (the switch's own).
const char* granularity_text(std::uint8_t granularity);

struct Frame {
  Bytes bytes;                  ///< As captured; may be shorter than the wire had.
  std::uint32_t wire_size = 0;  ///< Bytes that the wire had, a stripped tag included.
  LinkType link = LinkType::ethernet;
  Direction direction = Direction::none;  ///< By the port of a TAP that it came from.
  VlanTag stripped;  ///< A tag that is no longer in `bytes` (ring metadata, ERSPAN header).
  Time time = 0;
  std::uint16_t input = 0;   ///< Index of the capture input in the configuration.
  std::uint32_t number = 0;  ///< Of the record in its capture file, from 1; 0: not of a file.
};

/// The nanoseconds of a time beyond the microseconds that `format_time` and EVE's timestamp show.
constexpr unsigned nanoseconds_of(Time time) {
  return static_cast<unsigned>(time % 1000);
}
/// Bytes that `frame.bytes` would have, had all of the frame been captured.
inline std::size_t whole_size(const Frame& frame) {
  constexpr std::size_t kTag = 4;
  return frame.wire_size - (frame.stripped.present() ? kTag : 0);
}
/// Not all of the frame was captured.
inline bool is_cut(const Frame& frame) {
  return frame.bytes.size() < whole_size(frame);
}
/// The same, or who mirrored the frame cut it before: then its IP header alone tells.
inline bool is_cut(const Frame& frame, const Packet& packet) {
  return is_cut(frame) || frame.bytes.size() < packet.stated_size();
}
/// Bytes that the frame had on the wire, from the MAC header on, by the capture and the IP header.
inline std::size_t wire_bytes(const Frame& frame, const Packet& packet) {
  const std::size_t told = std::max<std::size_t>(frame.wire_size, frame.bytes.size());
  if (packet.stated_size() <= frame.bytes.size()) [[likely]]
    return told;
  return std::max(told, packet.stated_size() + (frame.wire_size - whole_size(frame)));
}

}  // namespace vmirror
