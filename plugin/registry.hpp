// The drivers that there are, and the only place that knows them all.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "plugin/api/driver.hpp"
#include "plugin/ovs/driver.hpp"

namespace vmirror {

/// One line of `vmirror drivers`.
struct DriverInfo {
  std::string_view name;     ///< As in the configuration.
  std::string_view summary;  ///< One line.
  bool supported;            ///< False: planned, not in this version.
};

/// Every driver, those of this version first.
std::span<const DriverInfo> drivers();

/// Which driver, and the options of the one that `name` names.
struct DriverConfig {
  std::string name = "ovs";
  OvsOptions ovs;
};

/// What can be told without the switch: that this version has the driver, and its own options.
/// make_driver asks it. Error::Kind::invalid or unsupported. Pure.
Result<void> check(const DriverConfig& config);

/// Error::Kind::invalid for a name that isn't a driver's, Error::Kind::unsupported for one that
/// isn't in this version; else as the driver's own function says.
Result<std::unique_ptr<Driver>> make_driver(const DriverConfig& config);

}  // namespace vmirror
