// LACP (IEEE 802.1AX): which ports of two systems are one bond.
#pragma once

#include "agent/engine/dissect/dissector.hpp"

namespace vmirror {

/// One end of a link.
struct LacpEnd {
  std::uint16_t system_priority = 0, key = 0, port_priority = 0, port = 0;
  Mac system;
  std::uint8_t state = 0;
};

/// A data unit of the slow protocols; `ends` is of LACP alone.
struct LacpMessage {
  std::uint8_t subtype = 0;  ///< 1 LACP, 2 marker, 3 OAM, 10 an organisation's own
  std::uint8_t version = 0;
  LacpEnd actor, partner;
};

/// `bytes`: behind the EtherType. truncated; bad_value: LACP whose first parts are no actor and
/// partner.
Parsed<LacpMessage> parse_lacp(Bytes bytes);

/// Record `lacp`: version, actor and partner, each {system_priority, system, key, port_priority,
/// port, state [active, short_timeout, aggregatable, synchronized, collecting, distributing,
/// defaulted, expired]}. Other slow protocols have no record.
extern const Dissector kLacp;

}  // namespace vmirror
