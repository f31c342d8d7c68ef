// The reconciler: keeps the switch as the policies say. A state machine that is told what happened
// and says what to do next; it reads no clock, waits for nothing and touches no switch, so that a
// test can drive it through any fault. agent/app has the thread that does what it says.
//
//     policies, hint, timer
//            |
//            v
//   +--> [observe] --> desired, realise, diff --> no steps: wait
//   |                          |
//   |                        steps
//   |                          v
//   +------ done ---------- [apply] --- failed: wait (the same steps: ever longer) --> [observe]
//
// There is no pause before the first step: a port that appears has its mirror one round later.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "agent/model/guest.hpp"
#include "agent/model/mirror_index.hpp"
#include "agent/reconcile/desired.hpp"
#include "agent/reconcile/judge.hpp"
#include "plugin/base/persistent_map.hpp"

namespace vmirror {

struct ReconcilerOptions {
  std::string host;                ///< This host's name, in locations.
  std::optional<Mac> monitor_nic;  ///< The appliance's; none on a host.
  Time interval = kSecond;         ///< Between readings when nothing hints.
  Time spacing = kMillisecond;     ///< Between readings that hints ask for.
  Time retry_min = 100 * kMillisecond, retry_max = 30 * kSecond;  ///< After a failed apply.
  std::size_t history = 256;                                      ///< Events kept.
};

/// Something worth telling: a state that changed, steps that were applied, an error.
struct ReconcileEvent {
  Time time = 0;
  std::string subject;  ///< A session's or policy's name, or "switch".
  std::string text;
  bool operator==(const ReconcileEvent&) const = default;
};

/// Where a NIC of this host is, and what is mirrored of it.
struct LocationStatus {
  Location at;
  std::size_t sessions = 0;  ///< That the policies ask for; 0: nobody wants it.
  /// When the last of its sessions was read back in place; 0: one of them isn't, or there is none.
  Time mirrored_since = 0;
  bool operator==(const LocationStatus&) const = default;
};

/// What one reading changed, for who keeps a record of it. A value `before` that is none: it was
/// not there; `after`: it is not there any more.
struct RoundChanges {
  Time time = 0;  ///< Wall clock: when the reading came in.
  struct OfPort {
    std::optional<Location> before, after;
  };
  struct OfSession {
    std::optional<SessionStatus> before, after;
  };
  std::vector<OfPort> ports;        ///< Whose location came, went, or differs.
  std::vector<OfSession> sessions;  ///< That came, went, or whose `in_place` differs.
  bool empty() const { return ports.empty() && sessions.empty(); }
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
  Time observed_at = 0;      ///< Of the latest reading that succeeded; 0: none yet.
  std::uint64_t rounds = 0;  ///< Readings that succeeded.
  std::uint64_t steps_applied = 0;
  std::uint64_t failures = 0;  ///< Readings and applies that failed.
  std::uint64_t drifts = 0;    ///< Times that somebody else changed what is ours.
  /// By number, counted from 0: the latest; bounded.
  PersistentMap<std::uint64_t, ReconcileEvent> history;
  std::uint64_t events = 0;  ///< Ever told.
  /// NICs whose copies the engine here should see; never null.
  std::shared_ptr<const MirrorIndex> index = std::make_shared<const MirrorIndex>();
  std::shared_ptr<const Observed> observed;  ///< The latest reading; null: none yet.
  bool in_sync() const { return observed && !observe_error && policies_known && plan.empty(); }
};

class Reconciler {
 public:
  struct Observe {};
  struct Apply {
    std::vector<Step> steps;
  };
  struct Wait {
    Time until;  ///< Or until something is told.
  };
  using Action = std::variant<Observe, Apply, Wait>;
  using Realise = std::function<Realisation(const Desired&, const Observed&)>;

  using Locate = std::function<Locations(const Observed&)>;

  /// `locate` tells where the NICs are; `realise` is the driver's.
  Reconciler(ReconcilerOptions options, Locate locate, Realise realise);

  /// The policies in force from now on, all of them. Until the first call nothing is changed.
  void set_policies(std::vector<Policy> policies);
  void set_evidence(Evidence evidence) { evidence_ = std::move(evidence); }
  /// What the hypervisor says of the guests from now on; null: nobody tells.
  void set_guests(std::shared_ptr<const Guests> guests);
  /// The world may have changed.
  void hint() { look_ = true; }

  /// What to do now. After Observe, `observed` is due; after Apply, `applied`.
  Action next(Time now);
  void observed(const Result<std::shared_ptr<const Observed>>& reading, Time now);
  void applied(const Result<void>& done, Time now);

  ControlSnapshot snapshot(Time now) const;
  /// What the latest reading changed; empty the next time.
  RoundChanges take_changes() { return std::exchange(changes_, {}); }

 private:
  void plan(Time now);
  void note_drift(Time now);
  void failed_to_apply(Error error, Time now);
  void judge_and_tell(std::vector<Track> tracks, Time now);
  void note_locations(const Locations& now);
  void tell(Time now, const std::string& subject, const std::string& text);

  ReconcilerOptions options_;
  Locate locate_;
  Realise realise_;
  std::optional<std::vector<Policy>> policies_;
  Evidence evidence_;

  std::shared_ptr<const Observed> world_;
  Wish wish_;
  Realisation realisation_;
  std::vector<Step> steps_;  ///< Left to do, by the latest reading.
  bool fresh_ = false;       ///< steps_ were not tried since that reading.
  std::vector<Track> tracks_;
  std::shared_ptr<const MirrorIndex> index_ = std::make_shared<MirrorIndex>();

  bool look_ = true;        ///< Somebody hinted.
  bool read_back_ = false;  ///< An apply succeeded: look at once.
  Time last_look_ = 0;
  std::optional<std::vector<SessionRequest>> synced_;  ///< What was desired when all was in place.
  std::string last_steps_;                             ///< Those of the latest apply, as text.
  bool last_done_ = false;                             ///< It succeeded, and was not read back yet.
  Time retry_at_ = 0;                                  ///< The same steps are not tried before.
  Time retry_after_ = 0;                               ///< The pause that led to retry_at_.
  std::map<std::string, std::vector<Time>> drift_times_;  ///< By step.

  std::optional<Error> observe_error_, apply_error_;
  Time observed_at_ = 0;
  std::uint64_t rounds_ = 0, steps_applied_ = 0, failures_ = 0, drifts_ = 0;
  PersistentMap<std::uint64_t, ReconcileEvent> history_;
  std::uint64_t events_ = 0;
  std::shared_ptr<const Guests> guests_;
  PersistentMap<PortKey, LocationStatus> locations_;
  RoundChanges changes_;
};

/// The NICs of sessions to the local engine, one for each MAC; a NIC whose MAC nobody knows is left
/// out. Pure.
MirrorIndex mirror_index(const Wish& wish, const Realisation& realisation,
                         const Observed& observed);

}  // namespace vmirror
