// Tags between the MACs and the EtherType that are no VLAN: switches and redundancy protocols write
// them, and analysis goes on behind them. Each begins with a type of its own; an EtherType follows.
//
//   field[n]: n bytes, field:n: n bits
//
//   | dst mac[6] | src mac[6] | type[2] tag, up to eight | EtherType[2] | ...
//
//   0x8926  VN-Tag       | D:1 P:1 dst vif:14 | L:1 R:1 ver:2 src vif:12 |
//   0x893f  802.1BR      | PCP:3 DEI:1 ingress ECID:12 | -:2 GRP:2 ECID:12 | ext[1] | ext[1] |
//   0x8909  Cisco CMD    | version[1] | words[1] | length:4 type:12, SGT[2] for each word |
//   0x8988  ACI time     | time[6] |
//   0xd28b  Arista time  | 0x0001[2] | version[2] | time[8], or time[6] where version has 0x20 |
//   0x892f  HSR          | path:4 size:12 | sequence[2] |
//   0x88e5  MACsec       | V:1 ES:1 SC:1 SCB:1 E:1 C:1 AN:2 | short length[1] | packet number[4] |
//                        | SCI[8], with SC |
//   0x8847  MPLS         | label:20 TC:3 S:1 TTL:8 |, the last has S    (0x8848: upstream-assigned)
//   0x8864  PPPoE        | ver:4 type:4 | code[1] | session[2] | length[2] | PPP protocol[1 or 2] |
//   (end)   PRP          | sequence[2] | LAN:4 size:12 | 0x88fb[2] |    behind the payload
//
// What cannot be skipped: MACsec with E or C set (encrypted, or changed), a control field of PPPoE
// other than a session's data. The frame then ends at the tag, whose type is the Packet's
// EtherType.
//
// IEEE 802.1BR, 802.1AE, 802.1Q; IEC 62439-3 (HSR, PRP); RFC 3032, RFC 2516; for VN-Tag, CMD, the
// time tags: the vendors' documents, and the frames that their switches send.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "agent/engine/wire/packet.hpp"
#include "plugin/base/cursor.hpp"

namespace vmirror {

namespace tag_type {
constexpr std::uint16_t kVntag = 0x8926, kBr = 0x893f, kCmd = 0x8909, kAciTime = 0x8988,
                        kAristaTime = 0xd28b, kHsr = 0x892f, kMacsec = 0x88e5, kMpls = 0x8847,
                        kMplsUpstream = 0x8848, kPppoe = 0x8864, kPrp = 0x88fb;
}  // namespace tag_type

enum class TagKind : std::uint8_t {
  none,
  vntag,
  br,  ///< 802.1BR
  cmd,
  aci_time,
  arista_time,
  hsr,
  macsec,
  mpls,
  pppoe,
  prp,
};
/// "vntag": stable, used in every output.
const char* to_text(TagKind kind);

struct SkippedTag {
  TagKind kind = TagKind::none;
  /// Bytes behind its type; 0: it is none, or it can't be skipped, or is cut off.
  std::uint16_t size = 0;
  /// VN-Tag, 802.1BR: the 4 or 6 bytes behind the type. CMD: the security group. Time tags: the
  /// time, as it stands there. HSR, PRP: path or LAN, size and sequence, as they stand there.
  /// MACsec: the packet number. MPLS: the label. PPPoE: the session.
  std::uint64_t value = 0;
  bool operator==(const SkippedTag&) const = default;
};

/// The tag of this type, which `behind`, the frame's rest, begins with. Does not know VLANs, PRP,
/// nor what follows an MPLS label or stands behind PPP's protocol: the parser does. Pure.
SkippedTag read_tag(std::uint16_t type, Bytes behind);

/// True where the 6 bytes before `end` are PRP's trailer of a frame that is `size` bytes long from
/// behind its tags: the size in it tells how far it is from there. Pure.
bool is_prp_trailer(const std::uint8_t* end, std::size_t size);

/// All tags of a frame, in order, for those who show them; the parser only counts them
/// (`Packet::skipped_tags`). At most kMaxSkippedTags. Pure, no allocation.
struct SkippedTags {
  std::array<SkippedTag, Packet::kMaxSkippedTags> tags;
  std::size_t count = 0;
};
SkippedTags skipped_tags(Bytes frame, LinkType link);

}  // namespace vmirror
