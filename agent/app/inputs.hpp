// The engine's inputs by the configuration, and those that are found while the daemon runs: the
// ports where copies for the local engine come out.
#pragma once

#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "agent/app/config.hpp"
#include "agent/control/reconcile/reconciler.hpp"
#include "agent/engine/worker/engine.hpp"

namespace vmirror {

/// The ports of this host's switches where copies for the local engine come out, by name, each
/// once. An output that is no port is not among them: copies that a switch sends to an address are
/// an input of the configuration.
std::vector<std::string> local_outputs(const ControlSnapshot& control);

/// The ports where copies for the local engine come out now, one a switch. Told by the control
/// thread, read by the inputs'.
class LocalPorts {
 public:
  /// Returns those that were never told before: each is to become an input.
  std::vector<std::string> set(std::vector<std::string> ports);
  bool has(const std::string& port) const;

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> now_;
  std::set<std::string> ever_;
};

/// Those of the configuration; in an appliance `local` too, which reads its monitor NIC.
std::vector<InputOptions> make_inputs(const Config& config);

/// The interfaces that the input of this name reads, as far as they are known by name.
std::vector<std::string> interfaces_of(const Config& config, const std::string& input);

/// The input of a port of ours on this host's switch, named like it: it brings the port up and
/// reads it while `ports` has it, and waits without a fault while it does not. `place` counts these
/// from 0. `ports` must outlive the engine.
InputOptions make_local_input(const Config& config, const LocalPorts& ports,
                              const std::string& port, std::size_t place);

}  // namespace vmirror
