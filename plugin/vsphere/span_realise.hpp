// What a session becomes on a standard switch: a SPAN port group, promiscuous mode of it, and the
// appliance's adapter on it. All sessions of a switch share them. Pure.
#pragma once

#include <memory>
#include <string>

#include "plugin/api/realiser.hpp"
#include "plugin/vsphere/span.hpp"

namespace vmirror::vsphere {

/// For sessions of standard switches. Each switch of the world is looked at anew when a port, an
/// object or a session of it changed.
std::unique_ptr<Realiser> make_span_realiser(std::string owner, SpanOptions options);

}  // namespace vmirror::vsphere
