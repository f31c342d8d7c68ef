// The judge: the state of every session, of every location, and the mirror index, judged again and
// again for what changed. See judge.hpp for the rules; judge() says what it must come to.
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

/// Where a NIC of this host is, and what is mirrored of it.
struct LocationStatus {
  Location at;
  std::size_t sessions = 0;  ///< That the policies ask for; 0: nobody wants it.
  /// When the last of its sessions was read back in place; 0: one of them isn't, or there is none.
  Time mirrored_since = 0;
  bool operator==(const LocationStatus&) const = default;
};

/// What one reading changed, for who keeps a record of it. A value `before` that is none: it was
/// not there; `after`: it is not there any more.
struct RoundChanges {
  Time time = 0;  ///< Wall clock: when the reading came in.
  struct OfPort {
    std::optional<Location> before, after;
  };
  struct OfSession {
    std::optional<SessionStatus> before, after;
  };
  std::vector<OfPort> ports;        ///< Whose location came, went, or differs.
  std::vector<OfSession> sessions;  ///< That came, went, or whose state or `in_place` differs.
  bool empty() const { return ports.empty() && sessions.empty(); }
};

class SessionJudge {
 public:
  /// `local_input`: the engine's input of the appliance's monitor NIC; empty on a host, where each
  /// port that copies come out of is an input of its name.
  explicit SessionJudge(std::string local_input = {}) : local_input_(std::move(local_input)) {}

  /// Judges. Costs what differs from the last call's arguments, where these are their ancestors,
  /// and the sessions for which a patience has ended since. Returns what it changed.
  RoundChanges update(const PolicyResolver& resolver, const LocationMap& locations,
                      const Realiser& realiser, std::shared_ptr<const Observed> observed,
                      const std::optional<Error>& apply_error, const std::optional<Error>& stall,
                      Time now);
  /// The switch can't be read: every session is unknown, for the reason that the first of such
  /// calls on end gave.
  RoundChanges unreadable(const Error& error, Time now);
  /// Counts from the next update on.
  void set_evidence(Evidence evidence);
  void set_collectors(Collectors collectors);

  const PersistentMap<std::string, SessionStatus>& sessions() const { return statuses_; }
  const PersistentMap<PortKey, LocationStatus>& locations() const { return location_statuses_; }
  /// The ports that sessions to the local engine copy to.
  const PersistentSet<std::string>& local_outputs() const { return local_outputs_; }
  /// NICs of sessions to the local engine. A NIC whose MAC nobody knows is left out. Never null.
  std::shared_ptr<const MirrorIndex> index() const { return index_; }
  /// Sessions judged so far, each as often as it was: what the updates cost.
  std::uint64_t judgements() const { return judgements_; }

 private:
  using Names = std::set<std::string>;

  void touch(const PortKey& port, const PolicyResolver& resolver);
  void touch_all();
  void touch_due(Time now);
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
  std::set<PortKey> touched_ports_;  ///< Whose location is to be shown anew.
  std::unordered_map<std::string, Track> tracks_;
  std::set<std::pair<Time, std::string>> due_;    ///< Sessions, by due_again().
  std::unordered_map<std::string, Time> due_of_;  ///< The same, by session.
  Names unmade_;                       ///< Wait for a change on the switch, whose error is theirs.
  std::map<PortKey, Names> draining_;  ///< By port.
  std::map<IpAddress, Names> to_collector_;  ///< Those wished, by where their copies go.
  std::uint64_t judgements_ = 0;

  PersistentMap<std::string, SessionStatus> statuses_;
  PersistentMap<PortKey, LocationStatus> location_statuses_;
  std::map<std::string, std::size_t> local_sessions_;  ///< By output: how many.
  PersistentSet<std::string> local_outputs_;
  std::unordered_map<std::string, PortKey> nic_of_;  ///< By session that is in the index.
  /// What the engine tells NICs apart by.
  using Likeness = std::tuple<Mac, std::string, std::optional<std::uint16_t>>;
  static Likeness likeness(const WatchedNic& nic) { return {nic.mac, nic.input, nic.vlan}; }
  std::map<Likeness, std::set<PortKey>> alike_;  ///< Those of the index; none empty.
  std::shared_ptr<const MirrorIndex> index_ = std::make_shared<const MirrorIndex>();
};

}  // namespace vmirror
