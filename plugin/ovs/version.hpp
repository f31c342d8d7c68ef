// Open vSwitch's versions, and in which of them copies come twice. Pure.
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>

namespace vmirror::ovs {

struct Version {
  int major = 0, minor = 0, patch = 0;
  auto operator<=>(const Version&) const = default;
  std::string text() const;  ///< "3.1.0"
};

/// The first N.N.N of a text ("Open vSwitch 3.1.0, schema 8.3.1"); none: there is none.
std::optional<Version> version_in(std::string_view text);

/// A frame whose headers the switch changed on its way (TTL, NAT) is mirrored once more, so that it
/// is copied as it came and as it went, where both its ports are mirrored. Seen on 3.5.0 and 4.0.0,
/// not on 3.1.0.
bool copies_changed_frames_again(const Version& version);

/// Frames that go through a bond of mode balance-tcp are looked up twice (recirculation), and
/// mirrored each time: the version of the same series that doesn't, else 3.7.0. None: this one
/// doesn't.
std::optional<Version> bonds_fixed_in(const Version& version);

}  // namespace vmirror::ovs
