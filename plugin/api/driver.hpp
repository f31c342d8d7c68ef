// The contract of a virtual switch's driver: observe, realise, submit. tests/contract runs one
// suite over every driver; docs/adding-a-driver.md walks through a new one.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <span>
#include <string_view>

#include "plugin/api/realiser.hpp"
#include "plugin/api/tracer.hpp"

namespace vmirror {

/// One connection to virtual switches: those of one host, or those that one endpoint has of many.
/// All functions but `on_change` are called by one thread at a time (the reconciler's). A driver
/// marks what it creates with its owner's name (a field of its own constructor) and reports as
/// `owned` what carries that mark.
class Driver {
 public:
  virtual ~Driver() = default;

  /// "ovs", "fake"
  virtual std::string_view name() const = 0;

  /// Reads the world. Blocks at most the driver's timeout. Unknown is not empty: where the switch
  /// can't be read this is Error::Kind::unreachable, never an Observed without switches.
  virtual Result<std::shared_ptr<const Observed>> observe() = 0;

  /// Turns what is desired into objects on the observed switches, again and again, for what
  /// changed. Gives a verdict for every session; names depend on the sessions alone, so that the
  /// same wish finds its own objects again. Refuses a session whose output could be its own source.
  /// Doesn't touch the switch, and may outlive the driver.
  virtual std::unique_ptr<Realiser> realiser() const = 0;
  /// Pure: the same, once.
  Realisation realise(const Desired& desired, const Observed& observed) const {
    return vmirror::realise(desired, observed, *realiser());
  }

  /// Begins to change the world by `steps`, in order, and answers without waiting for it. What
  /// became of it is in the observations from then on (Observed::submissions): it runs, it is
  /// settled (the switch took it, which is not to say that it works), it failed, however late, or
  /// it met a world that was not the one of the steps: then nothing is done and it is another look
  /// that helps, no error. Where the switch has transactions: all or nothing.
  ///
  /// What can be told at once is the answer: Error::Kind::unreachable, or refused for a step that
  /// would change an object that isn't owned; that is never touched.
  virtual Result<Ticket> submit(std::span<const Step> steps) = 0;

  /// `hint` is called, from a thread of the driver's, after the world may have changed or a
  /// submission has ended. A hint may
  /// be lost or doubled; it must only wake somebody. Called once, before the first observe.
  virtual void on_change(std::function<void()> hint) = 0;

  /// Asks the switch what it would do with a frame, for as long as it is there; may outlive the
  /// driver. Null: this kind of switch can't be asked.
  virtual std::unique_ptr<Tracer> tracer() const { return nullptr; }
};

/// Submits and waits, for who has no loop of its own. False: another look helps. Error: as submit()
/// and observe() say, and how the submission failed; unreachable after `patience`.
Result<bool> carry_out(Driver& driver, std::span<const Step> steps,
                       std::chrono::milliseconds patience);

}  // namespace vmirror
