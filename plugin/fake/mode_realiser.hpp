// The realiser of the mode switch: every NIC that a session wants is a source, the monitor NIC the
// destination. An object for each NIC.
#pragma once

#include <memory>

#include "plugin/api/realiser.hpp"

namespace vmirror::fake {

std::unique_ptr<Realiser> make_mode_realiser();

/// What the mode switch shows as its one mirror.
constexpr const char* kModeMirror = "monitor mode";
/// The type of a port that can't be a source.
constexpr const char* kPassedThrough = "sriov";

}  // namespace vmirror::fake
