// The reconciler keeps the switch as the policies say. It is a state machine: it takes observations
// and returns the next action. It reads no clock, never waits and touches no switch, so that a test
// can drive it through any fault. The thread in agent/control/loop carries out its actions.
//
//     policies, hint, timer
//            |
//            v
//   +--> [observe] --> locate, budgets, resolver, realise, diff, judge --> no steps: wait
//   |                          |
//   |                   steps, on switches that are not at work
//   |                          v
//   |                       [submit] --- refused: wait (the same steps: ever longer) --> [observe]
//   |                          |
//   +---- the observation reports: running, settled, conflict, or failed (wait, as above)
//
// There is no pause before the first step: a new port has its mirror one round later. Each stage
// keeps its previous input and processes only the difference (PersistentMap), so that the cost of a
// round depends on the changes, not on the number of ports on the switch.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "agent/control/reconcile/budget_keeper.hpp"
#include "agent/control/reconcile/policy_resolver.hpp"
#include "agent/control/reconcile/session_judge.hpp"
#include "agent/model/mirror_index.hpp"
#include "plugin/api/diff.hpp"
#include "plugin/api/driver.hpp"
#include "plugin/base/persistent_map.hpp"

namespace vmirror {

struct ReconcilerOptions {
  std::string host;                ///< This host's name, in locations.
  std::optional<Mac> monitor_nic;  ///< The appliance's; none on a host.
  std::string local_input = {};    ///< The engine's input of the monitor NIC.
  Time interval = kSecond;         ///< Between readings without hints.
  Time spacing = kMillisecond;     ///< Between readings after hints.
  Time retry_min = 100 * kMillisecond, retry_max = 30 * kSecond;  ///< After a failed submission.
  std::size_t history = 256;                                      ///< Events kept.
  std::vector<Budget> budgets = {};
};

/// The switch's daemon is stalled if it has an open change and does nothing for this time. It needs
/// milliseconds; after a restart about a second.
constexpr Time kStallPatience = 5 * kSecond;

/// An event for people: a changed state, applied steps, an error.
struct ReconcileEvent {
  Time time = 0;
  std::string subject;  ///< A session's or policy's name, or "switch".
  std::string text;
  bool warning = false;  ///< Something is not as it should be.
  bool operator==(const ReconcileEvent&) const = default;
};

/// The state of the control side at one time. Immutable; the cost of a copy does not grow with the
/// number of ports.
struct ControlSnapshot {
  Time time = 0;
  bool policies_known = false;  ///< False: no good set of policies was given yet; no action.
  PersistentMap<std::string, SessionStatus> sessions;  ///< By name.
  PersistentMap<PortKey, LocationStatus> locations;    ///< Of this host's ports but our own.
  std::vector<PolicyStatus> policies;                  ///< By name.
  std::vector<BudgetUse> budgets;                      ///< In the order of the configuration.
  std::vector<Step> plan;                              ///< The steps that are left; empty: in sync.
  std::optional<Error> observe_error, apply_error;     ///< Of the latest attempt.
  std::optional<Error> stall;  ///< The switch can be read, but its daemon carries nothing out.
  Time observed_at = 0;        ///< Of the latest successful reading; 0: none yet.
  std::uint64_t rounds = 0;    ///< Readings that succeeded.
  std::uint64_t steps_applied = 0;
  std::uint64_t failures = 0;  ///< Readings and submissions that failed.
  std::uint64_t drifts = 0;    ///< Changes of owned objects by others.
  /// The latest events, by number, counted from 0; bounded.
  PersistentMap<std::uint64_t, ReconcileEvent> history;
  std::uint64_t events = 0;  ///< All events so far.
  /// The NICs with sessions to the local engine; never null.
  std::shared_ptr<const MirrorIndex> index = std::make_shared<const MirrorIndex>();
  /// The ports that sessions to the local engine copy to.
  PersistentSet<std::string> local_outputs;
  std::shared_ptr<const Observed> observed;  ///< The latest reading; null: none yet.
  bool in_sync() const { return observed && !observe_error && policies_known && plan.empty(); }
};

class Reconciler {
 public:
  struct Observe {};
  struct Submit {
    std::vector<Step> steps;
  };
  struct Wait {
    Time until;  ///< Or until one of the functions below is called.
  };
  using Action = std::variant<Observe, Submit, Wait>;
  /// The location of a foreign port's NIC. The answer may change for an unchanged port: see
  /// relocate().
  using Locate = std::function<Location(const std::string& switch_name, const Port& port)>;

