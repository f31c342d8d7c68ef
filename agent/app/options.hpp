// What each part of the daemon is told of the configuration: the parts have options of their own
// and know of no file.
#pragma once

#include "agent/app/config.hpp"
#include "agent/confine/confine.hpp"
#include "agent/control/evidence/collector_link.hpp"
#include "agent/control/follow/following.hpp"
#include "agent/control/follow/sensor_follower.hpp"
#include "agent/engine/worker/engine.hpp"

namespace vmirror {

/// With the inputs of the configuration; the sinks are the caller's. Reads the vendors of MACs and
/// the kernel's random numbers. Error: as Dissectors::select.
Result<EngineOptions> engine_options(const Config& config);

/// The folders in which the daemon writes, as the configuration names them.
ConfineOptions confine_options(const Config& config);

FollowingOptions following_options(const Config& config);
/// Of a configuration with `peers`; with the bounds of each message.
PeersOptions peers_options(const Config& config);
SensorFollowerOptions sensor_options(const Config& config);
CollectorLinkOptions collector_link_options(const Config& config);

}  // namespace vmirror
