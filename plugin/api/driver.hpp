// The contract of a virtual switch's driver: observe, realise, apply. tests/contract runs one suite
// over every driver; docs/adding-a-driver.md walks through a new one.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string_view>

#include "plugin/api/pack.hpp"

namespace vmirror {

/// One connection to one host's virtual switches. All functions but `on_change` are called by one
/// thread at a time (the reconciler's). A driver marks what it creates with its owner's name (a
/// field of its own constructor) and reports as `owned` what carries that mark.
class Driver {
 public:
  virtual ~Driver() = default;

  /// "ovs", "fake"
  virtual std::string_view name() const = 0;

  /// Reads the world. Blocks at most the driver's timeout. Unknown is not empty: where the switch
  /// can't be read this is Error::Kind::unreachable, never an Observed without switches.
  virtual Result<std::shared_ptr<const Observed>> observe() = 0;

  /// Packs what is desired into the fewest mirrors that the observed switches can hold, again and
  /// again, for what changed. Gives a verdict for every session; names depend on the sessions
  /// alone, so that the same wish finds its own objects again. Refuses a session whose output could
  /// be its own source. Doesn't touch the switch, and may outlive the driver.
  virtual std::unique_ptr<Realiser> realiser() const = 0;
  /// Pure: the same, once.
  Realisation realise(const Desired& desired, const Observed& observed) const {
    return pack(desired, observed, *realiser());
  }

  /// Changes the world by `steps`, in order. Where the switch has transactions: all or nothing.
  /// Returns once the switch's database took it, not when it works: observe again to know. Never
  /// touches an object that isn't owned: a name that a foreign object holds is
  /// Error::Kind::refused.
  virtual Result<void> apply(std::span<const Step> steps) = 0;

  /// `hint` is called, from a thread of the driver's, after the world may have changed. A hint may
  /// be lost or doubled; it must only wake somebody. Called once, before the first observe.
  virtual void on_change(std::function<void()> hint) = 0;
};

}  // namespace vmirror
