// The drivers that there are, and the only place that knows them all.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "plugin/api/driver.hpp"

namespace vmirror {

/// One key of a driver's own in the configuration's section `switch`.
struct DriverOption {
  std::string_view name;
  /// A number of this range, both ends included; none: text.
  std::optional<std::pair<std::int64_t, std::int64_t>> range = {};
};

/// One line of `vmirror drivers`, and what its configuration may have.
struct DriverInfo {
  std::string_view name;     ///< As in the configuration.
  std::string_view summary;  ///< One line.
  std::span<const DriverOption> options = {};
};

/// Every driver; the first is the default.
std::span<const DriverInfo> drivers();

/// Which driver, and its options as they were written. An option that is left out has the driver's
/// own default.
struct DriverConfig {
  std::string name{drivers().front().name};
  std::map<std::string, std::string> options = {};
};

/// What can be told without the switch: that there is the driver, and its own options. make_driver
/// asks it. Error::Kind::invalid. Pure.
Result<void> check(const DriverConfig& config);

/// Error::Kind::invalid for a name that isn't a driver's; else as the driver's own function says.
Result<std::unique_ptr<Driver>> make_driver(const DriverConfig& config);

}  // namespace vmirror
