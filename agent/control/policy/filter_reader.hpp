// A policy's `filter`: docs/OPERATING.md, "Filters", is the manual of the format.
#pragma once

#include "agent/control/policy/yaml.hpp"
#include "plugin/api/filter.hpp"

namespace vmirror {

/// Reads a list of rules. Refuses rules that match no frame: a port of a protocol without ports, an
/// address of another family than the protocol's. See yaml::Reader.
yaml::Reader filter_reader(Filter& out);

}  // namespace vmirror
