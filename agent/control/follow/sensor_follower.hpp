// Keeps the sensor VM with its sources (policy `sensor: follow`): reports the sources on this host
// to the other agents, receives their reports, and asks libvirt to migrate the sensor when
// sensor_follow.hpp decides so. One thread: the daemon's main thread.
//
// The agents' message has ages instead of times, since the clocks of two hosts may differ:
//
//   {"sources": [{"vm": "dc1", "here_ms": 40000, "moving": false}, ...], "moved_ms_ago": [310000]}
//
// `moved_ms_ago` has the sensor's latest migrations, from any report: the agent of the sensor's new
// host must know how often the sensor moved before, and so must a restarted agent.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/control/follow/sensor_follow.hpp"
#include "agent/control/libvirt/connection.hpp"
#include "agent/control/peers/peers.hpp"
#include "agent/control/reconcile/reconciler.hpp"
#include "agent/model/policy.hpp"

namespace vmirror {

struct SensorFollowerOptions {
  std::string host;                ///< This host's name.
  std::string sensor;              ///< The VM that analyses, by name or UUID; empty: none.
  SensorFollowOptions follow;      ///< When the sensor moves.
  std::vector<std::string> peers;  ///< The other hosts whose agents are linked.
  /// Host name -> URI of this host's libvirt, as reached from here; only for known URIs.
  std::map<std::string, std::string> libvirt;
};

class SensorFollower {
 public:
  static constexpr std::size_t kMaxMessage = std::size_t{2} << 20;  ///< Bytes of a body.
  /// The type of the agents' messages that go to `on_message`.
  static constexpr const char* kMessage = "sources";

  /// `libvirt` and `peers` may be null: then the sensor stays, and the status says why.
  SensorFollower(boost::asio::io_context& io, SensorFollowerOptions options, Libvirt* libvirt,
                 Peers* peers);

  /// Reads the state of this host, reports changes to the peers, and decides. To be called once a
  /// second: it passes all ports. `migrating`: the UUIDs of guests that migrate now.
  void look(const ControlSnapshot& control, const std::vector<Policy>& policies,
            const std::vector<std::string>& migrating, Time now);
  void on_peer_up(const std::string& host, Time now);
  void on_peer_down(const std::string& host);
  /// Ignores a body that is no such message.
  void on_message(const std::string& host, const std::string& body, Time now);

  /// {"vm", "decision", "sources": {HOST: how many, or null: not known}, "moves_in_an_hour",
  /// "error"}
  boost::json::object status(Time now) const;

 private:
  void go_to(Time now);
  std::vector<SensorSource> sources_here(const ControlSnapshot& control,
                                         const std::vector<Policy>& policies,
                                         const std::vector<std::string>& migrating, Time now);
  void tell(std::vector<SensorSource> here, Time now);
  std::string message(Time now) const;
  void decide(bool wanted, const std::vector<std::string>& migrating, Time now);
  void migrate(const MigrateSensor& decision, const std::string& uuid);
  bool is_sensor(const std::string& name, const std::string& uuid) const;

  boost::asio::io_context& io_;
  const SensorFollowerOptions options_;
  Libvirt* const libvirt_;
  Peers* const peers_;
  std::vector<SensorSource> here_;
  bool looked_ = false;                                     ///< `here_` is known.
  std::map<std::string, std::vector<SensorSource>> there_;  ///< By linked host.
  std::map<std::string, Time> since_;                       ///< Of the sources here, by UUID.
  std::optional<Time> came_;                                ///< When the sensor arrived here.
  SensorHistory history_;
  std::vector<Time> told_moves_;  ///< `history_.moves` at the latest report to the peers.
  bool moving_ = false;           ///< libvirt was asked to migrate the sensor.
  Time now_ = 0;                  ///< The time of the latest call.
  std::string decision_ = "not decided yet", error_;
};

}  // namespace vmirror
