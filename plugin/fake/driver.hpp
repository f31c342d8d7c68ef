// A switch in memory, with the semantics of a real one that has no transactions: steps happen one
// by one, so that one which fails leaves the earlier ones done. For tests of whatever drives a
// Driver, and the contract suite's second subject.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "plugin/api/driver.hpp"

namespace vmirror {

/// The switches of one host, shared by the drivers that are connected to them and by the test,
/// which edits them by hand. All functions may be called from any thread.
class FakeWorld {
 public:
  /// A switch and who owns what on it; an object without an owner is somebody else's.
  struct OwnedSwitch {
    Switch sw;
    std::map<std::string, std::string> port_owner, mirror_owner;
    std::map<std::string, std::set<std::uint16_t>> vlan_owner;  ///< By owner.
  };
  using Switches = std::map<std::string, OwnedSwitch>;

  enum class Fault {
    fail,  ///< The operation is refused and not done.
    drop,  ///< The operation is done, but the connection drops before the answer.
  };

  FakeWorld();

  /// Changes the switches as a person would, and hints. Port IDs are given to ports without one.
  void edit(const std::function<void(Switches&)>& change);
  /// The `n`th operation from now (an observation or one step; 1 is the next) has this fault, once.
  void arm(std::size_t n, Fault fault);
  /// Forgets an armed fault. True when it has happened.
  bool disarm();
  /// False: every operation is Error::Kind::unreachable.
  void set_reachable(bool reachable);
  /// False: what is changed is shown at once and never said to be carried out.
  void set_working(bool working);
  /// As DaemonProgress::silent_since.
  void set_silent_since(Time since);
  void set_capabilities(const Capabilities& capabilities);

 private:
  friend class FakeDriver;
  std::optional<Fault> next_operation();
  void changed(std::unique_lock<std::mutex>& lock);

  std::mutex mutex_;
  Switches switches_;
  Capabilities capabilities_;
  std::uint64_t revision_ = 1;
  std::uint64_t ports_made_ = 0;
  bool reachable_ = true;
  bool working_ = true;
  DaemonProgress progress_{"the fake's daemon"};
  std::size_t countdown_ = 0;
  Fault fault_ = Fault::fail;
  bool tripped_ = false;
  std::map<const Driver*, std::function<void()>> hints_;  ///< By who asked for it.
};

std::unique_ptr<Driver> make_fake_driver(std::shared_ptr<FakeWorld> world, std::string owner);

}  // namespace vmirror
