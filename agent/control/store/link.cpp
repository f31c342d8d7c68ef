#include "agent/control/store/link.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <thread>

#include "agent/control/store/kept.hpp"
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
/// For all rows of a cluster to come.
constexpr std::chrono::milliseconds kReadPatience{6000};
/// The connection for questions about all hosts ends when nobody asked for so long.
constexpr Time kIdleReader = 30 * kSecond;
/// A report without an answer is given up; the next look composes it anew.
constexpr Time kReportPatience = 20 * kSecond;
/// For the first connection, before the log says that there is none.
constexpr Time kFirstConnection = 5 * kSecond;

std::string joined(const std::vector<std::string>& servers) {
  std::string out;
  for (const std::string& server : servers) out += (out.empty() ? "" : ",") + server;
  return out;
}

ovsdb::ClientOptions client_options(const StoreOptions& options, bool all_hosts) {
  ovsdb::ClientOptions out{joined(options.servers), options.private_key, options.certificate,
                           options.ca_certificate};
  if (!all_hosts)
    out.only = {{store::kHost, store::host::kName, ovsdb::Datum(options.host)},
                {store::kSession, store::session::kHost, ovsdb::Datum(options.host)}};
  return out;
}

/// Raises the generation, if it is still the one that was read. `to`: the new one.
void raise_generation(const ovsdb::Snapshot& now, std::int64_t to, ovsdb::Transaction& out) {
  const ovsdb::Datum value{ovsdb::Atom(to)};
  const auto& rows = now[store::kCluster].rows;
  for (const auto& [id, row] : rows) {
    out.push_back(ovsdb::Verify{store::kCluster, id, store::cluster::kGeneration,
                                (*row)[store::cluster::kGeneration]});
    out.push_back(ovsdb::Write{store::kCluster, id, {{store::cluster::kGeneration, value}}});
    return;
  }
  out.push_back(ovsdb::Insert{
      store::kCluster, ovsdb::Uuid{{0, 0, 0, 1}}, {{store::cluster::kGeneration, value}}});
}

/// Two inserted a row of one name, or the first row of the cluster, at the same time.
bool lost_by_index(const Error& error) {
  return error.kind == Error::Kind::refused &&
         error.what.find("constraint violation") != std::string::npos;
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
    if (!done && !lost_by_index(done.error())) return tl::unexpected(done.error());
    if (done && done->done) return {};
    std::this_thread::sleep_for(kBetweenAttempts);
  }
}

}  // namespace

Result<void> check(const StoreOptions& options) {
  if (options.servers.empty())
    return fail(Error::Kind::invalid, "no server is named", "store.servers",
                "write `servers: [\"ssl:192.0.2.7:6651\", ...]`, all servers of the store");
  for (const std::string& server : options.servers) {
    ovsdb::ClientOptions one = client_options(options, true);
    one.remote = server;
    if (auto good = ovsdb::check(one); !good) {
      good.error().where = "store.servers";
      return good;
    }
    if (server.starts_with("tcp:") && !options.insecure)
      return fail(Error::Kind::invalid,
                  "`" + server + "` is not encrypted: anybody on the way can read and change it",
                  "store.servers",
                  "write ssl:IP:PORT, or `insecure: true` on a network where nobody else is");
  }
  return {};
}

struct StoreLink::State {
  StoreOptions options;
  std::unique_ptr<Client> client;
  std::string kept_path;

  // Of the one thread.
  KeptPolicies kept;
  std::vector<PolicyFile> files;
  StoreStatus status;
  Time started = 0;
  bool said_unreachable = false;
  std::optional<Error> keep_error;
  std::uint64_t seen = 0;  ///< Revision of the contents that were taken in.
  std::shared_ptr<Client::Request> writing;
  Time writing_since = 0;
  ReportPace pace;

  std::mutex reader_mutex;
  std::shared_ptr<Client> reader;  ///< For all hosts' rows; null: nobody asked lately.
  Time reader_used = 0;

  void keep() {
    auto done = save_kept(kept_path, kept);
    if (!done && keep_error != done.error())
      spdlog::error("the store's policies are not kept over a restart: {}", done.error().text());
    keep_error = done ? std::nullopt : std::optional(std::move(done.error()));
  }

