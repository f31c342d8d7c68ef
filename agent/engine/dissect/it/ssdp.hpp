// SSDP (UPnP Device Architecture 2.0, section 1): what offers services on the link, and by which
// software.
#pragma once

#include "agent/engine/dissect/dissector.hpp"

namespace vmirror {

/// A message's headers. What is not there is empty; all borrow from the packet.
struct SsdpMessage {
  enum class Kind : std::uint8_t { notify, search, response } kind = Kind::notify;
  std::string_view target;  ///< NT or ST
  std::string_view state;   ///< NTS: "ssdp:alive", "ssdp:byebye"
  std::string_view usn, server, location, user_agent;
};

/// `bytes`: the UDP payload. bad_value: another first line; truncated: it ends within a line.
Parsed<SsdpMessage> parse_ssdp(Bytes bytes);

/// Record `ssdp`: type (notify | search | response), nt or st, nts, usn, server, user_agent,
/// location.
/// Facts of the sender of a notification or a response: service (ssdp.nt: "upnp:rootdevice" and
/// device types), description (ssdp.server).
extern const Dissector kSsdp;

}  // namespace vmirror
