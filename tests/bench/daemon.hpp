// A vmirrord of its own against a sandbox's Open vSwitch, mirroring the ports old* and new* to the
// local engine: for what is measured of the daemon as a whole.
#pragma once

#include <sys/types.h>

#include <string>

#include "tests/support/ovs_sandbox.hpp"

namespace vmirror::bench {

class Daemon {
 public:
  /// The program next to this one. Throws std::runtime_error when it can't be started.
  explicit Daemon(test::OvsSandbox& sandbox);
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  static bool is_built();
  pid_t pid() const { return pid_; }
  /// Its folder of policies; all of them are in all.yaml.
  const std::string& policies() const { return policies_; }
  /// Of all its threads so far, in user and kernel mode, as the scheduler counts them: nanoseconds
  /// and not ticks.
  double cpu_seconds() const;

 private:
  std::string policies_;
  pid_t pid_ = 0;
};

}  // namespace vmirror::bench
