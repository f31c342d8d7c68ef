// ERSPAN types II and III: what a mirroring switch puts between GRE and the copy. Type I has no
// header of its own: GRE protocol 0x88be without a sequence number, and the frame follows.
//
//   field:n: n bits
//
//   II   | version:4 = 1 | VLAN:12 | COS:3 | En:2 | T:1 | session:10 | reserved:12 | index:20 |
//
//   III  | version:4 = 2 | VLAN:12 | COS:3 | BSO:2 | T:1 | session:10 | timestamp:32 |
//        | SGT:16 | P:1 | FT:5 | HwID:6 | D:1 | Gra:2 | O:1 |
//   O 1  | PlatfID:6 | 58 bits by PlatfID:
//          1     | reserved:14 | VSM domain:12   | port:32
//          3     | reserved:12 | port:14         | upper half of the time:32
//          4     | reserved:58
//          5, 6  | switch:10   | port:16         | seconds:32
//          7, 0  | reserved:6  | source index:20 | upper half of the time:32
#pragma once

#include <tl/expected.hpp>

#include "agent/engine/decap/error.hpp"
#include "plugin/base/cursor.hpp"

namespace vmirror {

struct ErspanHeader {
  /// Type II, En: what became of the copy's VLAN tag.
  enum class Tag : std::uint8_t { none = 0, isl = 1, taken_out = 2, in_frame = 3 };

  std::uint8_t size = 0;  ///< Bytes to the frame.
  std::uint16_t session = 0;
  std::uint16_t vlan = 0;
  std::uint8_t cos = 0;
  bool truncated = false;

  Tag tag = Tag::in_frame;       ///< II; III has no such field and leaves the tag in the frame.
  std::uint32_t port = 0;        ///< II: index. III: port or source index of the subheader.
  std::uint8_t bad_frame = 0;    ///< III: BSO. 0 good, 1 short, 2 oversized, 3 CRC or alignment.
  std::uint64_t timestamp = 0;   ///< III: with the subheader's seconds or upper half above bit 32.
  std::uint8_t granularity = 0;  ///< III: 0 100 us, 1 100 ns, 2 IEEE 1588, 3 custom.
  std::uint16_t group = 0;       ///< III: security group tag.
  std::uint8_t hardware = 0;     ///< III: engine within the switch.
  bool egress = false;           ///< III: D.
  bool bare_ip = false;          ///< III: FT 2, the copy begins at its IP header.
  bool has_subheader = false;
  std::uint8_t platform = 0;
  std::uint16_t domain = 0;  ///< III: VSM domain (platform 1), switch (5, 6).
};

/// The frame lost its VLAN tag, and the header has it.
constexpr bool lost_tag(const ErspanHeader& h) {
  return h.tag == ErspanHeader::Tag::taken_out || h.tag == ErspanHeader::Tag::isl;
}

/// Read what follows GRE. erspan_truncated, erspan_version, and type III: erspan_frame_type. P is
/// ignored: switches leave it 0 with FT 0. A subheader of an unknown platform is skipped.
/// draft-foschiano-erspan-03, sections 4.2 and 4.3.
tl::expected<ErspanHeader, DecapError> parse_erspan2(Bytes packet);
tl::expected<ErspanHeader, DecapError> parse_erspan3(Bytes packet);

}  // namespace vmirror
