// Whether the neighbour that a destination is reached by answers, as this host's kernel saw it.
#pragma once

#include "plugin/base/address.hpp"

namespace vmirror {

/// True: the kernel sends no packet to `to`, since its next hop (`to` itself, or the gateway of its
/// route) has not answered the kernel's latest ARP requests or neighbour solicitations, or not yet:
/// a caller asks for longer than a neighbour needs to answer. False: the next hop answers, nobody
/// sent anything to it lately, or the kernel does not say. Of this network namespace; does not
/// wait. Any thread.
/// Source: rtnetlink(7), RTM_GETROUTE, RTM_GETNEIGH, and the states NUD_INCOMPLETE and NUD_FAILED.
bool next_hop_is_silent(const IpAddress& to);

}  // namespace vmirror
