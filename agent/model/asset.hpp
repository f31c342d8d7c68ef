// An asset: one MAC (one NIC) of a scope with all that was learned of it. The inventory's snapshots
// hold these.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "agent/model/facts.hpp"
#include "agent/model/scope.hpp"

namespace vmirror {

/// A learned attribute, with the field that it came from and when it was last said. Those that
/// contradict each other are all kept.
struct AssetProperty {
  Attribute attribute;
  std::string value;
  std::string source;  ///< "dhcp.host_name"
  Time last = 0;
  Confidence confidence = Confidence::stated;
  Station station = {};  ///< Whom below the asset's address it is about.
  bool operator==(const AssetProperty&) const = default;
};

/// What tells assets apart, in the order in which they are listed.
struct AssetKey {
  Mac mac;
  Scope scope = 0;
  auto operator<=>(const AssetKey&) const = default;
};

struct Asset {
  Mac mac;
  Scope scope = 0;
  std::string vendor;  ///< Of the MAC's prefix, from the IEEE's registry; empty: not registered.
  std::vector<IpAddress> ips;
  std::vector<std::uint16_t> vlans;
  std::vector<AssetProperty> properties;
  bool router = false;
  Time first = 0, last = 0;
  std::uint64_t packets = 0, bytes = 0;  ///< Sent by it, of flows reported so far.
  std::string vm;                        ///< From the locations, when it is a guest of ours.
  AssetKey key() const { return {mac, scope}; }
  bool operator==(const Asset&) const = default;
};

}  // namespace vmirror
