#include "agent/engine/wire/tags.hpp"

namespace vmirror {
namespace {

/// A tag of `size` bytes; one that is cut off is none.
SkippedTag fixed(TagKind kind, Bytes behind, std::size_t size) {
  if (behind.size() < size) return {};
  std::uint64_t value = 0;
  for (const std::uint8_t byte : behind.first(size)) value = value << 8 | byte;
  return {kind, static_cast<std::uint16_t>(size), value};
}

/// Words of a length and a value each; the group tag is of type 1.
SkippedTag cmd(Bytes behind) {
  Cursor c(behind);
  c.skip(1);
  const std::size_t words = c.u8();
  SkippedTag tag{TagKind::cmd, static_cast<std::uint16_t>(2 + 4 * words), 0};
  for (std::size_t i = 0; i < words; ++i) {
    const std::uint16_t type = c.u16() & 0x0fff, value = c.u16();
    if (type == 1) tag.value = value;
  }
  return c.ok() && words > 0 ? tag : SkippedTag{};
}

SkippedTag arista_time(Bytes behind) {
  constexpr std::uint16_t kTimestamp = 1, kShort = 0x20;
  Cursor c(behind);
  if (c.u16() != kTimestamp) return {};
  const bool is_short = (c.u16() & kShort) != 0;
  SkippedTag tag = fixed(TagKind::arista_time, c.rest(), is_short ? 6 : 8);
  if (tag.size > 0) tag.size = static_cast<std::uint16_t>(tag.size + 4);
  return tag;
}

SkippedTag macsec(Bytes behind) {
  constexpr std::uint8_t kVersion = 0x80, kHasSci = 0x20, kEncrypted = 0x08, kChanged = 0x04;
  Cursor c(behind);
  const std::uint8_t control = c.u8();
  c.skip(1);
  SkippedTag tag{TagKind::macsec, 6, c.u32()};
  if ((control & kHasSci) != 0) {
    c.skip(8);
    tag.size = 14;
  }
  return c.ok() && (control & (kVersion | kEncrypted | kChanged)) == 0 ? tag : SkippedTag{};
}

SkippedTag mpls(Bytes behind) {
  SkippedTag tag = fixed(TagKind::mpls, behind, 4);
  tag.value >>= 12;
  return tag;
}

SkippedTag pppoe(Bytes behind) {
  constexpr std::uint8_t kVersionAndType = 0x11;
  Cursor c(behind);
  if (c.u8() != kVersionAndType || c.u8() != 0) return {};
  const std::uint16_t session = c.u16();
  c.skip(2);
  return c.ok() ? SkippedTag{TagKind::pppoe, 6, session} : SkippedTag{};
}

}  // namespace

SkippedTag read_tag(std::uint16_t type, Bytes behind) {
  switch (type) {
    case tag_type::kVntag:
      return fixed(TagKind::vntag, behind, 4);
    case tag_type::kBr:
      return fixed(TagKind::br, behind, 6);
    case tag_type::kCmd:
      return cmd(behind);
    case tag_type::kAciTime:
      return fixed(TagKind::aci_time, behind, 6);
    case tag_type::kAristaTime:
      return arista_time(behind);
    case tag_type::kHsr:
      return fixed(TagKind::hsr, behind, 4);
    case tag_type::kMacsec:
      return macsec(behind);
    case tag_type::kMpls:
    case tag_type::kMplsUpstream:
      return mpls(behind);
    case tag_type::kPppoe:
      return pppoe(behind);
    default:
      return {};
  }
}

bool is_prp_trailer(const std::uint8_t* end, std::size_t size) {
  return load_be16(end - 2) == tag_type::kPrp && (load_be16(end - 4) & 0x0fffu) == size;
}

const char* to_text(TagKind kind) {
  static constexpr const char* kNames[] = {"none",     "vntag",       "802.1br", "cmd",
                                           "aci_time", "arista_time", "hsr",     "macsec",
                                           "mpls",     "pppoe",       "prp"};
  static_assert(sizeof kNames / sizeof *kNames == static_cast<std::size_t>(TagKind::prp) + 1);
  return kNames[static_cast<std::size_t>(kind)];
}

}  // namespace vmirror
