// A real Open vSwitch for tests: ovsdb-server and ovs-vswitchd (userspace datapath) with all their
// files in a private directory and all their devices in a network namespace of their own. Both go
// with the object, or with the test's process however it ends.
//
// It is this machine's version, or, where the environment variable VMIRROR_OVS_ROOT names a root
// that tests/roots/make made, that root's: VMIRROR_OVS_ROOT=build/roots/sid
// build/dev/bin/test_contract.
#pragma once

#include <sys/types.h>

#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

namespace vmirror::test {

class OvsSandbox {
 public:
  struct Options {
    bool vswitchd = true;
    /// Changes the schema's JSON text before the database is made: a switch of another version.
    std::function<std::string(std::string)> edit_schema = {};
    /// Further arguments of ovsdb-server: {"--remote=ptcp:0:127.0.0.1"}
    std::vector<std::string> server_arguments = {};
    bool clustered = false;  ///< The database is a cluster's; this server is its first.
    std::string joins = {};  ///< raft() of a cluster's first server, for a further one.
  };

  /// Empty when a sandbox can run here, else why not: for GTEST_SKIP.
  static std::string unavailable();

  OvsSandbox() : OvsSandbox(Options{}) {}
  explicit OvsSandbox(Options options);
  ~OvsSandbox();
  OvsSandbox(const OvsSandbox&) = delete;
  OvsSandbox& operator=(const OvsSandbox&) = delete;

  const std::string& directory() const { return directory_; }
  std::string socket() const { return directory_ + "/db.sock"; }
  std::string remote() const { return "unix:" + socket(); }
  /// Where the servers of a clustered database speak to each other.
  std::string raft() const { return "unix:" + directory_ + "/raft"; }

  /// Kills the server with SIGKILL; its database stays.
  void kill_server();
  /// Returns once it takes connections.
  void start_server();
  void kill_vswitchd();
  void start_vswitchd();
  /// SIGSTOP, SIGCONT: a server that has the connection open and answers nothing.
  void freeze_server(bool frozen);
  /// The same: a daemon that carries nothing out of what the database says.
  void freeze_vswitchd(bool frozen);

  /// Runs ovs-vsctl, by default without waiting for ovs-vswitchd. Returns what it printed, without
  /// the last newline; throws std::runtime_error with its message when it fails.
  std::string vsctl(const std::string& arguments);
  /// The same, waiting until ovs-vswitchd has taken the configuration over.
  std::string vsctl_wait(const std::string& arguments);
  /// Runs a command in the switch's network namespace, or, without ovs-vswitchd, in one of its own.
  /// Throws when it fails.
  std::string run(const std::string& command);

 private:
  pid_t spawn(const std::vector<std::string>& arguments, bool own_network);
  static void kill(pid_t& pid);

  Options options_;
  std::string directory_;
  pid_t server_ = 0;
  pid_t vswitchd_ = 0;
};

/// Calls `condition` until it is true; false when it wasn't within `seconds`.
bool eventually(const std::function<bool()>& condition, double seconds = 30);

}  // namespace vmirror::test
