#include "plugin/registry.hpp"

#include <algorithm>
#include <array>

#include "plugin/hyperv/driver.hpp"
#include "plugin/ovs/driver.hpp"
#include "plugin/vsphere/driver.hpp"

namespace vmirror {
namespace {

constexpr std::array kOvsKeys = {
    DriverOption{"remote"},
    DriverOption{"insecure"},
    DriverOption{"private_key"},
    DriverOption{"certificate"},
    DriverOption{"ca_certificate"},
    DriverOption{"owner"},
    DriverOption{"run_directory"},
    DriverOption{"timeout_ms", std::pair<std::int64_t, std::int64_t>(100, 60000)},
};

constexpr std::array kVsphereKeys = {
    DriverOption{"url"},
    DriverOption{"credentials_file"},
    DriverOption{"credentials_systemd"},
    DriverOption{"ca_file"},
    DriverOption{"thumbprint"},
    DriverOption{"owner"},
    DriverOption{"receiver"},
    DriverOption{"acts"},
    DriverOption{"uplink"},
    DriverOption{"span"},
    DriverOption{"span_vlans"},
    DriverOption{"span_adopt"},
    DriverOption{"span_repair"},
    DriverOption{"adapter"},
    DriverOption{"span_park"},
    DriverOption{"span_duplicates"},
    DriverOption{"drs_rules"},
    DriverOption{"drs_hosts"},
    DriverOption{"rspan_adapter"},
    DriverOption{"timeout_ms", std::pair<std::int64_t, std::int64_t>(100, 60000)},
};

constexpr std::array kHypervKeys = {
    DriverOption{"url"},
    DriverOption{"credentials_file"},
    DriverOption{"credentials_systemd"},
    DriverOption{"ca_file"},
    DriverOption{"thumbprint"},
    DriverOption{"auth"},
    DriverOption{"keytab"},
    DriverOption{"owner"},
    DriverOption{"monitor"},
    DriverOption{"monitor_session", std::pair<std::int64_t, std::int64_t>(0, 255)},
    DriverOption{"vlans"},
    DriverOption{"affinity_rules"},
    DriverOption{"native_vlan", std::pair<std::int64_t, std::int64_t>(0, 4094)},
    DriverOption{"poll_ms", std::pair<std::int64_t, std::int64_t>(50, 60000)},
    DriverOption{"timeout_ms", std::pair<std::int64_t, std::int64_t>(100, 60000)},
};

constexpr std::array kDrivers = {
    DriverInfo{"ovs", "Open vSwitch, through its database: unix, tcp or ssl", kOvsKeys},
    DriverInfo{"vsphere", "VMware's virtual switches, through the API of vCenter or ESXi (vim25)",
               kVsphereKeys},
    DriverInfo{"hyperv", "Hyper-V's virtual switches, through WMI over WS-Management", kHypervKeys},
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
  if (config.name == "vsphere") return check(vsphere_options(config.options));
  if (config.name == "hyperv") return check(hyperv_options(config.options));
  return check(ovs_options(config.options));
}

Result<std::unique_ptr<Driver>> make_driver(const DriverConfig& config) {
  if (const auto good = check(config); !good) return tl::unexpected(good.error());
  if (config.name == "vsphere") return make_vsphere_driver(vsphere_options(config.options));
  if (config.name == "hyperv") return make_hyperv_driver(hyperv_options(config.options));
  return make_ovs_driver(ovs_options(config.options));
}

}  // namespace vmirror
