// What the store holds, as values: policies, and what the hosts say became of them. Pure.
//
//   snapshot of the database --> StoredPolicies --> policy files --+--> in force on this host
//                                        policies.d ---------------+
//   all rows --> StoreContents --> standing(): the conditions of each policy
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "agent/control/policy/policy_file.hpp"
#include "plugin/ovsdb/value.hpp"

namespace vmirror {

/// A policy as it was set.
struct StoredPolicy {
  std::string name;
  std::string yaml;             ///< One document, as the operator wrote it.
  std::int64_t generation = 0;  ///< Of the store, with the change that set it.
  std::string set_by;           ///< "USER@HOST" of the agent that took it in.
  std::string set_at;           ///< RFC 3339, by that host's clock.
  /// By this host's clock, for the terms of policies (terms.hpp): `set_at`, or when the policy came
  /// to an agent that followed the store. 0: not known; never in the store.
  Time begun = 0;
  bool operator==(const StoredPolicy&) const = default;
};

struct StoredPolicies {
  std::int64_t generation = 0;              ///< Of the latest change of any policy, removals too.
  std::vector<StoredPolicy> policies = {};  ///< By name.
  bool operator==(const StoredPolicies&) const = default;
};

/// What an agent says of its host.
struct HostRow {
  std::string name;
  std::string kind;                    ///< Of its switch: the driver's name.
  std::string switch_version;          ///< "Open vSwitch 3.1.0, schema 8.3.1"; "-": not read.
  std::string version;                 ///< vmirrord's.
  std::set<std::string> capabilities;  ///< "target erspan", "filter", ...
  std::int64_t generation = 0;         ///< Whose policies its sessions follow.
  std::map<std::string, std::string> refused;  ///< Policy that it can't take -> why.
  std::string fault;          ///< Why its sessions do not follow the policies; empty: they do.
  std::string instance = {};  ///< Of the agent, random: one that starts anew has another.
  bool operator==(const HostRow&) const = default;
};

/// A session of a host. Nothing that counts or that changes by itself.
struct SessionRow {
  std::string name;  ///< Unique on its host.
  std::string host;
  std::set<std::string> policies;
  std::string vm, mac, switch_name, port, target;
  std::string state;      ///< As SessionState's text.
  std::string proof;      ///< As told_proof; empty: none.
  bool in_place = false;  ///< The switch shows the mirror as asked.
  std::string reason;     ///< As it was when anything else but its numbers changed.
  std::string since;      ///< RFC 3339, by the host's clock.
  bool operator==(const SessionRow&) const = default;
};

/// Of a policy that is gone.
struct RemovalRow {
  std::string policy;
  std::int64_t generation = 0;  ///< Of the store, with the removal.
  std::string removed_by;       ///< As StoredPolicy::set_by.
  std::string removed_at;       ///< RFC 3339, by that host's clock.
  bool operator==(const RemovalRow&) const = default;
};

struct StoreContents {
  StoredPolicies policies;
  std::vector<HostRow> hosts;             ///< By name.
  std::vector<SessionRow> sessions;       ///< By host and name.
  std::vector<RemovalRow> removals = {};  ///< The newest first.
};

StoredPolicy stored_policy(const ovsdb::Row& row);
StoredPolicies stored_policies(const ovsdb::Snapshot& snapshot);
/// Gives each policy its `begun`. A policy that `before` has keeps it. Another one was set since
/// the store was followed last: after `unknown_since` by this clock (0: not known; `now`: it came
/// just now). `set_at` tells when, as far as another clock can.
void begin_terms(StoredPolicies& stored, const StoredPolicies& before, Time unknown_since,
                 Time now);
StoreContents store_contents(const ovsdb::Snapshot& snapshot);

/// "the store: NAME", where errors and lists say where a policy is.
std::string place_in_store(const std::string& name);

/// Each policy as a file of the name place_in_store. A policy that can't be read is set aside with
/// its error; if `before` has it as it was, that stays. The bounds are a folder's.
std::vector<PolicyFile> policy_files(const StoredPolicies& stored,
                                     const std::vector<PolicyFile>& before);

/// The folder's files and, after them, the store's. A file whose policy the store has, too, is set
/// aside with an error that names both places: what is stated for all hosts holds.
PolicyFolder compose(PolicyFolder folder, const std::vector<PolicyFile>& stored);

/// When a policy of the store ends by its `ttl`, by the clock of who set it; none: it has no `ttl`.
std::optional<Time> end_of(const StoredPolicy& policy);

/// How a policy stands in one respect.
struct StoreCondition {
  enum class Status : std::uint8_t { yes, no, unknown };
  Status status = Status::unknown;
  std::size_t hosts = 0;  ///< On which it holds.
  std::string reason;     ///< Of the first host where it doesn't; empty: it holds.
};
/// "true", "false", "unknown"
const char* to_text(StoreCondition::Status status);

struct PolicyStanding {
  StoredPolicy policy;
  std::size_t hosts = 0;     ///< That reported to the store.
  std::size_t observed = 0;  ///< Of these, those that have taken this generation in.
  std::size_t sessions = 0;  ///< On all hosts.
  /// Accepted: each host could read it. Realised: each of its sessions is on its switch as asked,
  /// and there is one. Proven: evidence says of each session that its copies come.
  StoreCondition accepted, realised, proven;
  std::optional<Time> ends;  ///< As end_of().
};

/// By name. `now`: of a policy that has ended no host is asked for sessions.
std::vector<PolicyStanding> standing(const StoreContents& contents, Time now);

}  // namespace vmirror
