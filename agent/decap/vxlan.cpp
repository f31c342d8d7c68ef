#include "agent/decap/vxlan.hpp"

namespace vmirror {

tl::expected<VxlanHeader, DecapError> parse_vxlan(Bytes payload) {
  Cursor c(payload);
  const std::uint8_t flags = c.u8();
  if (c.ok() && (flags & 0x7f) != 0x08) return tl::unexpected(DecapError::vxlan_flags);
  c.skip(3);
  VxlanHeader h;
  h.vni = c.u24();
  c.skip(1);
  if (!c.ok()) return tl::unexpected(DecapError::vxlan_truncated);
  return h;
}

}  // namespace vmirror
