// Why an encapsulation could not be taken off: the named errors of all parsers of
// agent/engine/decap.
#pragma once

#include <cstddef>
#include <cstdint>

#include "agent/model/drop.hpp"

namespace vmirror {

enum class DecapError : std::uint8_t {
  none,
  gre_truncated,
  gre_version,   ///< Not 0; 1 is PPTP (RFC 2637), which carries PPP.
  gre_routing,   ///< The source routes of RFC 1701 have no end.
  gre_checksum,  ///< The sum over the whole GRE packet is wrong.
  gre_protocol,  ///< None that we read: `gre_unknown()` has its number.
  erspan_truncated,
  erspan_version,     ///< Not the one that the GRE protocol promises.
  erspan_frame_type,  ///< ERSPAN III FT other than Ethernet and IP.
  vxlan_truncated,
  vxlan_flags,  ///< The I bit is not set: no VXLAN header; or it carries neither Ethernet nor IP.
  geneve_truncated,
  geneve_version,
  geneve_protocol,       ///< Neither Ethernet nor IP.
  fragment_malformed,    ///< Past 65,535 bytes, not a multiple of 8, or two ends.
  fragment_overlap,      ///< Covers bytes of another fragment (RFC 5722).
  datagram_truncated,    ///< The capture cut off a header of datagrams.hpp.
  datagram_header,       ///< A datagram of something else.
  datagram_unsupported,  ///< What it carries is named in datagrams.hpp, and not read.
  count_,
};
constexpr std::size_t kDecapErrors = static_cast<std::size_t>(DecapError::count_);

/// "gre_checksum": stable, used as a counter's name.
const char* to_text(DecapError error);

/// The drop that this error ends in.
Drop drop_of(DecapError error);

/// True where the datagram is something else rather than a broken mirror.
constexpr bool is_no_mirror(DecapError error) {
  return error == DecapError::gre_version || error == DecapError::gre_protocol ||
         error == DecapError::vxlan_flags || error == DecapError::geneve_version ||
         error == DecapError::geneve_protocol || error == DecapError::gre_routing ||
         error == DecapError::datagram_header || error == DecapError::datagram_unsupported;
}

}  // namespace vmirror
