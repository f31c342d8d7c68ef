// diff: from what a driver wants and what is there to the steps between them. Pure.
#pragma once

#include <set>
#include <vector>

#include "plugin/api/model.hpp"

namespace vmirror {

/// The steps that turn the owned part of `observed` into `wanted`: first removals of mirrors, then
/// of ports, then VLAN learning, then ports, then mirrors, so that a name is free before it is used
/// and a mirror's output exists before the mirror. Objects that aren't owned are neither removed
/// nor changed. Empty when nothing is to do. A switch that `observed` lacks gets no steps.
std::vector<Step> diff(const Wanted& wanted, const Observed& observed);

/// The same for who knows which of `observed`'s ports are owned: costs nothing that grows with the
/// number of ports, where the wanted selections descend from the observed ones.
std::vector<Step> diff(const Wanted& wanted, const Observed& observed,
                       const std::set<PortKey>& owned_ports);

}  // namespace vmirror
