// PolicyResolver: computes the sessions wanted on this host from policies and locations. It
// processes only changes. See resolve.hpp for the rules; resolve() is a fresh resolver asked once.
//
// The driver's verdicts are an input: a policy that the driver can't carry out must not displace a
// policy that it can.
//
//   update --> sessions --> Realiser --> verdicts --> heed: is each session served if it can be?
//                 ^                                    | no: for a refused session the
//                 +------------------------------------+ next policy decides
#pragma once

#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "agent/model/budget.hpp"
#include "agent/model/location.hpp"
#include "agent/model/policy.hpp"
#include "agent/model/status.hpp"
#include "plugin/base/persistent_map.hpp"

namespace vmirror {

/// A policy's session for one NIC and target that is not realised: another policy overrules it, the
/// driver refuses it while another policy's session can be served, the NIC can't be mirrored
/// (Location::no_port), or a budget has no room (BudgetCut; it has then the session's own name).
struct Refusal {
  Session session;  ///< Its name is "vnet0@local/POLICY"; without a port "vnet0@local".
  Error reason;
  bool operator==(const Refusal&) const = default;
};

/// The locations of a host's ports.
using LocationMap = PersistentMap<PortKey, Location>;

/// The sessions of one port.
struct ResolvedPort {
  std::vector<Session> sessions;  ///< By target.
  std::vector<Refusal> refused;
  std::map<std::string, std::size_t> of_policy;  ///< By policy: its number of `sessions`.
  /// Names of `sessions` that would differ if the driver refused the deciding policy.
  std::set<std::string> contested;
  /// Policies with `mac` for a port whose MAC is not known; the cause, in words.
  std::map<std::string, std::string> unsure;
  std::vector<BudgetClaim> claims;  ///< Of `sessions`, and of those that a budget dropped.
  bool operator==(const ResolvedPort&) const = default;
};

/// The settings of a session in which policies may contradict each other.
struct Manner {
  std::uint32_t snaplen = 0;
  std::set<std::uint16_t> vlans;
  Filter filter;
  bool operator==(const Manner&) const = default;
};

/// The time for which a refused manner is not asked for again.
constexpr Time kRefusedManner = 10 * kSecond;

/// By session: the manners that the driver refused, and why, in the order of the policies.
using RefusedManners = std::map<std::string, std::vector<std::pair<Manner, Error>>>;

/// One target of a NIC, and the policies that want it, the one that decides first.
struct TargetClaim {
  Target target;
  std::vector<const Policy*> policies;
};

class PolicyResolver {
 public:
  /// `monitor_nic`: the appliance's, for the target `local`; none where the agent is on the host.
  explicit PolicyResolver(std::optional<Mac> monitor_nic) : monitor_nic_(monitor_nic) {}

  /// In force from the next update on.
  void set_policies(std::vector<Policy> policies);
  /// Updates all results below. Costs the difference to the last call's locations, if these are
  /// ancestors of the new ones, and everything if a policy was added, removed or expired. The
  /// result depends on the policies, the locations and the time alone.
  void update(const LocationMap& locations, Time now);
  /// The driver's verdicts on sessions(), by name. If the driver refuses a session that another
  /// policy wants in another manner, this policy decides for kRefusedManner, and the first policy
  /// is refused with the driver's reason. True: sessions() changed, ask the driver again. Costs the
  /// difference to the last call's verdicts, if these are ancestors of the new ones.
  bool heed(const PersistentMap<std::string, Verdict>& verdicts);
  /// What the sessions would be without budgets. Costs the number of ports.
  std::vector<BudgetClaim> claims() const;
  /// In force from the next update on, which costs the ports of the cuts that differ.
  void set_cuts(const BudgetCuts& cuts);
  /// A session's; null: it is whole.
  const BudgetCut* cut_of(const std::string& session) const;

  const SessionMap& sessions() const { return sessions_; }
  const PersistentMap<std::string, Refusal>& refused() const { return refused_; }  ///< By name.
  const ResolvedPort& of(const PortKey& port) const;
  std::vector<PolicyStatus> policies() const;  ///< By name.
  /// The policies that were in force before the latest update and have expired since.
  const std::vector<std::string>& ended() const { return ended_; }

 private:
  struct Tally {
    std::size_t sessions = 0;
    std::map<std::string, std::string> refusals;  ///< By the request's name.
    std::map<PortKey, std::string> unsure;        ///< ResolvedPort::unsure
  };

  std::vector<const Policy*> in_force(Time now) const;
  ResolvedPort resolve(const Location& at) const;
  void serve(const Location& at, const TargetClaim& claim, const std::string& name,
             ResolvedPort& out) const;
  void replace(const PortKey& port, ResolvedPort resolved);
  PolicyStatus status_of(const Policy& policy) const;

  const std::optional<Mac> monitor_nic_;
  std::vector<Policy> policies_;
  bool anew_ = false;  ///< The policies are others than at the last update.
  Time now_ = 0;
  BudgetCuts cuts_;
  std::set<PortKey> recut_;  ///< Ports of the cuts that were made or ended since the last update.

  std::vector<const Policy*> in_force_;  ///< Of policies_, those that decide first.
  std::vector<std::string> ended_;
  LocationMap locations_;
  std::unordered_map<std::string, std::set<PortKey>> of_name_;    ///< By port: on which switches.
  std::unordered_map<PortKey, ResolvedPort, PortKeyHash> ports_;  ///< Those that are wanted.
  std::map<std::string, Tally> tallies_;                          ///< By policy.
  std::map<std::string, PortKey> contested_;                      ///< By session.
  std::set<std::string> unheeded_;  ///< Contested since the driver was last heeded.
  PersistentMap<std::string, Verdict> heeded_;
  std::map<PortKey, RefusedManners> refused_manners_;
  Time heeded_at_ = 0;  ///< When the first of them was refused.
  SessionMap sessions_;
  PersistentMap<std::string, Refusal> refused_;
};

}  // namespace vmirror
