// The VLAN setting of an adapter (Msvm_EthernetSwitchPortVlanSettingData) as a value and as one
// text, which the PowerShell module writes alike. Pure.
//
//   Untagged | Access 10 | Trunk 1-4094 native 0 | Private
#pragma once

#include <bitset>
#include <cstdint>
#include <optional>
#include <string>

#include "plugin/base/result.hpp"
#include "plugin/hyperv/cim.hpp"

namespace vmirror::hyperv {

constexpr std::size_t kVlans = 4095;  ///< IDs go from 0 to 4094; 0 stands for untagged frames.
using VlanSet = std::bitset<kVlans>;

/// "1-3,7"; Error::Kind::invalid for what is no list of VLANs.
Result<VlanSet> parse_vlans(const std::string& text);
std::string to_text(const VlanSet& vlans);

struct VlanSetting {
  enum class Mode : std::uint8_t { untagged, access, trunk, isolated };  ///< OperationMode
  Mode mode = Mode::untagged;
  std::uint16_t vlan = 0;  ///< Of access; the native one of a trunk.
  /// Without 0: untagged frames come by the native VLAN, and the host takes only IDs from 1 on.
  VlanSet trunk = {};

  /// The VLANs of the adapter's frames, as the switch has them; 0: untagged.
  VlanSet frames() const;
  /// Whether a monitor adapter with this setting receives frames of these VLANs.
  bool carries(const VlanSet& frames) const;
  std::string text() const;
  bool operator==(const VlanSetting&) const = default;
};

VlanSetting read_vlans(const Instance& setting);
/// The properties that AddFeatureSettings is given for it.
std::vector<Property> encode_vlans(const VlanSetting& setting);

}  // namespace vmirror::hyperv
