// The daemon: every object and queue that it is made of, in the order in which frames and policies
// flow through them. wiring.cpp is the picture of vmirrord.
#pragma once

#include <memory>

#include "agent/app/config.hpp"
#include "agent/confine/confine.hpp"

namespace vmirror {

class Daemon {
 public:
  /// Opens what it can't do without: the control socket, the outputs, the driver. A switch that
  /// does not answer, an interface that isn't there yet, and a bad policy are states, not errors.
  /// `confinement` is what the process gave up before, for the status; none: nothing.
  static Result<std::unique_ptr<Daemon>> start(Config config, Confinement confinement = {});
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  /// Serves until SIGTERM or SIGINT, or `stop`; SIGHUP reads the policies anew and opens the
  /// outputs' files again. Then mirrors are removed, or kept, as configured. The result of that.
  Result<void> run();
  /// Ends `run`. May be called by any thread.
  void stop();
  /// The port of the metrics; 0: none.
  std::uint16_t metrics_port() const;

 private:
  struct State;
  explicit Daemon(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace vmirror
