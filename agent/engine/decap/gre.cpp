#include "agent/engine/decap/gre.hpp"

namespace vmirror {
namespace {

constexpr std::uint16_t kChecksum = 0x8000, kRouting = 0x4000, kKey = 0x2000, kSequence = 0x1000,
                        kVersion = 0x0007;

/// RFC 1071: true when the one's complement sum over all bytes, checksum included, is all ones.
/// Adds eight bytes at a time; the sum does not mind the byte order.
bool sum_is_right(Bytes bytes) {
  std::uint64_t sum = 0;
  const std::uint8_t* p = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= 8; p += 8, left -= 8) {
    std::uint64_t word;
    std::memcpy(&word, p, 8);
    sum += word;
    sum += sum < word ? 1 : 0;
  }
  std::uint64_t tail = 0;
  std::memcpy(&tail, p, left);
  sum += tail;
  sum += sum < tail ? 1 : 0;
  for (int i = 0; i < 4; ++i) sum = (sum & 0xffff) + (sum >> 16);
  return sum == 0xffff;
}

/// False: they have no end.
bool skip_routes(Cursor& c) {
  while (c.ok()) {
    const std::uint16_t family = c.u16();
    c.skip(1);
    const std::size_t length = c.u8();
    if (family == 0 && length == 0) return c.ok();
    c.skip(length);
  }
  return false;
}

}  // namespace

tl::expected<GreHeader, DecapError> parse_gre(Bytes packet, bool whole) {
  Cursor c(packet);
  GreHeader h;
  const std::uint16_t flags = c.u16();
  h.protocol = c.u16();
  if (!c.ok()) return tl::unexpected(DecapError::gre_truncated);
  if ((flags & kVersion) != 0) return tl::unexpected(DecapError::gre_version);
  if ((flags & (kChecksum | kRouting)) != 0) c.skip(4);
  h.has_key = (flags & kKey) != 0;
  if (h.has_key) h.key = c.u32();
  h.has_sequence = (flags & kSequence) != 0;
  if (h.has_sequence) h.sequence = c.u32();
  if (!c.ok()) return tl::unexpected(DecapError::gre_truncated);
  if ((flags & kRouting) != 0 && !skip_routes(c))
    return tl::unexpected(whole ? DecapError::gre_routing : DecapError::gre_truncated);
  if ((flags & kChecksum) != 0 && whole && !sum_is_right(packet))
    return tl::unexpected(DecapError::gre_checksum);
  h.size = static_cast<std::uint16_t>(c.offset());
  return h;
}

}  // namespace vmirror
