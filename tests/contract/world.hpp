// A switch under the contract suite: what a test does to it by hand, and the faults it can have.
// One subclass for each driver; a new driver writes one and gets the whole suite.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "plugin/api/driver.hpp"

namespace vmirror::test {

/// Starts with one switch "br0" with the ports "vnet0", "vnet1" and "vnet2".
class World {
 public:
  virtual ~World() = default;

  virtual std::unique_ptr<Driver> connect(const std::string& owner = "vmirror") = 0;

  // What somebody else does.
  virtual void add_port(const std::string& name) = 0;
  virtual void remove_port(const std::string& name) = 0;
  /// A mirror of vnet0's sent frames to `output`.
  virtual void add_mirror(const std::string& name, const std::string& output) = 0;
  virtual void remove_mirror(const std::string& name) = 0;
  /// Selects nothing and keeps 100 bytes.
  virtual void spoil_mirror(const std::string& name) = 0;
  virtual void spoil_port(const std::string& name) = 0;
  /// Only of switches that have VLANs without learning, or somebody's idea of them.
  virtual void unlearn_vlan(int) {}
  /// Everything as at the start.
  virtual void reset() = 0;
  /// Whatever gives the switch another version.
  virtual void touch_switch() { add_port("vnet9"); }
  /// The target of the engine here, on the switch.
  virtual LocalTarget local() const { return {}; }

  /// The switch's control connection is down, or up again.
  virtual void set_reachable(bool reachable) = 0;
  /// The switch's daemon hangs, or goes on; tasks do not end, or do.
  virtual void set_working(bool working) = 0;

  /// The task that ends next fails, and has done nothing. Of switches that make tasks.
  virtual void fail_task() {}

  enum class Fault {
    fail,  ///< Refused; only where steps happen one by one.
    drop,  ///< Done, but the connection goes before the answer comes.
  };
  /// The nth operation from now of whoever is connected, as this driver counts them, has a fault.
  virtual void arm(std::size_t n, Fault fault) = 0;
  /// Ends the fault. True when it has happened.
  virtual bool disarm() = 0;
};

struct Subject {
  std::string name;
  /// Empty when it can run here, else why not.
  std::function<std::string()> unavailable;
  std::function<std::unique_ptr<World>()> make;
};

Subject fake_subject();
Subject fake_task_subject();
Subject fake_mode_subject();
Subject ovs_subject();
Subject vsphere_subject();
Subject hyperv_subject();

}  // namespace vmirror::test
