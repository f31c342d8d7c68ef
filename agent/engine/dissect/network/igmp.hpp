// IGMP (RFC 1112, RFC 2236, RFC 3376): who listens to which IPv4 multicast group.
#pragma once

#include "agent/engine/dissect/dissector.hpp"

namespace vmirror {

struct IgmpMessage {
  std::uint8_t type = 0;
  IpAddress group;            ///< Unspecified in a general query; empty in a version 3 report.
  std::uint16_t records = 0;  ///< Version 3 report: group records that follow.
  Bytes record_bytes;
  bool wrong_sum = false;  ///< Not told of a cut copy.
};

/// `bytes`: the IGMP message. truncated.
Parsed<IgmpMessage> parse_igmp(Bytes bytes, bool cut);

/// Record `igmp`: type, checksum where it is "wrong", group; a version 3 report: groups
/// [{record_type, group}], 64 at most. Facts: none; who queries may as well be a switch as a
/// router.
extern const Dissector kIgmp;

}  // namespace vmirror
