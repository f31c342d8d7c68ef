#include "agent/engine/decap/vxlan.hpp"

namespace vmirror {

tl::expected<VxlanHeader, DecapError> parse_vxlan(Bytes payload, bool extended) {
  constexpr std::uint8_t kInstance = 0x08, kNextProtocol = 0x04;
  constexpr std::uint8_t kIpv4 = 1, kIpv6 = 2, kEthernet = 3;
  Cursor c(payload);
  const std::uint8_t flags = c.u8();
  if (c.ok() && (flags & kInstance) == 0) return tl::unexpected(DecapError::vxlan_flags);
  c.skip(2);
  const std::uint8_t next = c.u8();
  VxlanHeader h;
  h.vni = c.u24();
  c.skip(1);
  if (!c.ok()) return tl::unexpected(DecapError::vxlan_truncated);
  if (extended && (flags & kNextProtocol) != 0) {
    h.bare_ip = next == kIpv4 || next == kIpv6;
    if (next != kEthernet && !h.bare_ip) return tl::unexpected(DecapError::vxlan_flags);
  }
  return h;
}

}  // namespace vmirror
