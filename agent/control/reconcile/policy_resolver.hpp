// PolicyResolver: from policies and locations to the sessions that are wanted on this host, again
// and again for what changed. See resolve.hpp for the rules; resolve() is the resolver asked once.
//
// The driver has a say in which policy decides: what it can't carry out must not displace what it
// can.
//
//   update --> sessions --> Realiser --> verdicts --> heed: all served as they could be?
//                 ^                                    | no: for a session that is refused, the
//                 +------------------------------------+ next policy decides
#pragma once

#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "agent/model/location.hpp"
#include "agent/model/policy.hpp"
#include "agent/model/status.hpp"
#include "plugin/base/persistent_map.hpp"

namespace vmirror {

/// What a policy asks for one NIC and target, where another policy overrules it, that the driver
/// refuses while another policy's can be served, or for a NIC that can't be mirrored
/// (Location::no_port).
struct Refusal {
  Session session;  ///< Its name is "vnet0@local/POLICY"; without a port "vnet0@local".
  Error reason;
  bool operator==(const Refusal&) const = default;
};

/// The locations of a host's ports.
using LocationMap = PersistentMap<PortKey, Location>;

/// What the policies want of one port.
struct ResolvedPort {
  std::vector<Session> sessions;  ///< By target.
  std::vector<Refusal> refused;
  std::map<std::string, std::size_t> of_policy;  ///< How many of `sessions` it has a part in.
  /// Names of `sessions` that would be another if the policy that decides could not.
  std::set<std::string> contested;
  /// Policies that would select it by `mac`, had it one; why not, in words.
  std::map<std::string, std::string> unsure;
  bool operator==(const ResolvedPort&) const = default;
};

/// What of a session the policies may contradict each other in.
struct Manner {
  std::uint32_t snaplen = 0;
  std::set<std::uint16_t> vlans;
  Filter filter;
  bool operator==(const Manner&) const = default;
};

/// How long a manner that the driver refused is not asked for again.
constexpr Time kRefusedManner = 10 * kSecond;

/// By session: what the driver refused, and why, in the order of the policies.
using RefusedManners = std::map<std::string, std::vector<std::pair<Manner, Error>>>;

class PolicyResolver {
 public:
  /// `monitor_nic`: the appliance's, for the target `local`; none where the agent is on the host.
  explicit PolicyResolver(std::optional<Mac> monitor_nic) : monitor_nic_(monitor_nic) {}

  /// In force from the next update on.
  void set_policies(std::vector<Policy> policies);
  /// Brings everything below up to date. Costs what differs from the last call's locations, where
  /// these are their ancestors; all, when a policy came, went or expired. What comes of it depends
  /// on the policies, the locations and the time alone.
  void update(const LocationMap& locations, Time now);
  /// The driver's word on sessions(), by name. Where it refuses a session that another policy wants
  /// in another manner, that policy decides until kRefusedManner later, and the first is among the
  /// refused with the driver's reason. True: sessions() changed, ask it again. Costs what differs
  /// from the last call's, where these are their ancestors.
  bool heed(const PersistentMap<std::string, Verdict>& verdicts);

  const SessionMap& sessions() const { return sessions_; }
  const PersistentMap<std::string, Refusal>& refused() const { return refused_; }  ///< By name.
  const ResolvedPort& of(const PortKey& port) const;
  std::vector<PolicyStatus> policies() const;  ///< By name.

 private:
  struct Tally {
    std::size_t sessions = 0;
    std::map<std::string, std::string> refusals;  ///< By the request's name.
    std::map<PortKey, std::string> unsure;        ///< ResolvedPort::unsure
  };

  std::vector<const Policy*> in_force(Time now) const;
  ResolvedPort resolve(const Location& at) const;
  void replace(const PortKey& port, ResolvedPort resolved);
  PolicyStatus status_of(const Policy& policy) const;

  const std::optional<Mac> monitor_nic_;
  std::vector<Policy> policies_;
  bool anew_ = false;  ///< The policies are others than at the last update.
  Time now_ = 0;

  std::vector<const Policy*> in_force_;  ///< Of policies_, those that decide first.
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
