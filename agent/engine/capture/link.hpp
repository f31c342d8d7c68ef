// The link types of capture files that we read (https://www.tcpdump.org/linktypes.html).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "agent/engine/wire/packet.hpp"

namespace vmirror {

/// LINKTYPE_ value to LinkType; none for those that we do not read.
constexpr std::optional<LinkType> link_of(std::uint32_t linktype) {
  switch (linktype) {
    case 1:
      return LinkType::ethernet;
    case 12:   // DLT_RAW of most systems
    case 14:   // DLT_RAW of OpenBSD
    case 101:  // RAW
    case 228:  // IPV4
    case 229:  // IPV6
      return LinkType::ip;
    case 113:
      return LinkType::linux_sll;
    case 276:
      return LinkType::linux_sll2;
    case 0:    // NULL
    case 108:  // LOOP
      return LinkType::bsd_null;
    default:
      return std::nullopt;
  }
}

/// "239 (NFLOG)": the number, and the name where it is a known one.
std::string linktype_text(std::uint32_t linktype);

}  // namespace vmirror
