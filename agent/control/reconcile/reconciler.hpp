// The reconciler: keeps the switch as the policies say. A state machine that is told what happened
// and says what to do next; it reads no clock, waits for nothing and touches no switch, so that a
// test can drive it through any fault. agent/app has the thread that does what it says.
//
//     policies, hint, timer
//            |
//            v
//   +--> [observe] --> locate, resolver, realise, diff, judge --> no steps: wait
//   |                          |
//   |                   steps, on switches that are not at work
//   |                          v
//   |                       [submit] --- refused: wait (the same steps: ever longer) --> [observe]
//   |                          |
//   +---- the observation tells: it runs, is settled, met another world, or failed (wait, as above)
//
// There is no pause before the first step: a port that appears has its mirror one round later. Each
// of the stages keeps what it was given the last time and works on what differs (PersistentMap), so
// that a round costs what changed, whatever else is on the switch.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

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
  Time interval = kSecond;         ///< Between readings when nothing hints.
  Time spacing = kMillisecond;     ///< Between readings that hints ask for.
  Time retry_min = 100 * kMillisecond, retry_max = 30 * kSecond;  ///< After a failed submission.
  std::size_t history = 256;                                      ///< Events kept.
};

/// How long the switch's daemon may leave a change undone, and do nothing else either, before that
/// is told. It needs milliseconds; when it is started again, about a second.
constexpr Time kStallPatience = 5 * kSecond;

/// Something worth telling: a state that changed, steps that were applied, an error.
struct ReconcileEvent {
  Time time = 0;
  std::string subject;  ///< A session's or policy's name, or "switch".
  std::string text;
  bool operator==(const ReconcileEvent&) const = default;
};

/// All that the control side knows at one time. Never changed once made; a copy costs nothing that
/// grows with the number of ports.
struct ControlSnapshot {
  Time time = 0;
  bool policies_known = false;  ///< False: no good set of policies was given yet; nothing is done.
  PersistentMap<std::string, SessionStatus> sessions;  ///< By name.
  PersistentMap<PortKey, LocationStatus> locations;    ///< Of this host's ports but our own.
  std::vector<PolicyStatus> policies;                  ///< By name.
  std::vector<Step> plan;                              ///< What is left to do; empty: in sync.
  std::optional<Error> observe_error, apply_error;     ///< Of the latest attempt.
  std::optional<Error> stall;  ///< The switch can be read, and its daemon carries nothing out.
  Time observed_at = 0;        ///< Of the latest reading that succeeded; 0: none yet.
  std::uint64_t rounds = 0;    ///< Readings that succeeded.
  std::uint64_t steps_applied = 0;
  std::uint64_t failures = 0;  ///< Readings and submissions that failed.
  std::uint64_t drifts = 0;    ///< Times that somebody else changed what is ours.
  /// By number, counted from 0: the latest; bounded.
  PersistentMap<std::uint64_t, ReconcileEvent> history;
  std::uint64_t events = 0;  ///< Ever told.
  /// NICs whose copies the engine here should see; never null.
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
    Time until;  ///< Or until something is told.
  };
  using Action = std::variant<Observe, Submit, Wait>;
  /// Where the NIC of a port that isn't ours is. Its answer may change for a port that did not: see
  /// relocate().
  using Locate = std::function<Location(const std::string& switch_name, const Port& port)>;

  /// Of the guest of this UUID the NICs that none of `ports`, those that are located as its, is;
  /// each with `no_port`, and an empty switch.
  using LocatePortless = std::function<Locations(
      const std::string& uuid, const std::vector<const Port*>& ports, const Observed& observed)>;

  /// `realiser` is the driver's. Without `portless` nobody knows of NICs without a port.
  Reconciler(ReconcilerOptions options, Locate locate, std::unique_ptr<Realiser> realiser,
             LocatePortless portless = {});

  /// The policies in force from now on, all of them. Until the first call nothing is changed.
  void set_policies(std::vector<Policy> policies);
  void set_evidence(Evidence evidence) { judge_.set_evidence(std::move(evidence)); }
  void set_collectors(Collectors collectors) { judge_.set_collectors(std::move(collectors)); }
  /// The guests of these UUIDs, or with these devices, are not what they were: their ports are to
  /// be located anew, and their NICs without one. UUIDs in lower case.
  void relocate(const std::vector<std::string>& vm_uuids, const std::vector<std::string>& devices);
  /// The world may have changed.
  void hint() { look_ = true; }

  /// What to do now. After Observe, `observed` is due; after Submit, `submitted`.
  Action next(Time now);
  void observed(const Result<std::shared_ptr<const Observed>>& reading, Time now);
  void submitted(const Result<Ticket>& ticket, Time now);

  ControlSnapshot snapshot(Time now) const;
  /// What the latest reading changed; empty the next time.
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
  void tell(Time now, const std::string& subject, const std::string& text);

  ReconcilerOptions options_;
  Locate locate_;
  LocatePortless portless_;
  std::unique_ptr<Realiser> realiser_;
  bool policies_known_ = false;

  // The stages, in their order.
  std::shared_ptr<const Observed> world_;  ///< The latest reading.
  std::shared_ptr<const Observed> located_world_ = std::make_shared<const Observed>();
  std::set<std::pair<std::string, PortKey>> of_vm_;  ///< By Port::vm in lower case.
  std::set<PortKey> moved_;                          ///< To be located anew.
  LocationMap locations_;
  /// Of each guest's UUID the ports that are located as its, and its NICs without one.
  struct OfGuest {
    std::set<PortKey> ports, portless;
  };
  std::map<std::string, OfGuest> of_guest_;
  std::set<std::string> moved_guests_;  ///< Whose NICs without a port are to be located anew.
  PolicyResolver resolver_;
  Differ differ_;
  std::vector<Step> steps_;                      ///< Left to do, by the latest reading.
  std::vector<Step> due_;                        ///< Those of them whose switches are not at work.
  bool fresh_ = false;                           ///< due_ were not tried since that reading.
  std::map<Ticket, std::vector<Step>> running_;  ///< Submitted, and not ended.
  SessionJudge judge_;

  bool look_ = true;        ///< Somebody hinted.
  bool read_back_ = false;  ///< Something may be done, or another look helps: look at once.
  Time last_look_ = 0;
  std::optional<SessionMap> synced_;  ///< What was desired when all was in place.
  std::vector<Step> last_steps_;      ///< Those of the latest submission that ended.
  bool last_done_ = false;            ///< It is settled, by the reading in work.
  Time retry_at_ = 0;                 ///< The same steps are not tried before.
  Time retry_after_ = 0;              ///< The pause that led to retry_at_.
  std::map<std::string, std::vector<Time>> drift_times_;  ///< By step.

  std::optional<Error> observe_error_, apply_error_, stall_;
  Time behind_since_ = 0;    ///< The switch's daemon owes a change, and has done none since. 0: no.
  DaemonProgress progress_;  ///< By the reading before.
  Time observed_at_ = 0;
  std::uint64_t rounds_ = 0, steps_applied_ = 0, failures_ = 0, drifts_ = 0;
  PersistentMap<std::uint64_t, ReconcileEvent> history_;
  std::uint64_t events_ = 0;
  RoundChanges changes_;
};

}  // namespace vmirror
