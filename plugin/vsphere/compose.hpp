// From steps to the changes that switches are asked for. Pure.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "plugin/api/model.hpp"
#include "plugin/vsphere/submitter.hpp"

namespace vmirror::vsphere {

/// One for each switch of the steps, in their order. `ref_of` is Observer's. `world`: the latest
/// that was read. Error::Kind::refused: an object that is not ours; missing: no such switch.
Result<std::vector<SwitchChange>> compose(
    std::span<const Step> steps, const Observed& world,
    const std::function<const Ref*(const std::string&)>& ref_of);

}  // namespace vmirror::vsphere