  /// The NICs without a port of the guest with this UUID, each with `no_port` and an empty switch.
  /// `ports`: the ports that are located as the guest's.
  using LocatePortless = std::function<Locations(
      const std::string& uuid, const std::vector<const Port*>& ports, const Observed& observed)>;

  /// `realiser` is the driver's. Without `portless` NICs without a port are not known.
  Reconciler(ReconcilerOptions options, Locate locate, std::unique_ptr<Realiser> realiser,
             LocatePortless portless = {});

  /// All policies that are in force from now on. Until the first call nothing is changed.
  void set_policies(std::vector<Policy> policies);
  void set_evidence(Evidence evidence) { judge_.set_evidence(std::move(evidence)); }
  void set_collectors(Collectors collectors) { judge_.set_collectors(std::move(collectors)); }
  /// The guests with these UUIDs or devices have changed: their ports, and their NICs without a
  /// port, are located again. UUIDs in lower case.
  void relocate(const std::vector<std::string>& vm_uuids, const std::vector<std::string>& devices);
  /// The world may have changed: read it again.
  void hint() { look_ = true; }

  /// The next action. The caller answers Observe with `observed`, and Submit with `submitted`.
  Action next(Time now);
  void observed(const Result<std::shared_ptr<const Observed>>& reading, Time now);
  void submitted(const Result<Ticket>& ticket, Time now);

  ControlSnapshot snapshot(Time now) const;
  /// The changes of the latest reading; empty at the next call.
  RoundChanges take_changes() { return std::exchange(changes_, {}); }

 private:
  void plan(Time now);
  void watch_progress(Time now);
  void follow_submissions(Time now);
  bool is_at_work(const std::string& switch_name) const;
  void note_drift(Time now);
  void failed_to_apply(Error error, Time now);
  void locate();
  void put_location(const PortKey& key, std::optional<Location> at);
  void locate_portless();
  void take_note(RoundChanges changes);
  void tell(Time now, const std::string& subject, const std::string& text, bool warning = false);

  ReconcilerOptions options_;
  Locate locate_;
  LocatePortless portless_;
  std::unique_ptr<Realiser> realiser_;
  bool policies_known_ = false;

  // The stages, in their order.
  std::shared_ptr<const Observed> world_;  ///< The latest reading.
  std::shared_ptr<const Observed> located_world_ = std::make_shared<const Observed>();
  std::set<std::pair<std::string, PortKey>> of_vm_;  ///< By Port::vm in lower case.
  std::set<PortKey> moved_;                          ///< To be located again.
  LocationMap locations_;
  /// By guest's UUID: the ports that are located as the guest's, and its NICs without a port.
  struct OfGuest {
    std::set<PortKey> ports, portless;
  };
  std::map<std::string, OfGuest> of_guest_;
  std::set<std::string> moved_guests_;  ///< NICs without a port are to be located again.
  PolicyResolver resolver_;
  BudgetKeeper budgets_;
  Differ differ_;
  std::vector<Step> steps_;                      ///< Left to do, by the latest reading.
  std::vector<Step> due_;                        ///< Steps on switches without a running ticket.
  bool fresh_ = false;                           ///< due_ were not tried since that reading.
  std::map<Ticket, std::vector<Step>> running_;  ///< Submitted, and not ended.
  SessionJudge judge_;

  bool look_ = true;        ///< There was a hint.
  bool read_back_ = false;  ///< Read at once: a step may be done, or there was a conflict.
  Time last_look_ = 0;
  std::optional<SessionMap> synced_;  ///< The desired sessions when all were in place.
  std::vector<Step> last_steps_;      ///< The steps of the latest submission that ended.
  bool last_done_ = false;            ///< These steps are settled, by the current reading.
  Time retry_at_ = 0;                 ///< The same steps are not tried before.
  Time retry_after_ = 0;              ///< The pause that led to retry_at_.
  std::map<std::string, std::vector<Time>> drift_times_;  ///< By step.

  std::optional<Error> observe_error_, apply_error_, stall_;
  Time behind_since_ = 0;    ///< Since when the switch's daemon makes no progress. 0: it does.
  DaemonProgress progress_;  ///< By the previous reading.
  Time observed_at_ = 0;
  std::uint64_t rounds_ = 0, steps_applied_ = 0, failures_ = 0, drifts_ = 0;
  PersistentMap<std::uint64_t, ReconcileEvent> history_;
  std::uint64_t events_ = 0;
  RoundChanges changes_;
};

}  // namespace vmirror