  void tell_unreachable() {
    said_unreachable = true;
    spdlog::error("the store can't be reached since {}, {}: {}", clock_text(status.since),
                  status.known ? "its policies as of generation " +
                                     std::to_string(kept.policies.generation) + " stay in force"
                               : "and none of its policies are known: nothing is changed",
                  status.error);
  }

  void lost(const Error& error, Time now) {
    status.error = error.what;
    if (status.connected) {
      status.connected = false;
      status.since = now;
      kept.lost_at = now;
      keep();
      tell_unreachable();
    } else if (!said_unreachable && now - started > kFirstConnection) {
      tell_unreachable();
    }
  }

  void found(Time now) {
    if (status.connected) return;
    spdlog::info("the store is reached: {}", status.servers);
    status.connected = true;
    status.since = now;
    status.error.clear();
    if (std::exchange(kept.lost_at, 0) != 0) keep();
  }

  bool take(const StoredPolicies& stored) {
    if (status.known && stored == kept.policies) return false;
    if (stored.generation < kept.policies.generation)
      spdlog::warn("the store went back from generation {} to {}: was it restored from a copy?",
                   kept.policies.generation, stored.generation);
    kept.policies = stored;
    keep();
    use_kept();
    return true;
  }

  void use_kept() {
    auto next = policy_files(kept.policies, files);
    for (const PolicyFile& file : next) {
      const auto last = std::ranges::find(files, file.path, &PolicyFile::path);
      if (file.error && (last == files.end() || last->error != file.error))
        spdlog::error("policy of the store set aside{}: {}",
                      file.policy ? ", it stays in force as it was" : "", file.error->text());
    }
    files = std::move(next);
    status.known = true;
    status.generation = kept.policies.generation;
    status.policies = files.size();
  }

  void settle_report(Time now) {
    if (!writing) return;
    const auto ended = client->ended(*writing);
    if (!ended && now - writing_since < kReportPatience && !is_ahead(writing_since, now)) return;
    if (!ended)
      status.error =
          client->abandon(*writing, Client::Milliseconds(kReportPatience / kMillisecond)).what;
    else if (!*ended && status.error != ended->error().what) {
      status.error = ended->error().what;
      spdlog::error("the store does not take what became of the policies here: {}",
                    ended->error().text());
    } else if (*ended && **ended) {
      ++status.reports;
    }
    writing.reset();
  }

  std::shared_ptr<Client> all_rows(Time now, Error& error) {
    const std::lock_guard lock(reader_mutex);
    reader_used = now;
    if (!reader) {
      auto started_now = Client::start(client_options(options, true), store::schema());
      if (started_now)
        reader = std::move(*started_now);
      else
        error = started_now.error();
    }
    return reader;
  }

  void close_idle_reader(Time now) {
    const std::lock_guard lock(reader_mutex);
    if (now - reader_used > kIdleReader || is_ahead(reader_used, now)) reader.reset();
  }
};

StoreLink::StoreLink(std::unique_ptr<State> state) : state_(std::move(state)) {}
StoreLink::~StoreLink() = default;

Result<std::unique_ptr<StoreLink>> StoreLink::start(const StoreOptions& options, Time now,
                                                    std::function<void()> hint) {
  auto state = std::make_unique<State>();
  state->options = options;
  state->kept_path = vmirror::kept_path(options.state);
  state->started = now;
  state->status.since = now;
  state->status.servers = joined(options.servers);
  if (auto kept = read_kept(state->kept_path); !kept) {
    spdlog::error("the store's policies as they were kept can't be read: {}", kept.error().text());
  } else if (*kept) {
    state->kept = std::move(**kept);
    state->use_kept();
    if (state->kept.lost_at != 0) state->status.since = state->kept.lost_at;
  }
  auto client = Client::start(client_options(options, false), store::schema());
  if (!client) return tl::unexpected(client.error());
  state->client = std::move(*client);
  state->client->on_change(std::move(hint));
  return std::unique_ptr<StoreLink>(new StoreLink(std::move(state)));
}

