// GENEVE: an Ethernet frame or an IP packet behind UDP port 6081.
//
//   | version:2 | options' length:6, of 4 bytes | O:1 | C:1 | reserved:6 | protocol:16 |    bits
//   | VNI:24 | reserved:8 | options... |
#pragma once

#include <tl/expected.hpp>

#include "agent/engine/decap/error.hpp"
#include "plugin/base/cursor.hpp"

namespace vmirror {

struct GeneveHeader {
  std::uint16_t size = 0;  ///< Bytes to the frame, options included.
  bool control = false;    ///< O
  bool critical = false;   ///< C: some option must be understood by an endpoint; we are none.
  bool bare_ip = false;    ///< Protocol 0x0800 or 0x86dd.
  std::uint32_t vni = 0;
};

/// Reads the header at the front of a UDP payload; options are skipped. geneve_truncated,
/// geneve_version, geneve_protocol. RFC 8926, section 3.4.
tl::expected<GeneveHeader, DecapError> parse_geneve(Bytes payload);

}  // namespace vmirror
