// Follows a server's inventory on a thread of its own: one long poll, and after an error a reading
// anew. The same thread asks what the inventory does not tell of ports.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>

#include "plugin/vsphere/client.hpp"
#include "plugin/vsphere/observe.hpp"

namespace vmirror::vsphere {

/// What is known of a server. Copies share what is the same.
struct Reading {
  Inventory inventory;
  AskedPorts asked;  ///< Of port groups with promiscuous mode, where a port may have its own.
  std::string product;
  AskedOptions options = {};
};

/// Functions may be called from any thread.
class Follower {
 public:
  /// `client` must outlive it. `changed` is called by its thread, also after an error.
  /// Hosts for which `asks` is true are asked for kReversePathOption: once they changed, and now
  /// and again.
  /// `clusters`: they are watched, too.
  Follower(VimClient& client, bool clusters, std::function<bool(const Host&)> asks,
           std::function<void()> changed);
  ~Follower();
  Follower(const Follower&) = delete;
  Follower& operator=(const Follower&) = delete;

  /// The latest; waits for the first at most `patience`. Error: of the latest attempt to read;
  /// Error::Kind::unreachable where there was none that ended.
  Result<Reading> latest(std::chrono::milliseconds patience);
  /// The same as soon as the switch's version is another than `version`, or after `patience`.
  void wait_past(const Ref& distributed_switch, const std::string& version,
                 std::chrono::milliseconds patience);
  /// Returns as soon as `shows` is true of the latest inventory, or after `patience`.
  void wait_until(const std::function<bool(const Inventory&)>& shows,
                  std::chrono::milliseconds patience);
  /// The option of a host was set.
  void option_is(const Ref& host, int value);
  /// A port was refused for its promiscuous mode: its own setting is asked for, now and again until
  /// it is another.
  void suspect(const Ref& distributed_switch, const std::string& port_key,
               const std::stop_token& stop);

 private:
  void run(const std::stop_token& stop);
  bool ask_options(const Inventory& inventory, const std::stop_token& stop);
  Result<AskedPorts> ask(const Inventory& inventory, const std::stop_token& stop);
  std::chrono::seconds longest_wait();

  VimClient& client_;
  const std::function<bool(const Host&)> asks_;
  const std::function<void()> changed_;
  InventoryWatch watch_;  ///< The thread's.
  AskedPorts asked_;      ///< The thread's.
  std::map<Ref, std::pair<Host, std::chrono::steady_clock::time_point>>
      hosts_asked_;   ///< The thread's: as they were then.
  std::mutex mutex_;  ///< Guards what follows.
  std::condition_variable_any wake_;
  Result<Reading> latest_;
  bool tried_ = false;
  std::set<std::pair<Ref, std::string>> suspects_;
  AskedOptions options_;
  std::jthread thread_;
};

}  // namespace vmirror::vsphere