bool StoreLink::look(Time now) {
  State& s = *state_;
  s.settle_report(now);
  s.close_idle_reader(now);
  const auto contents = s.client->read(Client::Milliseconds(0));
  if (!contents) {
    s.lost(contents.error(), now);
    return false;
  }
  s.found(now);
  if ((*contents)->revision == s.seen) return false;
  s.seen = (*contents)->revision;
  return s.take(stored_policies(**contents));
}

bool StoreLink::known() const {
  return state_->status.known;
}

const std::vector<PolicyFile>& StoreLink::files() const {
  return state_->files;
}

std::int64_t StoreLink::generation() const {
  return state_->kept.policies.generation;
}

bool StoreLink::takes_report(Time now) const {
  return state_->status.connected && !state_->writing && state_->pace.may_write(now);
}

void StoreLink::report(const HostReport& report, Time now) {
  State& s = *state_;
  if (!takes_report(now)) return;
  const auto contents = s.client->read(Client::Milliseconds(0));
  if (!contents) return;
  auto transaction = changes(report, **contents);
  if (transaction.empty()) return;
  s.status.sessions = report.sessions.size();
  s.status.sessions_left_out += report.left_out;
  s.pace.wrote(now);
  s.writing = s.client->begin(std::move(transaction));
  s.writing_since = now;
}

StoreStatus StoreLink::status() const {
  return state_->status;
}

Result<std::int64_t> StoreLink::put(const std::string& yaml, const std::string& by, Time now) {
  const auto policy = parse_policy(yaml, "the policy");
  if (!policy) return tl::unexpected(policy.error());
  namespace c = store::policy;
  std::int64_t generation = 0;
  const auto done = change(*state_->client, [&](const ovsdb::Snapshot& is) {
    const ovsdb::Row* row = is[store::kPolicy].named(policy->name);
    ovsdb::Transaction out;
    if (row != nullptr && (*row)[c::kYaml].text() == yaml) {
      generation = (*row)[c::kGeneration].get<std::int64_t>().value_or(0);
      return Result<ovsdb::Transaction>(out);
    }
    generation = stored_policies(is).generation + 1;
    raise_generation(is, generation, out);
    ovsdb::ColumnValues columns{{c::kYaml, ovsdb::Datum(ovsdb::Atom(yaml))},
                                {c::kGeneration, ovsdb::Datum(ovsdb::Atom(generation))},
                                {c::kSetBy, ovsdb::Datum(ovsdb::Atom(by))},
                                {c::kSetAt, ovsdb::Datum(ovsdb::Atom(clock_text(now)))}};
    if (row != nullptr) {
      out.push_back(ovsdb::Write{store::kPolicy, row->id, std::move(columns)});
    } else {
      columns.emplace_back(c::kName, ovsdb::Datum(ovsdb::Atom(policy->name)));
      out.push_back(ovsdb::Insert{store::kPolicy, ovsdb::Uuid{{0, 0, 0, 2}}, std::move(columns)});
    }
    return Result<ovsdb::Transaction>(out);
  });
  if (!done) return tl::unexpected(done.error());
  return generation;
}

Result<void> StoreLink::drop(const std::string& name) {
  return change(*state_->client, [&](const ovsdb::Snapshot& is) -> Result<ovsdb::Transaction> {
    const ovsdb::Row* row = is[store::kPolicy].named(name);
    if (row == nullptr)
      return fail(Error::Kind::missing, "there is no policy `" + name + "`", "the store",
                  "see `vmirror get policies`");
    ovsdb::Transaction out{ovsdb::Delete{store::kPolicy, row->id}};
    raise_generation(is, stored_policies(is).generation + 1, out);
    return out;
  });
}

Result<void> StoreLink::forget_host(const std::string& name, Time now) {
  Error error;
  const auto client = state_->all_rows(now, error);
  if (!client) return tl::unexpected(error);
  return change(*client, [&](const ovsdb::Snapshot& is) -> Result<ovsdb::Transaction> {
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

Result<StoreContents> StoreLink::contents(Time now) {
  Error error;
  const auto client = state_->all_rows(now, error);
  if (!client) return tl::unexpected(error);
  const auto rows = client->read(kReadPatience);
  if (!rows) return tl::unexpected(rows.error());
  return store_contents(**rows);
}

}  // namespace vmirror
