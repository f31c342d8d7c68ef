#include "agent/control/store/contents.hpp"

#include <algorithm>
#include <tuple>

#include "agent/control/store/schema.hpp"
#include "plugin/base/text.hpp"

namespace vmirror {

namespace {

using ovsdb::Row;

std::int64_t whole_number(const Row& row, std::size_t column) {
  return row[column].get<std::int64_t>().value_or(0);
}

HostRow host_row(const Row& row) {
  namespace c = store::host;
  return {row[c::kName].text(),
          row[c::kKind].text(),
          row[c::kSwitchVersion].text(),
          row[c::kVersion].text(),
          row[c::kCapabilities].set<std::string>(),
          whole_number(row, c::kGeneration),
          row[c::kRefused].map(),
          row[c::kFault].text(),
          row[c::kInstance].text()};
}

SessionRow session_row(const Row& row) {
  namespace c = store::session;
  return {row[c::kName].text(),
          row[c::kHost].text(),
          row[c::kPolicies].set<std::string>(),
          row[c::kVm].text(),
          row[c::kMac].text(),
          row[c::kSwitch].text(),
          row[c::kPort].text(),
          row[c::kTarget].text(),
          row[c::kState].text(),
          row[c::kProof].text(),
          row[c::kInPlace].get<bool>().value_or(false),
          row[c::kReason].text(),
          row[c::kSince].text()};
}

RemovalRow removal_row(const Row& row) {
  namespace c = store::removal;
  return {row[c::kPolicy].text(), whole_number(row, c::kGeneration), row[c::kRemovedBy].text(),
          row[c::kRemovedAt].text()};
}

/// A policy that its row can't give.
Error bad_row(Error error, const StoredPolicy& policy) {
  error.what +=
      " (generation " + std::to_string(policy.generation) + ", set by " + policy.set_by + ")";
  return error;
}

Result<Policy> read_stored(const StoredPolicy& stored) {
  const std::string place = place_in_store(stored.name);
  auto policy = parse_policy(stored.yaml, place);
  if (!policy) return tl::unexpected(bad_row(std::move(policy.error()), stored));
  if (policy->name != stored.name)
    return tl::unexpected(
        bad_row({Error::Kind::invalid, "its text calls the policy `" + policy->name + "`", place,
                 "apply it anew: `vmirror apply FILE`"},
                stored));
  if (policy->ttl)
    policy->set_at = stored.begun != 0 ? stored.begun : parse_time(stored.set_at).value_or(0);
  return policy;
}

Error past_the_bounds(const std::string& place) {
  return {Error::Kind::exhausted,
          "not read: an agent takes at most " + std::to_string(kMostPolicyFiles) + " policies of " +
              std::to_string(kMostPolicyBytes) + " bytes in all",
          place, "join policies, or delete some"};
}

const PolicyFile* file_at(const std::vector<PolicyFile>& files, const std::string& path) {
  const auto found = std::ranges::find(files, path, &PolicyFile::path);
  return found == files.end() ? nullptr : &*found;
}

}  // namespace

StoredPolicy stored_policy(const Row& row) {
  namespace c = store::policy;
  return {row[c::kName].text(),  row[c::kYaml].text(),  whole_number(row, c::kGeneration),
          row[c::kSetBy].text(), row[c::kSetAt].text(), 0};
}

StoredPolicies stored_policies(const ovsdb::Snapshot& snapshot) {
  StoredPolicies out;
  for (const auto& [id, row] : snapshot[store::kCluster].rows)
    out.generation = whole_number(*row, store::cluster::kGeneration);
  for (const auto& [id, row] : snapshot[store::kPolicy].rows)
    out.policies.push_back(stored_policy(*row));
  std::ranges::sort(out.policies, {}, &StoredPolicy::name);
  return out;
}

void begin_terms(StoredPolicies& stored, const StoredPolicies& before, Time unknown_since,
                 Time now) {
  for (StoredPolicy& policy : stored.policies) {
    const auto known = std::ranges::find(before.policies, policy.name, &StoredPolicy::name);
    if (known != before.policies.end() && known->generation == policy.generation &&
        known->begun != 0) {
      policy.begun = known->begun;
      continue;
    }
    const Time set_at = parse_time(policy.set_at).value_or(now);
    policy.begun = std::clamp(set_at, std::min(unknown_since, now), now);
  }
}

std::optional<Time> end_of(const StoredPolicy& policy) {
  const auto read = parse_policy(policy.yaml, "");
  const auto set_at = parse_time(policy.set_at);
  if (!read || !read->ttl || !set_at) return {};
  return *set_at + *read->ttl;
}

StoreContents store_contents(const ovsdb::Snapshot& snapshot) {
  StoreContents out{stored_policies(snapshot), {}, {}, {}};
  for (const auto& [id, row] : snapshot[store::kRemoval].rows)
    out.removals.push_back(removal_row(*row));
  std::ranges::sort(out.removals, std::ranges::greater(), &RemovalRow::generation);
  for (const auto& [id, row] : snapshot[store::kHost].rows) out.hosts.push_back(host_row(*row));
  for (const auto& [id, row] : snapshot[store::kSession].rows)
    out.sessions.push_back(session_row(*row));
  std::ranges::sort(out.hosts, {}, &HostRow::name);
  std::ranges::sort(out.sessions, {}, [](const SessionRow& s) { return std::tie(s.host, s.name); });
  return out;
}

std::string place_in_store(const std::string& name) {
  return "the store: " + name;
}

std::vector<PolicyFile> policy_files(const StoredPolicies& stored,
                                     const std::vector<PolicyFile>& before) {
  std::vector<PolicyFile> out;
  std::size_t bytes = 0;
  for (const StoredPolicy& policy : stored.policies) {
    PolicyFile file{place_in_store(policy.name), {}, {}};
    bytes += policy.yaml.size();
    if (out.size() >= kMostPolicyFiles || bytes > kMostPolicyBytes)
      file.error = past_the_bounds(file.path);
    else if (auto read = read_stored(policy); read)
      file.policy = std::move(*read);
    else
      file.error = std::move(read.error());
    if (const PolicyFile* last = file_at(before, file.path); file.error && last != nullptr)
      file.policy = last->policy;
    out.push_back(std::move(file));
  }
  return out;
}

PolicyFolder compose(PolicyFolder folder, const std::vector<PolicyFile>& stored) {
  for (PolicyFile& file : folder.files) {
    if (!file.policy || file_at(stored, place_in_store(file.policy->name)) == nullptr) continue;
    file.error = Error{
        Error::Kind::invalid,
        "policy `" + file.policy->name + "` is in the store, too, and the store's holds", file.path,
        "give this one another name, or `vmirror delete " + file.policy->name + "`"};
    file.policy.reset();
  }
  folder.files.insert(folder.files.end(), stored.begin(), stored.end());
  return folder;
}

// ---- Conditions

namespace {

bool is_realised(const SessionRow& s) {
  return s.in_place && (s.state == "active" || s.state == "ready" || s.state == "pending");
}

bool is_proven(const SessionRow& s) {
  return is_realised(s) && !s.proof.empty() && s.proof != "none";
}

/// Counts the hosts on which a condition holds, and remembers why it does not.
class Tally {
 public:
  void holds() { ++condition_.hosts; }
  /// `worst`: it is known not to hold; else it may still come.
  void fails(const std::string& host, const std::string& why, bool worst) {
    if (condition_.reason.empty() || (worst && !worst_)) condition_.reason = host + ": " + why;
    worst_ = worst_ || worst;
  }
  StoreCondition of(std::size_t hosts, const char* nobody) {
    using Status = StoreCondition::Status;
    if (hosts == 0) condition_.reason = nobody;
    condition_.status = worst_                                   ? Status::no
                        : hosts > 0 && condition_.hosts == hosts ? Status::yes
                                                                 : Status::unknown;
    return std::move(condition_);
  }

