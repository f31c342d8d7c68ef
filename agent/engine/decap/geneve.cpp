#include "agent/engine/decap/geneve.hpp"

#include "agent/engine/wire/packet.hpp"

namespace vmirror {

tl::expected<GeneveHeader, DecapError> parse_geneve(Bytes payload) {
  constexpr std::uint16_t kEthernet = 0x6558;
  Cursor c(payload);
  GeneveHeader h;
  const std::uint8_t first = c.u8();
  const std::uint8_t flags = c.u8();
  const std::uint16_t protocol = c.u16();
  h.vni = c.u24();
  c.skip(1);
  if (!c.ok()) return tl::unexpected(DecapError::geneve_truncated);
  if (first >> 6 != 0) return tl::unexpected(DecapError::geneve_version);
  h.control = (flags & 0x80) != 0;
  h.critical = (flags & 0x40) != 0;
  h.bare_ip = protocol == ethertype::kIpv4 || protocol == ethertype::kIpv6;
  if (protocol != kEthernet && !h.bare_ip) return tl::unexpected(DecapError::geneve_protocol);
  c.skip((first & 0x3f) * 4u);
  if (!c.ok()) return tl::unexpected(DecapError::geneve_truncated);
  h.size = static_cast<std::uint16_t>(c.offset());
  return h;
}

}  // namespace vmirror
