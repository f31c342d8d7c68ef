#include "agent/engine/decap/datagrams.hpp"

#include "agent/engine/wire/wlan.hpp"

namespace vmirror {
namespace {

using Parsed = tl::expected<DatagramHeader, DecapError>;

const tl::unexpected<DecapError> kOther(DecapError::datagram_header);
const tl::unexpected<DecapError> kUnsupported(DecapError::datagram_unsupported);

DatagramHeader header(const Cursor& c, LinkType link) {
  DatagramHeader h;
  h.size = static_cast<std::uint16_t>(c.offset());
  h.link = link;
  return h;
}

Parsed wlan(const Cursor& c) {
  if (!parse_wlan(c.rest())) return kUnsupported;
  return header(c, LinkType::wlan);
}

Parsed tzsp(Cursor& c) {
  constexpr std::uint8_t kVersion = 1, kReceived = 0, kToSend = 1, kPadding = 0, kEnd = 1;
  constexpr std::uint16_t kEthernet = 1, kWlan = 18;
  if (c.u8() != kVersion) return kOther;
  const std::uint8_t type = c.u8();
  const std::uint16_t protocol = c.u16();
  if (type != kReceived && type != kToSend) return kOther;  // Keep-alive, configuration.
  for (;;) {
    const std::uint8_t tag = c.u8();
    if (!c.ok()) return kOther;
    if (tag == kEnd) break;
    if (tag != kPadding) c.skip(c.u8());
  }
  if (protocol == kWlan) return wlan(c);
  if (protocol != kEthernet) return kUnsupported;
  return header(c, LinkType::ethernet);
}

Parsed hp_erm(Cursor& c) {
  c.skip(8);
  const std::uint32_t word = c.u32();
  DatagramHeader h = header(c, LinkType::ethernet);
  h.vlan = word >> 8 & 0xfff;
  return h;
}

Parsed gtp(Cursor& c) {
  constexpr std::uint8_t kVersionMask = 0xf0, kVersion1 = 0x30, kOptional = 0x07, kExtended = 0x04,
                         kData = 255;
  const std::uint8_t flags = c.u8();
  if ((flags & kVersionMask) != kVersion1) return kOther;
  if (c.u8() != kData) return kOther;
  c.skip(2);
  const std::uint32_t tunnel = c.u32();
  std::uint8_t next = 0;
  if ((flags & kOptional) != 0) {
    c.skip(3);
    next = c.u8();
  }
  if ((flags & kExtended) == 0) next = 0;
  while (next != 0 && c.ok()) {
    const std::size_t words = c.u8();
    if (words == 0) return kOther;
    c.skip(words * 4 - 2);
    next = c.u8();
  }
  if (!c.empty() && c.rest()[0] >> 4 != 4 && c.rest()[0] >> 4 != 6) return kUnsupported;
  DatagramHeader h = header(c, LinkType::ip);
  h.session = tunnel;
  h.has_session = true;
  return h;
}

Parsed capwap(Cursor& c) {
  constexpr std::uint8_t kPlain = 0, kDtls = 1;
  constexpr std::uint32_t kNative = 0x100, kFragment = 0x80, kKeepAlive = 0x08, kWlan = 1;
  const std::uint8_t preamble = c.u8();
  if (preamble == kDtls) return kUnsupported;
  if (preamble != kPlain) return kOther;
  const std::uint32_t word = c.u24();
  const std::size_t size = (word >> 19) * 4;
  if (size < 8) return kOther;
  c.skip(size - 4);
  if ((word & kKeepAlive) != 0) return kOther;
  if ((word & kFragment) != 0) return kUnsupported;
  if ((word & kNative) == 0) return header(c, LinkType::ethernet);
  return (word >> 9 & 0x1f) == kWlan ? wlan(c) : kUnsupported;
}

Parsed teredo(Cursor& c) {
  constexpr std::uint16_t kAuthentication = 1, kOrigin = 0;
  const auto indicator = [&] { return c.left() >= 2 ? load_be16(c.rest().data()) : 0xffff; };
  if (indicator() == kAuthentication) {
    c.skip(2);
    const std::size_t id = c.u8(), value = c.u8();
    c.skip(id + value + 9);
  }
  if (indicator() == kOrigin) c.skip(8);
  if (!c.ok() || c.left() < 40 || c.rest()[0] >> 4 != 6) return kOther;
  return header(c, LinkType::ip);
}

Parsed parse(Encapsulation carried, Cursor& c) {
  switch (carried) {
    case Encapsulation::tzsp:
      return tzsp(c);
    case Encapsulation::hp_erm:
      return hp_erm(c);
    case Encapsulation::gtp:
      return gtp(c);
    case Encapsulation::capwap:
      return capwap(c);
    case Encapsulation::teredo:
      return teredo(c);
    default:
      return kOther;
  }
}

}  // namespace

Parsed parse_datagram(Encapsulation carried, Bytes payload, bool whole) {
  Cursor c(payload);
  Parsed h = parse(carried, c);
  if (!c.ok() || (h && c.empty()))
    return tl::unexpected(whole ? DecapError::datagram_header : DecapError::datagram_truncated);
  return h;
}

}  // namespace vmirror
