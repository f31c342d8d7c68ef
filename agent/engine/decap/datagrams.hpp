// The smaller encapsulations in UDP: each a few bytes in front of a frame or an IP packet. In bits:
//
//   TZSP      | version 8 = 1 | type 8 | protocol 16 | [tag 8 [length 8 value]]... | 1 8 | frame |
//   HP ERM    | unknown 64 | unknown 8 PCP 3 CFI 1 VLAN 12 tagged 1 unknown 7 | frame |
//   GTP-U     | version 3 = 1 PT 1 - 1 E 1 S 1 PN 1 | type 8 = 255 | length 16 | TEID 32 |
//             | [sequence 16 | N-PDU 8 | next 8 | [words 8 | ... | next 8]...] | IP packet |
//   CAPWAP    | version 4 = 0 type 4 | words 5 RID 5 WBID 5 T 1 F 1 L 1 W 1 M 1 K 1 - 3 | ID 16 |
//             | offset 13 - 3 | [radio MAC, wireless info] | 802.3 frame |
//   Teredo    | [0x0001 16 | ID length 8 | value length 8 | ID | value | nonce 64 | 8] |
//             | [0x0000 16 | port 16 | address 32] | IPv6 packet |
//
// Not taken off, and named: TZSP that carries no Ethernet, GTP's signalling, CAPWAP with DTLS, in
// fragments (F), or with 802.11 frames (T).
//
// GTP-U: 3GPP TS 29.281, 5.1. CAPWAP: RFC 5415, 4.3. Teredo: RFC 4380, 5.1.1. HP ERM: no public
// document; the fields are those that Wireshark shows.
#pragma once

#include <tl/expected.hpp>

#include "agent/engine/decap/error.hpp"
#include "agent/engine/decap/udp_carriers.hpp"
#include "plugin/base/cursor.hpp"

namespace vmirror {

struct DatagramHeader {
  std::uint16_t size = 0;  ///< Bytes to what it carries.
  bool bare_ip = false;    ///< Carries an IP packet; else an Ethernet frame.
  bool has_session = false;
  std::uint32_t session = 0;  ///< GTP's TEID.
  std::uint16_t vlan = 0;     ///< That HP's header names; the frame has its tag.
};

/// Reads the header of a tzsp, hp_erm, gtp, capwap or teredo at the front of a UDP payload. `whole`:
/// the capture did not cut it. datagram_truncated where the capture cut it off; else
/// datagram_header: the datagram is something else; or datagram_unsupported, for what is named above.
tl::expected<DatagramHeader, DecapError> parse_datagram(UdpCarrier carrier, Bytes payload,
                                                        bool whole);

}  // namespace vmirror
