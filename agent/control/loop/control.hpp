// The control thread: does what the reconciler says, on the switch's driver. The one place where
// the two meet a clock and a thread.
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
  /// Called on the control thread after each reading and each submission, with what is known then.
  std::function<void(const std::shared_ptr<const ControlSnapshot>&)> on_round;
  /// Called on the control thread after a reading that changed something of the ports or of what is
  /// in place, before `on_round` of that reading. It must not wait for the main thread.
  std::function<void(const RoundChanges&)> on_change;
};

/// All functions may be called by any thread.
class Control {
 public:
  /// Starts the thread. Nothing is changed on the switch before the first `set_policies`.
  Control(ControlOptions options, std::unique_ptr<Driver> driver);
  /// Ends the thread; what is on the switch stays.
  ~Control();
  Control(const Control&) = delete;
  Control& operator=(const Control&) = delete;

  void set_policies(std::vector<Policy> policies);
  void set_evidence(Evidence evidence);
  void set_collectors(Collectors collectors);
  /// What the hypervisor says of the guests from now on; null: nobody tells. Of a guest that is the
  /// same object as in the call before nothing is done.
  void set_guests(std::shared_ptr<const Guests> guests);
  /// Look again, now.
  void hint();
  std::shared_ptr<const ControlSnapshot> snapshot() const;
  /// Waits until what was put in by now was acted on once, or until `patience` has passed; returns
  /// what is known then.
  std::shared_ptr<const ControlSnapshot> settle(std::chrono::milliseconds patience);
  std::string_view driver_name() const;
  /// What the driver would make of it; changes nothing.
  Realisation realise(const Desired& desired, const Observed& observed) const;

  /// Takes everything that is ours off the switch and ends the thread. Waits at most `patience`;
  /// then Error::Kind::unreachable, or what the switch last said: things are left behind.
  Result<void> remove_all(std::chrono::milliseconds patience);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace vmirror
