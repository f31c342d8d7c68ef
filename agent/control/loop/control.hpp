// The control thread: carries out the reconciler's actions with the switch's driver. The only place
// where reconciler and driver meet a clock and a thread.
//
//   set_policies, set_guests, set_evidence, hints --> mailbox --> [thread: next, observe, submit]
//                                                                     |
//                              snapshot() <--- immutable snapshots <--+--> on_round
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/control/reconcile/reconciler.hpp"
#include "agent/model/guest.hpp"
#include "plugin/api/driver.hpp"

namespace vmirror {

struct ControlOptions {
  std::string host;
  ReconcilerOptions reconciler;
  /// Called on the control thread after each reading and each submission, with the new snapshot.
  std::function<void(const std::shared_ptr<const ControlSnapshot>&)> on_round;
  /// Called on the control thread after a reading that changed a port, or whether a mirror is in
  /// place; before `on_round` of this reading. It must not wait for the main thread.
  std::function<void(const RoundChanges&)> on_change;
};

/// All functions may be called by any thread.
class Control {
 public:
  /// Starts the thread. Nothing is changed on the switch before the first `set_policies`.
  Control(ControlOptions options, std::unique_ptr<Driver> driver);
  /// Ends the thread; the mirrors on the switch stay.
  ~Control();
  Control(const Control&) = delete;
  Control& operator=(const Control&) = delete;

  /// The number of this set, for acts_on().
  std::uint64_t set_policies(std::vector<Policy> policies);
  /// True: the snapshots from now on follow this set of policies, or a later one.
  bool acts_on(std::uint64_t policies) const;
  void set_evidence(Evidence evidence);
  void set_collectors(Collectors collectors);
  /// The hypervisor's guests from now on; null: no hypervisor. A guest that is the same object as
  /// in the previous call costs nothing.
  void set_guests(std::shared_ptr<const Guests> guests);
  /// Makes the thread read the switch now.
  void hint();
  std::shared_ptr<const ControlSnapshot> snapshot() const;
  /// Waits until everything that was set before this call has been acted on once, or until
  /// `patience` has passed. Returns the snapshot of that time.
  std::shared_ptr<const ControlSnapshot> settle(std::chrono::milliseconds patience);
  std::string_view driver_name() const;
  /// The driver's realisation of `desired`; changes nothing.
  Realisation realise(const Desired& desired, const Observed& observed) const;

  /// Removes all owned objects from the switch and ends the thread. Waits at most `patience`; then
  /// Error::Kind::unreachable, or the switch's latest error: objects are left behind.
  Result<void> remove_all(std::chrono::milliseconds patience);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace vmirror
