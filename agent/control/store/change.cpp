#include "agent/control/store/change.hpp"

#include <algorithm>
#include <functional>
#include <set>
#include <thread>
#include <vector>

#include "agent/control/policy/policy_file.hpp"
#include "agent/control/store/contents.hpp"
#include "agent/control/store/roles.hpp"
#include "agent/control/store/schema.hpp"
#include "plugin/base/text.hpp"

namespace vmirror {

namespace {

using ovsdb::Client;
using SteadyClock = std::chrono::steady_clock;

/// Of a person who waits for a change: less than the command line waits for the daemon.
constexpr std::chrono::milliseconds kChangePatience{6000};
/// Between attempts of a change that lost a race.
constexpr std::chrono::milliseconds kBetweenAttempts{20};

/// The one row of the cluster; null: nobody changed anything yet.
const ovsdb::Row* cluster_row(const ovsdb::Snapshot& now) {
  const auto& rows = now[store::kCluster].rows;
  return rows.begin() == rows.end() ? nullptr : (*rows.begin()).second.get();
}

/// False: a store of schema 1, whose policies are there without a reference.
bool refers_to_policies(const ovsdb::Snapshot& now) {
  return now[store::kCluster].has_column[store::cluster::kPolicies];
}

constexpr ovsdb::Uuid kNewCluster{{0, 0, 0, 1}}, kNewPolicy{{0, 0, 0, 2}},
    kNewRemoval{{0, 0, 0, 3}};

/// A policy that ended so long ago goes with the next change: no clock of a host is that wrong.
constexpr Time kKeptAfterEnd = 86400 * kSecond;

std::set<ovsdb::Uuid> long_ended(const ovsdb::Snapshot& is, Time now) {
  std::set<ovsdb::Uuid> out;
  for (const auto& [id, row] : is[store::kPolicy].rows) {
    const auto end = end_of(stored_policy(*row));
    if (end && now - *end > kKeptAfterEnd) out.insert(id);
  }
  return out;
}

/// By its `ttl`. A policy that was set by a clock ahead of this one may have: it is not known, and
/// who sets it again wants it in force.
bool may_have_ended(const StoredPolicy& policy, Time now) {
  const auto end = end_of(policy);
  return end && (*end <= now || parse_time(policy.set_at).value_or(now) > now);
}

/// Raises the generation, if it is still the one that was read, and takes references to policies
/// out and another in.
void change_cluster(const ovsdb::Snapshot& now, std::int64_t to,
                    const std::set<ovsdb::Uuid>& without, bool with_new, ovsdb::Transaction& out) {
  namespace c = store::cluster;
  const ovsdb::Datum value{ovsdb::Atom(to)}, fresh{ovsdb::Atom(kNewPolicy)};
  const bool refers = refers_to_policies(now);
  const ovsdb::Row* row = cluster_row(now);
  if (row == nullptr) {
    ovsdb::ColumnValues columns{{c::kGeneration, value}};
    if (refers && with_new) columns.emplace_back(c::kPolicies, fresh);
    out.push_back(ovsdb::Insert{store::kCluster, kNewCluster, std::move(columns)});
    return;
  }
  out.push_back(ovsdb::Verify{store::kCluster, row->id, c::kGeneration, (*row)[c::kGeneration]});
  ovsdb::ColumnValues columns{{c::kGeneration, value}};
  if (refers) {
    std::set<ovsdb::Uuid> policies = (*row)[c::kPolicies].set<ovsdb::Uuid>();
    for (const ovsdb::Uuid& id : without) policies.erase(id);
    if (with_new) policies.insert(kNewPolicy);
    columns.emplace_back(c::kPolicies, ovsdb::Datum(policies));
  }
  out.push_back(ovsdb::Write{store::kCluster, row->id, std::move(columns)});
}

/// A note of who removed a policy, in place of the oldest where there are too many; nothing in a
/// store whose schema has no notes. The Cluster's row is written already.
void note_removal(const ovsdb::Snapshot& now, ovsdb::ColumnValues note, ovsdb::Transaction& out) {
  namespace c = store::cluster;
  const ovsdb::Row* row = cluster_row(now);
  if (row == nullptr || !now[store::kCluster].has_column[c::kRemovals]) return;
  std::vector<std::pair<std::int64_t, ovsdb::Uuid>> known;
  for (const auto& [id, removal] : now[store::kRemoval].rows)
    known.emplace_back((*removal)[store::removal::kGeneration].get<std::int64_t>().value_or(0), id);
  std::ranges::sort(known, std::ranges::greater());
  std::set<ovsdb::Uuid> kept{kNewRemoval};
  for (const auto& [generation, id] : known)
    if (kept.size() < kMostRemovals) kept.insert(id);
  out.push_back(ovsdb::Insert{store::kRemoval, kNewRemoval, std::move(note)});
  out.push_back(ovsdb::Write{store::kCluster, row->id, {{c::kRemovals, ovsdb::Datum(kept)}}});
}

/// Two inserted a row of one name, or the first row of the cluster, at the same time.
bool lost_by_index(const Error& error) {
  return error.kind == Error::Kind::refused &&
         error.what.find("constraint violation") != std::string::npos;
}

/// What a certificate may not do is said in terms of certificates.
Error refusal(Error error) {
  if (!store::refused_by_roles(error)) return error;
  error.what = "this certificate may not change the store (" + error.what + ")";
  error.where = "the store";
  error.remedy =
      "as an operator: `--store FILE` with a certificate of `vmirror pki operator`, named to the "
      "store by `vmirror cluster grant`; or as root on a host of a server";
  return error;
}

/// Commits what `compose` makes of the contents; composes it anew while others are faster. An empty
/// transaction: there is nothing to do.
template <typename Compose>
Result<void> change(Client& client, const Compose& compose) {
  const auto until = SteadyClock::now() + kChangePatience;
  for (;;) {
    const auto left = std::chrono::duration_cast<Client::Milliseconds>(until - SteadyClock::now());
    if (left.count() <= 0)
      return fail(Error::Kind::unreachable,
                  "not done: others changed the store at the same time, again and again",
                  "the store", "try again");
    const auto now = client.read(left);
    if (!now) return tl::unexpected(now.error());
    const Result<ovsdb::Transaction> transaction = compose(**now);
    if (!transaction) return tl::unexpected(transaction.error());
    if (transaction->empty()) return {};
    const auto done = client.commit(*transaction, left);
    if (!done && !lost_by_index(done.error())) return tl::unexpected(refusal(done.error()));
    if (done && done->done) return {};
    std::this_thread::sleep_for(kBetweenAttempts);
  }
}

}  // namespace

Result<std::int64_t> put_policy(Client& client, const std::string& yaml, const std::string& by,
                                Time now) {
  const auto policy = parse_policy(yaml, "the policy");
  if (!policy) return tl::unexpected(policy.error());
  namespace c = store::policy;
  std::int64_t generation = 0;
  const auto done = change(client, [&](const ovsdb::Snapshot& is) {
    const ovsdb::Row* row = is[store::kPolicy].named(policy->name);
    ovsdb::Transaction out;
    const bool ended = row != nullptr && may_have_ended(stored_policy(*row), now);
    if (row != nullptr && (*row)[c::kYaml].text() == yaml && !ended) {
      generation = (*row)[c::kGeneration].get<std::int64_t>().value_or(0);
      return Result<ovsdb::Transaction>(out);
    }
    generation = stored_policies(is).generation + 1;
    ovsdb::ColumnValues columns{{c::kYaml, ovsdb::Datum(ovsdb::Atom(yaml))},
                                {c::kGeneration, ovsdb::Datum(ovsdb::Atom(generation))},
                                {c::kSetBy, ovsdb::Datum(ovsdb::Atom(by))},
                                {c::kSetAt, ovsdb::Datum(ovsdb::Atom(clock_text(now)))}};
    if (row != nullptr && !refers_to_policies(is)) {
      change_cluster(is, generation, {}, false, out);
      out.push_back(ovsdb::Write{store::kPolicy, row->id, std::move(columns)});
    } else {
      std::set<ovsdb::Uuid> without = long_ended(is, now);
      if (row != nullptr) without.insert(row->id);
      change_cluster(is, generation, without, true, out);
      columns.emplace_back(c::kName, ovsdb::Datum(ovsdb::Atom(policy->name)));
      out.push_back(ovsdb::Insert{store::kPolicy, kNewPolicy, std::move(columns)});
    }
    return Result<ovsdb::Transaction>(out);
  });
  if (!done) return tl::unexpected(done.error());
  return generation;
}

Result<void> drop_policy(Client& client, const std::string& name, const std::string& by, Time now) {
  return change(client, [&](const ovsdb::Snapshot& is) -> Result<ovsdb::Transaction> {
    const ovsdb::Row* row = is[store::kPolicy].named(name);
    if (row == nullptr)
      return fail(Error::Kind::missing, "there is no policy `" + name + "`", "the store",
                  "see `vmirror get policies`");
    ovsdb::Transaction out;
    if (!refers_to_policies(is)) out.push_back(ovsdb::Delete{store::kPolicy, row->id});
    const std::int64_t generation = stored_policies(is).generation + 1;
    change_cluster(is, generation, {row->id}, false, out);
    namespace c = store::removal;
    note_removal(is,
                 {{c::kPolicy, ovsdb::Datum(name)},
                  {c::kGeneration, ovsdb::Datum(generation)},
                  {c::kRemovedBy, ovsdb::Datum(by)},
                  {c::kRemovedAt, ovsdb::Datum(clock_text(now))}},
                 out);
    return out;
  });
}

Result<void> forget_host(Client& client, const std::string& name) {
  return change(client, [&](const ovsdb::Snapshot& is) -> Result<ovsdb::Transaction> {
    const ovsdb::Row* host = is[store::kHost].named(name);
    if (host == nullptr)
      return fail(Error::Kind::missing, "there is no host `" + name + "`", "the store",
                  "see `vmirror get hosts`");
    ovsdb::Transaction out{ovsdb::Delete{store::kHost, host->id}};
    for (const auto& [id, row] : is[store::kSession].rows)
      if ((*row)[store::session::kHost].text() == name)
        out.push_back(ovsdb::Delete{store::kSession, id});
    return out;
  });
}

}  // namespace vmirror
