// What the API answers, as JSON, from the snapshots of both flows. Pure.
#pragma once

#include <boost/json.hpp>
#include <map>
#include <string>
#include <vector>

#include "agent/confine/confine.hpp"
#include "agent/control/admission/hook_watch.hpp"
#include "agent/control/affinity/guest_book.hpp"
#include "agent/control/affinity/location_table.hpp"
#include "agent/control/evidence/coverage_log.hpp"
#include "agent/control/follow/following.hpp"
#include "agent/control/libvirt/connection.hpp"
#include "agent/control/policy/policy_file.hpp"
#include "agent/control/reconcile/reconciler.hpp"
#include "agent/control/store/link.hpp"
#include "agent/engine/capture/nic.hpp"
#include "agent/engine/export/prometheus.hpp"
#include "agent/engine/export/sink.hpp"
#include "agent/engine/worker/snapshot.hpp"
#include "agent/report/verdict.hpp"

namespace vmirror {

/// Everything that is known at one time.
struct DaemonView {
  std::string host;
  std::optional<std::string> driver;  ///< None: this daemon drives no switch.
  Time now = 0;
  Time started = 0;
  const ControlSnapshot& control;  ///< Of a daemon without a switch: as made.
  const EngineCounters& engine;
  const PolicyFolder& policies;  ///< As last read, good or not.
  std::vector<CoverageRow> coverage;
  std::vector<SinkStatus> outputs;
  std::optional<LibvirtStatus> libvirt = {};      ///< None: this daemon asks no hypervisor.
  std::optional<PeersStatus> peers = {};          ///< None: this daemon knows no other.
  std::optional<StoreStatus> store = {};          ///< None: the policies are the folder's alone.
  std::optional<FollowingStatus> following = {};  ///< None: this daemon drives no switch.
  HookStatus hook = {};
  std::optional<Error> hook_file_error = {};  ///< What the hook reads is not what is in force.
  boost::json::object sensor = {};            ///< SensorFollower::status()
  std::size_t locations_gone = 0;             ///< LocationTable::gone()
  std::uint64_t locations_overflow = 0;       ///< LocationTable::overflow()
  GuestBook::Count guests = {};
  Collectors collectors = {};  ///< Those that are agents linked with this one.
  bool drained = false;        ///< By `vmirror drain`.
  Confinement confinement = {};
  /// Of the engine's inputs, by name: the interfaces that each reads, those that are there.
  std::map<std::string, std::vector<NicState>> nics = {};
};

/// The bounds that are in use: the engine's and, where the daemon follows guests, the daemon's own.
std::vector<Limit> limits(const DaemonView& view);

/// The parts of it that the verdict needs.
HypervisorView hypervisor_of(const LibvirtStatus& libvirt);
AskedView asked_of(const DaemonView& view);

/// {"host", "uptime_seconds", "privileges", "switch", "libvirt", "hook", "peers", "migrations",
/// "sensor", "store", "policy_error", "verdict", "policies", "sessions", "budgets", "reconcile":
/// {"in_sync", "rounds", "steps_applied", "drifts", "failures", "error"}, "frames", "inputs",
/// "coverage", "duplicates", "clocks", "flows", "assets", "limits", "outputs"}. docs/OPERATING.md,
/// "Status, by field", has those up to "store", "budgets" and "verdict". An error that isn't is
/// null; so are "hook" without libvirt, "peers", "migrations" and "store" without these.
boost::json::object status_json(const DaemonView& view);

/// {"in_sync", "steps": [{"step", "why"}], "error", "verdict"}
boost::json::object plan_json(const AskedView& view);

/// {"sessions": [...], "verdict"}, {"locations": [...]}, {"assets": [...]}, {"flows": [...]}
boost::json::object sessions_json(const AskedView& view);
/// `rows` are LocationTable's.
boost::json::object locations_json(const std::vector<LocationRow>& rows,
                                   const ControlSnapshot& control);
/// {"migrations": [...]}, each as agent/control/affinity/record_json.hpp has it. `vm`: those of
/// this name or UUID; empty: all.
boost::json::object migrations_json(const std::vector<MigrationRecord>& records,
                                    const std::string& vm);
/// {"assets": [...], "from", "to", "workers_missing"}, and so of "flows": agent/engine/worker/
/// snapshot.hpp says what the times are.
boost::json::object assets_json(const AssetList& list);
boost::json::object flows_json(const TopFlows& top);
/// {"findings": [...], "from", "to", "workers_missing"}. A finding has "state": active, or quiet
/// where it was not seen for kFindingQuiet.
boost::json::object findings_json(const FindingList& list);
constexpr Time kFindingQuiet = 900 * kSecond;

/// The same for Prometheus.
std::vector<Metric> metrics(const DaemonView& view);

}  // namespace vmirror
