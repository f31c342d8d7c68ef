// The daemon's configuration: one YAML file, read whole or not at all. docs/OPERATING.md,
// "Configuration", is the manual of the format.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "agent/control/follow/sensor_follow.hpp"
#include "agent/control/peers/peers.hpp"
#include "agent/control/store/link.hpp"
#include "agent/engine/capture/capture.hpp"
#include "agent/engine/decap/decap.hpp"
#include "agent/engine/export/sink.hpp"
#include "agent/model/budget.hpp"
#include "agent/model/finding.hpp"
#include "agent/model/scope.hpp"
#include "plugin/registry.hpp"

namespace vmirror {

/// What becomes of our mirrors when the daemon is stopped.
enum class OnStop : std::uint8_t { remove, keep };

/// One interface that frames are taken from.
struct InputConfig {
  std::string name;  ///< Default: the interface's.
  RingOptions ring;
  std::string second;  ///< The other port of a TAP's pair, whose first is the ring's; empty: none.
  int workers = 1;
  DecapOptions decap;
  Identity identity;
  std::string reinject;  ///< Interface that decapsulated frames are sent out of; empty: none.

  /// Those that frames are taken from.
  std::vector<std::string> interfaces() const {
    if (second.empty()) return {ring.interface};
    return {ring.interface, second};
  }
};

struct PrometheusConfig {
  std::string address = "127.0.0.1";
  std::uint16_t port = 9477;
};

/// The hypervisor of this host.
struct LibvirtConfig {
  std::string uri = "qemu:///system";
  /// The VM that analyses, by name or UUID; migrated after its sources. Empty: none.
  std::string sensor;
  SensorFollowOptions follow;
};

/// The agents of other hosts.
struct PeersConfig {
  PeersOptions link;
  /// Host name -> URI under which that host's libvirt is reached from this one; only where given.
  std::map<std::string, std::string> libvirt;
};

struct Config {
  std::string host;  ///< Default: this host's name.
  std::string policies = "/etc/vmirror/policies.d";
  std::string socket = "/run/vmirror/control.sock";
  std::string log_level = "info";
  OnStop on_stop = OnStop::keep;
  std::string user;  ///< Where root starts the daemon, it goes on as this user; empty: it doesn't.
  std::string state = "/var/lib/vmirror";  ///< Folder for what outlives the daemon.

  /// None: this daemon drives no switch; it only collects.
  std::optional<DriverConfig> driver;
  /// The appliance's monitor NIC; none: the agent runs on the host and has a port of its own there.
  std::optional<Mac> monitor_nic;
  std::optional<LibvirtConfig> libvirt;  ///< None: this daemon asks no hypervisor.
  std::optional<PeersConfig> peers;      ///< None: this daemon knows no other.
  std::optional<StoreOptions> store;     ///< None: the policies are those of the folder alone.
  std::vector<Budget> budgets;           ///< Of this host's copies; the names are unique.
  /// How the target `local` is captured; its interface is found by the daemon.
  InputConfig local;
  std::vector<InputConfig> inputs;

  std::vector<std::string> protocols{"all"};
  std::uint32_t max_flows = 262144;  ///< Of each worker.
  std::uint32_t max_streams = 65536;
  std::uint32_t max_assets = 65536;
  Time asset_timeout = 7 * 86400 * kSecond;  ///< 0: none.
  std::uint32_t top_flows = 100;

  FindingOptions findings;

  std::vector<SinkOptions> eve;
  std::chrono::seconds eve_stats_interval{60};  ///< 0: no stats events.
  std::optional<PrometheusConfig> prometheus;
};

/// What can be told of a configuration without the world: nothing in it contradicts the rest, is
/// not in this version, or would be ignored without a word. parse_config and Daemon::start ask it.
/// Error::Kind::invalid or unsupported; `where` is the key. Pure.
Result<void> check(const Config& config);

/// Reads a configuration. `file` is used in errors only. As check() says, too, with
/// the file before the key. Error::Kind::invalid or unsupported. Pure, but for the default of
/// `host`.
Result<Config> parse_config(std::string_view text, const std::string& file);

/// Reads the file. Error::Kind::missing or invalid.
Result<Config> load_config(const std::string& path);

/// A file with the keys of `store` alone, for who asks the store without a daemon. Error::Kind as
/// load_config.
Result<StoreOptions> load_store_options(const std::string& path);

}  // namespace vmirror
