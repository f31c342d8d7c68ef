// Keeps the sensor VM with its sources (policy `sensor: follow`): tells the other agents which
// sources are here, hears from them which are there, and has libvirt migrate the sensor when
// agent/affinity/sensor_follow decides so. One thread: the daemon's main one.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>
#include <map>
#include <string>
#include <vector>

#include "agent/affinity/sensor_follow.hpp"
#include "agent/app/config.hpp"
#include "agent/libvirt/connection.hpp"
#include "agent/model/policy.hpp"
#include "agent/peers/peers.hpp"
#include "agent/reconcile/reconciler.hpp"

namespace vmirror {

class SensorFollower {
 public:
  /// The type of the agents' messages that go to `on_message`: the sources that run on their host.
  static constexpr const char* kMessage = "sources";

  /// `libvirt` and `peers` may be null: then the sensor stays, and the status says why.
  SensorFollower(boost::asio::io_context& io, const Config& config, Libvirt* libvirt, Peers* peers);

  /// What is known here now; tells the peers if it changed. To be called with each news and once a
  /// second. `migrating`: the UUIDs of guests that migrate now.
  void look(const ControlSnapshot& control, const std::vector<Policy>& policies,
            const std::vector<std::string>& migrating, Time now);
  void on_peer_up(const std::string& host);
  void on_peer_down(const std::string& host);
  void on_message(const std::string& host, const std::string& body);

  /// {"vm", "decision", "moves_in_an_hour", "error"}
  boost::json::object status() const;

 private:
  void tell(std::vector<SensorSource> here);
  void decide(const std::vector<std::string>& migrating, Time now);
  void migrate(const MigrateSensor& decision, const std::string& uuid);

  boost::asio::io_context& io_;
  const Config& config_;
  Libvirt* const libvirt_;
  Peers* const peers_;
  std::vector<SensorSource> here_;
  std::string told_;                                        ///< The latest message to the peers.
  std::map<std::string, std::vector<SensorSource>> there_;  ///< By host.
  std::map<std::string, Time> since_;                       ///< Of the sources here, by UUID.
  SensorHistory history_;
  bool moving_ = false;
  std::string decision_ = "not decided yet", error_;
};

}  // namespace vmirror
