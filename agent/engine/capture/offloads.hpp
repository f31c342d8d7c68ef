// The offloads of an interface that merge received frames before anybody can see them.
#pragma once

#include <string>
#include <vector>

namespace vmirror {

/// Names as ethtool has them, of those that are on: "generic-receive-offload",
/// "large-receive-offload". Empty where none is, or the interface can't tell. `off`: switches them
/// off first; what is left is what could not be. Source: linux/ethtool.h, ethtool(8) -K.
std::vector<std::string> merging_offloads(const std::string& interface, bool off);

}  // namespace vmirror
