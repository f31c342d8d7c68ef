// The smaller encapsulations in UDP: each a few bytes in front of a frame or an IP packet.
//
//   field[n]: n bytes, field:n: n bits
//
//   TZSP    | 0x01[1] | type[1] | protocol[2] | tag[1] length[1] value, any number | 0x01[1] |
//           | frame |
//   HP ERM  | unknown[8] | unknown[1] | PCP:3 CFI:1 VLAN:12 | tagged:1 unknown:7 | frame |
//   GTP-U   | 001:3 PT:1 -:1 E:1 S:1 PN:1 | 0xff[1] | length[2] | TEID[4] |
//           | sequence[2] | N-PDU[1] | next[1] |           with E, S or PN
//           | words[1] | ... | next[1] |                   while next is not 0
//           | IP packet |
//   CAPWAP  | 0x00[1] | words:5 RID:5 WBID:5 T:1 F:1 L:1 W:1 M:1 K:1 -:3 | fragment id[2] |
//           | offset:13 -:3 | radio MAC, wireless info |
//           | 802.3 frame, or 802.11 frame (T, WBID 1) |
//   Teredo  | 0x0001[2] | ID length[1] | value length[1] | ID | value | nonce[8] | 0[1] |
//           | 0x0000[2] | port[2] | address[4] |           either may be absent
//           | IPv6 packet |
//
// Not taken off, and named: TZSP that carries neither Ethernet nor 802.11, GTP's signalling, CAPWAP
// with DTLS, in fragments (F), or of another radio than 802.11; of 802.11 all but whole data frames
// in clear (wlan.hpp).
//
// GTP-U: 3GPP TS 29.281, 5.1. CAPWAP: RFC 5415, 4.3. Teredo: RFC 4380, 5.1.1. HP ERM: no public
// document; the fields are those that Wireshark shows.
#pragma once

#include <tl/expected.hpp>

#include "agent/engine/decap/error.hpp"
#include "agent/model/frame.hpp"
#include "plugin/base/cursor.hpp"

namespace vmirror {

struct DatagramHeader {
  std::uint16_t size = 0;              ///< Bytes to what it carries.
  LinkType link = LinkType::ethernet;  ///< Of what it carries: ethernet, ip or wlan.
  bool has_session = false;
  std::uint32_t session = 0;  ///< GTP's TEID.
  std::uint16_t vlan = 0;     ///< That HP's header names; the frame has its tag.
};

/// Reads the header at the front of a UDP payload that carries `carried`: tzsp, hp_erm, gtp, capwap
/// or teredo. `whole`: the capture did not cut the payload. Errors: datagram_truncated where the
/// capture cut the header off; datagram_header where the datagram is something else;
/// datagram_unsupported for the contents that are named above.
tl::expected<DatagramHeader, DecapError> parse_datagram(Encapsulation carried, Bytes payload,
                                                        bool whole);

}  // namespace vmirror
