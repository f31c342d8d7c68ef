#include "plugin/registry.hpp"

#include <algorithm>
#include <array>

namespace vmirror {
namespace {

constexpr std::array kDrivers = {
    DriverInfo{"ovs", "Open vSwitch, through its database: unix, tcp or ssl", true},
    DriverInfo{"hyperv", "Hyper-V's virtual switch", false},
    DriverInfo{"esxi", "VMware ESXi's standard and distributed switches", false},
};

}  // namespace

std::span<const DriverInfo> drivers() {
  return kDrivers;
}

Result<void> check(const DriverConfig& config) {
  const auto it = std::ranges::find(kDrivers, config.name, &DriverInfo::name);
  if (it == kDrivers.end())
    return fail(Error::Kind::invalid, "there is no driver `" + config.name + "`", "driver",
                "see `vmirror drivers`");
  if (!it->supported)
    return fail(Error::Kind::unsupported, "driver `" + config.name + "` is not in this version yet",
                "driver", "use `ovs`");
  return check(config.ovs);
}

Result<std::unique_ptr<Driver>> make_driver(const DriverConfig& config) {
  if (const auto good = check(config); !good) return tl::unexpected(good.error());
  return make_ovs_driver(config.ovs);
}

}  // namespace vmirror