 private:
  StoreCondition condition_;
  bool worst_ = false;
};

struct HostSessions {
  std::size_t all = 0;
  const SessionRow *not_realised = nullptr, *not_proven = nullptr;  ///< The first of each.
};

HostSessions sessions_of(const StoreContents& contents, const std::string& host,
                         const std::string& policy) {
  HostSessions out;
  const auto range = std::ranges::equal_range(contents.sessions, host, {}, &SessionRow::host);
  for (const SessionRow& s : range) {
    if (!s.policies.contains(policy) || s.state == "draining") continue;
    ++out.all;
    if (!is_realised(s) && out.not_realised == nullptr) out.not_realised = &s;
    if (!is_proven(s) && out.not_proven == nullptr) out.not_proven = &s;
  }
  return out;
}

std::string told(const SessionRow& s) {
  return s.name + " is " + s.state + ": " + s.reason;
}

PolicyStanding standing_of(const StoreContents& contents, const StoredPolicy& policy, Time now) {
  PolicyStanding out;
  out.policy = policy;
  out.ends = end_of(policy);
  Tally accepted, realised, proven;
  for (const HostRow& host : contents.hosts) {
    ++out.hosts;
    const bool observed = host.generation >= policy.generation;
    out.observed += observed ? 1 : 0;
    const auto refused = host.refused.find(policy.name);
    const HostSessions sessions = sessions_of(contents, host.name, policy.name);
    out.sessions += sessions.all;
    const auto no_further = [&](const std::string& why, bool worst) {
      realised.fails(host.name, why, worst);
      proven.fails(host.name, why, worst);
    };
    if (!observed) {
      const std::string why = "has taken in generation " + std::to_string(host.generation) +
                              " so far, of " + std::to_string(policy.generation);
      accepted.fails(host.name, why, false);
      no_further(why, false);
      continue;
    }
    if (refused != host.refused.end()) {
      accepted.fails(host.name, refused->second, true);
      no_further(refused->second, true);
      continue;
    }
    accepted.holds();
    if (!host.fault.empty()) {
      no_further(host.fault, true);
      continue;
    }
    if (sessions.not_realised == nullptr)
      realised.holds();
    else
      realised.fails(host.name, told(*sessions.not_realised),
                     sessions.not_realised->state != "pending");
    if (sessions.not_proven == nullptr)
      proven.holds();
    else
      proven.fails(host.name, told(*sessions.not_proven), sessions.not_realised != nullptr);
  }
  out.accepted = accepted.of(out.hosts, "no agent has reported to the store yet");
  out.realised = realised.of(out.hosts, "no agent has reported to the store yet");
  out.proven = proven.of(out.hosts, "no agent has reported to the store yet");
  if (out.sessions == 0)
    for (StoreCondition* c : {&out.realised, &out.proven})
      if (c->status == StoreCondition::Status::yes)
        *c = {StoreCondition::Status::unknown, c->hosts,
              out.ends && *out.ends <= now ? "it ended at " + clock_text(*out.ends)
                                           : "it selects no NIC of any host"};
  return out;
}

}  // namespace

const char* to_text(StoreCondition::Status status) {
  switch (status) {
    case StoreCondition::Status::yes:
      return "true";
    case StoreCondition::Status::no:
      return "false";
    case StoreCondition::Status::unknown:
      break;
  }
  return "unknown";
}

std::vector<PolicyStanding> standing(const StoreContents& contents, Time now) {
  std::vector<PolicyStanding> out;
  for (const StoredPolicy& policy : contents.policies.policies)
    out.push_back(standing_of(contents, policy, now));
  return out;
}

}  // namespace vmirror
