// The speed of an interface's link, by which its ring is made.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace vmirror {

/// Mbit/s as the driver states them. Empty: it does not know, or the link is down. Source:
/// linux/ethtool.h, ETHTOOL_GSET.
std::optional<std::uint32_t> link_speed(const std::string& interface);

}  // namespace vmirror
