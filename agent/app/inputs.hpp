// The engine's inputs by the configuration, and the one that is found while the daemon runs: the
// port where copies for the local engine come out.
#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "agent/app/config.hpp"
#include "agent/engine/worker.hpp"
#include "agent/reconcile/reconciler.hpp"

namespace vmirror {

/// The output ports of sessions to the local engine, by name, each once.
std::vector<std::string> local_outputs(const ControlSnapshot& control);

/// Where the input `local` reads. Told by the control thread, read by the input's.
class LocalPort {
 public:
  void set(std::vector<std::string> ports);
  /// The first; empty: no session has the target `local` now.
  std::string get() const;
  /// One for each port that gets copies but isn't read: the input reads one.
  std::vector<std::string> warnings() const;

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> ports_;
};

/// Those of the configuration, and `local` where the daemon drives a switch. `port` must outlive
/// the engine.
std::vector<InputOptions> make_inputs(const Config& config, const LocalPort& port);

}  // namespace vmirror
