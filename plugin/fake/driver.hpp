// Switches in memory, for tests of whatever drives a Driver, and subjects of the contract suite.
// Three kinds, so that the contract says no more than all of them can do:
//
//   transaction   ports, named mirrors, VLANs without learning; steps happen at once, one by one,
//                 so a step that fails leaves the earlier steps done; counts what a mirror copied
//   task          sessions that own their destination; what is submitted becomes a task for each
//                 switch, which ends some looks later, perhaps in failure; a switch has a version,
//                 and a task made from another version conflicts; several hosts behind one
//                 endpoint; no counters
//   mode          a NIC is a source, or the destination; no choice of output, both directions or
//                 none; some NICs can't be a source
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "plugin/api/driver.hpp"

namespace vmirror {

enum class FakeProfile : std::uint8_t { transaction, task, mode };

/// What a NIC of the mode switch is.
enum class NicMode : std::uint8_t { source, destination };

/// The switches behind one endpoint, shared by the drivers that are connected to it and by the
/// test, which edits them by hand. All functions may be called from any thread.
class FakeWorld {
 public:
  /// A switch and who owns what on it; what has no owner there is somebody else's.
  struct OwnedSwitch {
    Switch sw;
    std::map<std::string, std::string> port_owner, mirror_owner;
    std::map<std::uint16_t, std::string> unlearned;  ///< VLANs, and whose each is; "": others'.
    std::map<std::string, std::pair<NicMode, std::string>> modes;  ///< By port: mode, whose.
    std::uint64_t version = 1;  ///< Of the task switch: counts its changes.
  };
  using Switches = std::map<std::string, OwnedSwitch>;

  enum class Fault {
    fail,  ///< The operation is refused and not done.
    drop,  ///< The operation is done, but the connection drops before the answer.
  };

  explicit FakeWorld(FakeProfile profile = FakeProfile::transaction);

  /// Changes the switches as a person would, and hints. Port IDs are given to ports without one.
  void edit(const std::function<void(Switches&)>& change);
  /// The `n`th operation from now (an observation, one step, one task; 1 is the next) has this
  /// fault, once.
  void arm(std::size_t n, Fault fault);
  /// Forgets an armed fault. True when it has happened.
  bool disarm();
  /// False: every operation is Error::Kind::unreachable.
  void set_reachable(bool reachable);
  /// False: what is changed is shown at once and never said to be carried out; tasks don't end.
  void set_working(bool working);
  /// As DaemonProgress::silent_since.
  void set_silent_since(Time since);
  /// Of every switch.
  void set_capabilities(const Capabilities& capabilities);
  Capabilities capabilities() const { return capabilities_; }

 private:
  friend class FakeDriver;
  struct Task {
    Ticket ticket = 0;
    std::string owner, switch_name;
    std::vector<Step> steps;
    int looks = 0;  ///< Until it ends.
  };
  std::optional<Fault> next_operation();
  void changed(std::unique_lock<std::mutex>& lock, const std::string& switch_name = {});

  const FakeProfile profile_;
  std::mutex mutex_;
  Switches switches_;
  Capabilities capabilities_;
  std::vector<Task> tasks_;                                    ///< That run.
  std::map<std::string, std::map<Ticket, Submission>> ended_;  ///< By owner; the latest.
  Ticket tickets_ = 0;                                         ///< Given out.
  std::uint64_t revision_ = 1;
  std::uint64_t ports_made_ = 0;
  bool reachable_ = true;
  bool working_ = true;
  std::uint64_t asked_ = 0;
  DaemonProgress progress_{"the fake's daemon"};
  std::size_t countdown_ = 0;
  Fault fault_ = Fault::fail;
  bool tripped_ = false;
  std::map<const Driver*, std::function<void()>> hints_;  ///< By who asked for it.
};

std::unique_ptr<Driver> make_fake_driver(std::shared_ptr<FakeWorld> world, std::string owner);

}  // namespace vmirror
