// From steps to the changes that switches are asked for. Pure.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "plugin/api/model.hpp"
#include "plugin/vsphere/submitter.hpp"

namespace vmirror::vsphere {

/// The Observer's functions of these names, and SpanOptions::park.
struct Places {
  std::function<const Ref*(const std::string&)> ref_of;
  std::function<const StandardSwitch*(const std::string&)> standard_of = {};
  std::string park = {};
  std::function<const Ref*(const std::string&)> cluster_of = {};
};

/// One for each switch of the steps, in their order. `world`: the latest that was read.
/// Error::Kind::refused: an object that is not ours; missing: no such switch.
Result<Changes> compose(std::span<const Step> steps, const Observed& world, const Places& places);

}  // namespace vmirror::vsphere
