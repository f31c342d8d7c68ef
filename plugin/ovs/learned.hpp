// Addresses that the switch learned from frames: the only word on whose a port is where nobody
// wrote external_ids on it (Proxmox's taps, containers). They are in no database; ovs-vswitchd
// tells them through its control socket.
//
//   [ thread ] --fdb/show BRIDGE--> ovs-vswitchd        each kLearnedEvery, for bridges that have
//       '--> Learned --> PortNamer: which port has       such ports; for others never
//            exactly one address
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>

#include "plugin/api/model.hpp"
#include "plugin/ovs/control_socket.hpp"

namespace vmirror::ovs {

constexpr std::chrono::milliseconds kLearnedEvery{2000};
/// How long one answer may take.
constexpr std::chrono::milliseconds kLearnedPatience{1000};

/// A bridge's addresses, by the OpenFlow number of the port that showed them last; in any VLAN.
using LearnedOf = std::map<std::int64_t, std::set<Mac>>;

/// Reads the table of `fdb/show`. Lines that it does not understand are passed over: of the port
/// LOCAL, for one. Pure.
//    port  VLAN  MAC                Age
//       2    10  52:54:00:00:00:01    3
LearnedOf parse_learned(std::string_view table);

/// One reading. Never changed once made.
struct Learned {
  std::uint64_t number = 0;  ///< Of the reading; grows.
  std::map<std::string, LearnedOf> bridges;
  std::optional<Error> error;  ///< Why there is none of some bridge.
};

/// Reads what is learned, on a thread of its own while a bridge is watched.
class LearnedReader {
 public:
  /// `hint` is called on the thread after each reading that differs from the one before.
  LearnedReader(const std::string& remote, std::function<void()> hint);
  ~LearnedReader();
  LearnedReader(const LearnedReader&) = delete;
  LearnedReader& operator=(const LearnedReader&) = delete;

  /// These from now on. Any thread.
  void watch(std::set<std::string> bridges);
  /// Never null. Any thread.
  std::shared_ptr<const Learned> latest() const;

 private:
  void run();
  Learned read(const std::set<std::string>& bridges) const;

  const ControlSocket socket_;
  const std::function<void()> hint_;
  mutable std::mutex mutex_;  ///< Guards what follows.
  std::condition_variable wake_;
  bool stop_ = false;
  std::set<std::string> bridges_;
  std::shared_ptr<const Learned> latest_ = std::make_shared<const Learned>();
  std::thread thread_;
};

/// Ports that nobody wrote a MAC on, by their OpenFlow number.
using NamelessPorts = std::map<PortKey, std::int64_t>;

/// Gives such ports the address that they show, one after the other. One thread.
///
/// A port's address is the one that the switch learned on it, where it is exactly one. It stays
/// when the switch forgets it (a silent guest), until it is learned on another port, or the port is
/// deleted. Port::mac_unknown says why a port has none.
class PortNamer {
 public:
  /// Sets `mac` or `mac_unknown` of the port, whose OpenFlow number this is. To be called again for
  /// every port when what was learned differs, and for those of untold() after each reading.
  void name(const PortKey& key, std::int64_t number, Port& port, const Learned& learned);
  /// The port went, or somebody wrote a MAC on it.
  void forget(const PortKey& key);
  /// Ports of which no reading since they came has told.
  const std::set<PortKey>& untold() const { return untold_; }

 private:
  struct Known {
    std::string id;  ///< Port::id
    std::uint64_t since =
        0;  ///< Learned::number when it was first seen: an older one is of another.
    std::optional<Mac> mac;
  };
  bool is_learned(const std::string& bridge, const Mac& mac, const Learned& learned);

  std::map<PortKey, Known> known_;
  std::set<PortKey> untold_;
  std::map<std::string, std::set<Mac>> learned_;  ///< By bridge, on any port, by ...
  std::uint64_t learned_number_ = 0;              ///< ... this reading.
};

}  // namespace vmirror::ovs
