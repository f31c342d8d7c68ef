// SessionJudge: the states of all sessions and locations, and the mirror index. It processes only
// changes. See judge.hpp for the rules; the result equals that of judge().
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "agent/control/reconcile/judge.hpp"
#include "agent/control/reconcile/policy_resolver.hpp"
#include "agent/model/mirror_index.hpp"
#include "plugin/api/pack.hpp"

namespace vmirror {

/// The location of a NIC of this host, and its mirrors.
struct LocationStatus {
  Location at;
  std::size_t sessions = 0;  ///< Sessions that the policies ask for; 0: none.
  /// When the last of its sessions was read back in place; 0: a session isn't, or there is none.
  Time mirrored_since = 0;
  bool operator==(const LocationStatus&) const = default;
};

/// The changes of one reading, for records of migrations. `before` is none for what is new, `after`
/// is none for what is gone.
struct RoundChanges {
  Time time = 0;  ///< Wall clock: when the reading came in.
  struct OfPort {
    std::optional<Location> before, after;
  };
  struct OfSession {
    std::optional<SessionStatus> before, after;
  };
  std::vector<OfPort> ports;        ///< With a new, removed or changed location.
  std::vector<OfSession> sessions;  ///< New, removed, or with another state or `in_place`.
  bool empty() const { return ports.empty() && sessions.empty(); }
};

class SessionJudge {
 public:
  /// `local_input`: the engine's input of the appliance's monitor NIC; empty on a host, where each
  /// output port has an input with the name of the port.
  explicit SessionJudge(std::string local_input = {}) : local_input_(std::move(local_input)) {}

  /// Judges. Costs the difference to the last call's arguments, if these are ancestors of the new
  /// ones, and the sessions with a time-out that has ended since. Returns the changes.
  RoundChanges update(const PolicyResolver& resolver, const LocationMap& locations,
                      const Realiser& realiser, std::shared_ptr<const Observed> observed,
                      const std::optional<Error>& apply_error, const std::optional<Error>& stall,
                      Time now);
  /// The switch can't be read: every session is unknown. Of several calls in a row the first gives
  /// the reason.
  RoundChanges unreadable(const Error& error, Time now);
  /// In use from the next update on.
  void set_evidence(Evidence evidence);
  void set_collectors(Collectors collectors);

  const PersistentMap<std::string, SessionStatus>& sessions() const { return statuses_; }
  const PersistentMap<PortKey, LocationStatus>& locations() const { return location_statuses_; }
  /// The ports that sessions to the local engine copy to.
  const PersistentSet<std::string>& local_outputs() const { return local_outputs_; }
  /// NICs of sessions to the local engine. A NIC with an unknown MAC is left out. Never null.
  std::shared_ptr<const MirrorIndex> index() const { return index_; }
  /// The number of judgements so far: the cost of the updates.
  std::uint64_t judgements() const { return judgements_; }

 private:
  using Names = std::set<std::string>;

  void touch(const PortKey& port, const PolicyResolver& resolver);
  void touch_all();
  void touch_due(Time now);
  void touch_beside(const std::string& switch_name, const std::string& mirror, const Switch& on);
  void touch_mirror(const std::string& switch_name, const std::string& mirror);
  void touch_changes(const PolicyResolver& resolver, const LocationMap& locations,
                     const Realiser& realiser, const Observed& observed, RoundChanges& out);
  void touch_switch(const std::string& name, const Switch& was, const Switch& is,
                    const PolicyResolver& resolver);
  std::optional<Track> judged(const std::string& name, const PolicyResolver& resolver,
                              const Realiser& realiser, const JudgeContext& context, Time now);
  void count_output(const SessionStatus* status, bool add);
  void put(const std::string& name, std::optional<Track> track, RoundChanges& out);
  void forget(const std::string& name);
  void look_again(const std::string& name, std::optional<Time> at);
  std::optional<WatchedNic> nic_of(const std::string& name, const Realiser& realiser,
                                   const Observed& observed) const;
  void index_session(const std::string& name, const Realiser& realiser, const Observed& observed);
  void show_location(const PortKey& port, const PolicyResolver& resolver);

  const std::string local_input_;

  // As of the last update.
  SessionMap desired_;
  PersistentMap<std::string, Refusal> overruled_;
  PersistentMap<std::string, Verdict> verdicts_;
  LocationMap locations_;
  std::vector<Mirror> wanted_;
  std::shared_ptr<const Observed> observed_ = std::make_shared<const Observed>();
  bool was_unreadable_ = false;
  bool stalled_ = false;
  std::optional<Error> apply_error_;
  Time updated_at_ = 0;
  Underlays underlays_;
  Evidence evidence_;
  Collectors collectors_;

  Names touched_;                    ///< To be judged at the next update.
  std::set<PortKey> touched_ports_;  ///< To be shown again at the next update.
  std::unordered_map<std::string, Track> tracks_;
  std::set<std::pair<Time, std::string>> due_;    ///< Sessions, by due_again().
  std::unordered_map<std::string, Time> due_of_;  ///< The same, by session.
  Names unmade_;                       ///< Wait for a change on the switch, and have its error.
  std::map<PortKey, Names> draining_;  ///< By port.
  std::map<IpAddress, Names> to_collector_;  ///< Desired sessions, by the address of the collector.
  std::uint64_t judgements_ = 0;

  PersistentMap<std::string, SessionStatus> statuses_;
  PersistentMap<PortKey, LocationStatus> location_statuses_;
  std::map<std::string, std::size_t> local_sessions_;  ///< Number of sessions, by output.
  PersistentSet<std::string> local_outputs_;
  std::unordered_map<std::string, PortKey> nic_of_;  ///< By session that is in the index.
  /// The values by which the engine distinguishes NICs.
  using Likeness = std::tuple<Mac, std::string, std::optional<std::uint16_t>>;
  static Likeness likeness(const WatchedNic& nic) { return {nic.mac, nic.input, nic.vlan}; }
  std::map<Likeness, std::set<PortKey>> alike_;  ///< NICs of the index; no set is empty.
  std::shared_ptr<const MirrorIndex> index_ = std::make_shared<const MirrorIndex>();
};

}  // namespace vmirror
