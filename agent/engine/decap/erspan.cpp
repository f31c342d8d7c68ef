#include "agent/engine/decap/erspan.hpp"

namespace vmirror {
namespace {

/// The four bytes that both types begin with. Returns the two bits that are En or BSO.
std::uint8_t read_common(std::uint32_t word, ErspanHeader& h) {
  h.vlan = word >> 16 & 0x0fff;
  h.cos = static_cast<std::uint8_t>(word >> 13 & 7);
  h.truncated = (word >> 10 & 1) != 0;
  h.session = word & 0x03ff;
  return static_cast<std::uint8_t>(word >> 11 & 3);
}

void read_subheader(std::uint32_t first, std::uint32_t second, ErspanHeader& h) {
  const std::uint64_t upper_time = static_cast<std::uint64_t>(second) << 32;
  h.has_subheader = true;
  h.platform = static_cast<std::uint8_t>(first >> 26);
  switch (h.platform) {
    case 1:
      h.domain = first & 0x0fff;
      h.port = second;
      return;
    case 3:
      h.port = first & 0x3fff;
      h.timestamp |= upper_time;
      return;
    case 5:
    case 6:
      h.domain = first >> 16 & 0x03ff;
      h.port = first & 0xffff;
      h.timestamp |= upper_time;
      return;
    case 0:
    case 7:
      h.port = first & 0xfffff;
      h.timestamp |= upper_time;
      return;
    default:
      return;
  }
}

}  // namespace

tl::expected<ErspanHeader, DecapError> parse_erspan2(Bytes packet) {
  Cursor c(packet);
  ErspanHeader h;
  const std::uint32_t word = c.u32();
  const std::uint32_t index = c.u32();
  if (!c.ok()) return tl::unexpected(DecapError::erspan_truncated);
  if (word >> 28 != 1) return tl::unexpected(DecapError::erspan_version);
  h.tag = static_cast<ErspanHeader::Tag>(read_common(word, h));
  h.port = index & 0xfffff;
  h.size = 8;
  return h;
}

tl::expected<ErspanHeader, DecapError> parse_erspan3(Bytes packet) {
  Cursor c(packet);
  ErspanHeader h;
  const std::uint32_t word = c.u32();
  h.timestamp = c.u32();
  h.group = c.u16();
  const std::uint16_t flags = c.u16();
  if (!c.ok()) return tl::unexpected(DecapError::erspan_truncated);
  if (word >> 28 != 2) return tl::unexpected(DecapError::erspan_version);
  h.bad_frame = read_common(word, h);
  h.hardware = flags >> 4 & 0x3f;
  h.egress = (flags & 8) != 0;
  h.granularity = flags >> 1 & 3;
  const int frame_type = flags >> 10 & 0x1f;
  h.bare_ip = frame_type == 2;
  if (frame_type != 0 && frame_type != 2) return tl::unexpected(DecapError::erspan_frame_type);
  if ((flags & 1) != 0) {
    const std::uint32_t first = c.u32();
    const std::uint32_t second = c.u32();
    if (!c.ok()) return tl::unexpected(DecapError::erspan_truncated);
    read_subheader(first, second, h);
  }
  h.size = static_cast<std::uint8_t>(c.offset());
  return h;
}

}  // namespace vmirror
