#include "agent/control/store/link.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <random>
#include <thread>

#include "agent/control/store/change.hpp"
#include "agent/control/store/kept.hpp"
#include "agent/control/store/relays.hpp"
#include "agent/control/store/roles.hpp"
#include "agent/control/store/schema.hpp"
#include "plugin/base/text.hpp"

namespace vmirror {

namespace {

using ovsdb::Client;
using SteadyClock = std::chrono::steady_clock;

/// For all rows of a cluster to come.
constexpr std::chrono::milliseconds kReadPatience{6000};
/// The connection for questions about all hosts, and with relays that to the leader, ends when
/// nobody needed it for so long.
constexpr Time kIdle = 30 * kSecond;
/// A report without an answer is given up; the next look composes it anew.
constexpr Time kReportPatience = 20 * kSecond;
/// For the first connection, before the log says that there is none.
constexpr Time kFirstConnection = 5 * kSecond;

std::string joined(const std::vector<std::string>& servers) {
  std::string out;
  for (const std::string& server : servers) out += (out.empty() ? "" : ",") + server;
  return out;
}

/// Of a client that replicates all policies, and the rows of this host alone. Of the servers it
/// asks the leader: servers that pass writes on to it stand in each other's way (each commits to
/// the tail of the log that it knows, and tries again when another was faster; decision 48).
ovsdb::ClientOptions own_client_options(const StoreOptions& options, const std::string& relay) {
  ovsdb::ClientOptions out = client_options(options);
  if (relay.empty())
    out.leader_only = true;
  else
    out.remote = relay;
  out.only = {{store::kHost, store::host::kName, ovsdb::Datum(options.host)},
              {store::kSession, store::session::kHost, ovsdb::Datum(options.host)}};
  return out;
}

std::int64_t generation_of(const ovsdb::Snapshot& contents) {
  std::int64_t out = 0;
  for (const auto& [id, row] : contents[store::kCluster].rows)
    out = (*row)[store::cluster::kGeneration].get<std::int64_t>().value_or(0);
  return out;
}

std::string random_name() {
  std::random_device random;
  std::string out;
  for (int i = 0; i < 4; ++i) out += spdlog::fmt_lib::format("{:08x}", random());
  return out;
}

/// What roles refuse is said in terms of certificates.
std::string report_refusal(const Error& error, const std::string& host) {
  if (!store::refused_by_roles(error)) return error.what;
  return "the store takes the rows of host `" + host +
         "` from a certificate of this name only (`vmirror pki issue " + host + "`): " + error.what;
}

}  // namespace

ovsdb::ClientOptions client_options(const StoreOptions& options) {
  return {joined(options.servers), options.private_key, options.certificate,
          options.ca_certificate};
}

Result<void> check(const StoreOptions& options) {
  if (options.servers.empty())
    return fail(Error::Kind::invalid, "no server is named", "store.servers",
                "write `servers: [\"ssl:192.0.2.7:6651\", ...]`, all servers of the store");
  for (const std::string& server : options.relays)
    if (std::ranges::find(options.servers, server) != options.servers.end())
      return fail(Error::Kind::invalid, "`" + server + "` is named as a server, too",
                  "store.relays", "write the relays' ports only");
  std::vector<std::string> all = options.servers;
  all.insert(all.end(), options.relays.begin(), options.relays.end());
  for (const std::string& server : all) {
    const char* const where =
        &server - all.data() < std::ssize(options.servers) ? "store.servers" : "store.relays";
    ovsdb::ClientOptions one = client_options(options);
    one.remote = server;
    if (auto good = ovsdb::check(one); !good) {
      good.error().where = where;
      return good;
    }
    if (server.starts_with("tcp:") && !options.insecure)
      return fail(Error::Kind::invalid,
                  "`" + server + "` is not encrypted: anybody on the way can read and change it",
                  where,
                  "write ssl:IP:PORT, or `insecure: true` on a network where nobody else is");
  }
  return {};
}

struct StoreLink::State {
  using Contents = std::shared_ptr<const ovsdb::Snapshot>;

  State(const StoreOptions& o, Time now, std::function<void()> hint_of)
      : options(o),
        hint(std::move(hint_of)),
        started(now),
        relays(relay_order(o.relays, o.host), now) {}

  const StoreOptions options;
  const std::function<void()> hint;
  std::string kept_path;

  // Of the one thread.
  KeptPolicies kept;
  std::vector<PolicyFile> files;
  StoreStatus status;
  const Time started;
  bool said_unreachable = false;
  std::optional<Error> keep_error;
  const std::string instance = random_name();
  RivalWatch rivals;
  RelayChoice relays;
  std::unique_ptr<Client> relayed;  ///< Of the current relay; null: none is configured.
  Time behind = 0;                  ///< The current relay is, since; 0: it is not.
  Contents seen;                    ///< What was taken in last.
  std::shared_ptr<Client::Request> writing;
  std::shared_ptr<Client> writing_by;
  Time unwritten = 0;  ///< There is something to write, and no leader, since; 0: not so.
  Time writing_since = 0;
  ReportPace pace;

  std::mutex clients_mutex;        ///< Guards what follows.
  std::shared_ptr<Client> reader;  ///< For all hosts' rows; null: nobody asked lately.
  std::shared_ptr<Client> direct;  ///< Of the leader; null: not needed, where there are relays.
  Time reader_used = 0, direct_used = 0;

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
    status.relay.clear();
    if (status.connected) {
      status.connected = false;
      status.since = now - relays.missing(now);
      kept.lost_at = status.since;
      keep();
      tell_unreachable();
    } else if (!said_unreachable && now - started > kFirstConnection) {
      tell_unreachable();
    }
  }

  void found(Time now) {
    if (status.connected) return;
    spdlog::info("the store is reached: {}",
                 status.relay.empty() ? status.servers : "by the relay " + status.relay);
    status.connected = true;
    status.since = now;
    status.error.clear();
    if (std::exchange(kept.lost_at, 0) != 0) keep();
  }

  bool take(StoredPolicies stored, Time unknown_since, Time now) {
    begin_terms(stored, kept.policies, status.known ? unknown_since : 0, now);
    if (status.known && stored == kept.policies) return false;
    if (stored.generation < kept.policies.generation)
      spdlog::warn("the store went back from generation {} to {}: was it restored from a copy?",
                   kept.policies.generation, stored.generation);
    kept.policies = std::move(stored);
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
    const auto ended = writing_by->ended(*writing);
    if (!ended && now - writing_since < kReportPatience && !is_ahead(writing_since, now)) return;
    if (!ended)
      status.error =
          writing_by->abandon(*writing, Client::Milliseconds(kReportPatience / kMillisecond)).what;
    else if (!*ended) {
      const std::string why = report_refusal(ended->error(), options.host);
      if (status.error != why)
        spdlog::error("the store does not take what became of the policies here: {}", why);
      status.error = why;
    } else if (*ended && **ended) {
      ++status.reports;
    }
    writing.reset();
    writing_by.reset();
  }

  void look_for_rivals(const ovsdb::Snapshot& contents, Time now) {
    const ovsdb::Row* row = contents[store::kHost].named(options.host);
    rivals.saw(instance, row == nullptr ? "" : (*row)[store::host::kInstance].text(), now);
    const Time last = rivals.last(now);
    if (last != 0 && status.rival == 0)
      spdlog::error(
          "another agent reports to the store as host `{}`: give one of them another `host`"
          ", or find out who has this host's certificate",
          options.host);
    status.rival = last;
  }

  void look_at_schema(const ovsdb::Snapshot& contents) {
    auto lacks = store::lacking(contents);
    if (lacks == status.lacks) return;
    if (!lacks.empty())
      spdlog::warn("the store is of an older schema, without {}: `vmirror cluster upgrade`",
                   joined(lacks));
    status.lacks = std::move(lacks);
  }

  /// Any thread.
  Result<std::shared_ptr<Client>> all_rows(Time now) {
    const std::lock_guard lock(clients_mutex);
    reader_used = now;
    if (!reader) {
      auto made = Client::start(client_options(options), store::schema());
      if (!made) return tl::unexpected(made.error());
      reader = std::move(*made);
    }
    return reader;
  }

  /// Any thread.
  Result<std::shared_ptr<Client>> leader(Time now) {
    const std::lock_guard lock(clients_mutex);
    direct_used = now;
    if (!direct) {
      auto made = Client::start(own_client_options(options, {}), store::schema());
      if (!made) return tl::unexpected(made.error());
      direct = std::move(*made);
      direct->on_change(hint);
    }
    return direct;
  }

  Result<Contents> read_leader(Time now) {
    return leader(now).and_then(
        [](const auto& client) { return client->read(Client::Milliseconds(0)); });
  }

  void close_idle(Time now) {
    const std::lock_guard lock(clients_mutex);
    if (now - reader_used > kIdle || is_ahead(reader_used, now)) reader.reset();
    if (relayed && (now - direct_used > kIdle || is_ahead(direct_used, now))) direct.reset();
  }

  Result<void> start_relayed() {
    auto made = Client::start(own_client_options(options, relays.current()), store::schema());
    if (!made) return tl::unexpected(made.error());
    relayed = std::move(*made);
    relayed->on_change(hint);
    return {};
  }

  void read_by(const std::string& relay) {
    if (relay == status.relay) return;
    if (relay.empty())
      spdlog::warn("no relay of the store serves: it is read from the servers");
    else
      spdlog::info("the store is read by the relay {}", relay);
    status.relay = relay;
  }

  /// The leader's, where there is a connection anyway; else null.
  Contents if_leader_is_connected() {
    const std::lock_guard lock(clients_mutex);
    if (!direct) return nullptr;
    return direct->read(Client::Milliseconds(0)).value_or(nullptr);
  }

  /// The contents as they are read now; null: a relay is still waited for. A relay that stays
  /// behind what is known here does not serve, until the leader says that the store went back.
  Result<Contents> read(Time now) {
    if (relays.is_empty()) return read_leader(now);
    const std::string asked = relays.current();
    auto by_relay = relayed->read(Client::Milliseconds(0));
    const Contents of_leader = if_leader_is_connected();
    const std::int64_t newest = std::max(status.known ? kept.policies.generation : 0,
                                         of_leader ? generation_of(*of_leader) : 0);
    if (!by_relay || generation_of(**by_relay) >= newest)
      behind = 0;
    else if (behind == 0 || is_ahead(behind, now))
      behind = now;
    if (behind != 0 && now - behind < RelayChoice::kPatience)
      return of_leader && generation_of(*of_leader) == newest ? of_leader : Contents();
    if (behind != 0)
      by_relay = fail(Error::Kind::unreachable,
                      "the relay is at generation " + std::to_string(generation_of(**by_relay)) +
                          " still, of " + std::to_string(newest),
                      asked);
    if (relays.saw(by_relay.has_value(), now))
      if (const auto next = start_relayed(); !next) return tl::unexpected(next.error());
    if (by_relay) {
      read_by(asked);
      return by_relay;
    }
    if (!relays.wants_servers(now)) {
      if (status.connected) return Contents();
      return by_relay;
    }
    auto by_leader = read_leader(now);
    if (by_leader) read_by({});
    return by_leader;
  }

  /// What a report is compared with, and by whom its changes are written; null: nothing to write,
  /// or nobody who takes it now. The relay tells that there is something to write, the leader what.
  std::shared_ptr<Client> writer(const HostReport& report, Time now, ovsdb::Transaction& out) {
    if (!status.relay.empty()) {
      const auto there = relayed->read(Client::Milliseconds(0));
      if (!there || changes(report, **there).empty()) return nullptr;
    }
    const auto client = leader(now);
    const auto own = client ? (*client)->read(Client::Milliseconds(0))
                            : Result<Contents>(tl::unexpected(client.error()));
    if (!own) {
      if (unwritten == 0 || is_ahead(unwritten, now)) unwritten = now;
      if (now - unwritten > kFirstConnection)
        status.error = "what became of the policies here can't be written: " + own.error().what;
      return nullptr;
    }
    if (unwritten != 0 && now - unwritten > kFirstConnection) status.error.clear();
    unwritten = 0;
    out = changes(report, **own);
    return out.empty() ? nullptr : *client;
  }
};

StoreLink::StoreLink(std::unique_ptr<State> state) : state_(std::move(state)) {}
StoreLink::~StoreLink() = default;

Result<std::unique_ptr<StoreLink>> StoreLink::start(const StoreOptions& options, Time now,
                                                    std::function<void()> hint) {
  auto state = std::make_unique<State>(options, now, std::move(hint));
  state->kept_path = vmirror::kept_path(options.state);
  state->status.since = now;
  state->status.servers = joined(options.servers);
  if (auto kept = read_kept(state->kept_path); !kept) {
    spdlog::error("the store's policies as they were kept can't be read: {}", kept.error().text());
  } else if (*kept) {
    state->kept = std::move(**kept);
    state->use_kept();
    if (state->kept.lost_at != 0) state->status.since = state->kept.lost_at;
  }
  if (!state->relays.is_empty()) {
    if (const auto done = state->start_relayed(); !done) return tl::unexpected(done.error());
  } else if (const auto client = state->leader(now); !client) {
    return tl::unexpected(client.error());
  }
  return std::unique_ptr<StoreLink>(new StoreLink(std::move(state)));
}

bool StoreLink::look(Time now) {
  State& s = *state_;
  s.settle_report(now);
  s.close_idle(now);
  const auto contents = s.read(now);
  if (!contents) {
    s.lost(contents.error(), now);
    return false;
  }
  if (*contents == nullptr) return false;
  const Time unknown_since = s.status.connected ? now : s.kept.lost_at;
  s.found(now);
  s.look_for_rivals(**contents, now);
  if (*contents == s.seen) return false;
  s.look_at_schema(**contents);
  s.seen = *contents;
  return s.take(stored_policies(**contents), unknown_since, now);
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

void StoreLink::report(HostReport report, Time now) {
  State& s = *state_;
  if (!takes_report(now)) return;
  report.host.instance = s.instance;
  if (s.status.rival != 0 && report.host.fault.empty())
    report.host.fault =
        "another agent reports as this host, too: two machines have one `host`, or "
        "another machine has its certificate";
  ovsdb::Transaction transaction;
  const auto client = s.writer(report, now, transaction);
  if (client == nullptr) return;
  s.status.sessions = report.sessions.size();
  s.status.sessions_left_out += report.left_out;
  s.pace.wrote(now);
  s.writing = client->begin(std::move(transaction));
  s.writing_by = client;
  s.writing_since = now;
}

StoreStatus StoreLink::status() const {
  return state_->status;
}

Result<std::int64_t> StoreLink::put(const std::string& yaml, const std::string& by, Time now) {
  const auto client = state_->leader(now);
  if (!client) return tl::unexpected(client.error());
  return put_policy(**client, yaml, by, now);
}

Result<void> StoreLink::drop(const std::string& name, const std::string& by, Time now) {
  const auto client = state_->leader(now);
  if (!client) return tl::unexpected(client.error());
  return drop_policy(**client, name, by, now);
}

Result<void> StoreLink::forget_host(const std::string& name, Time now) {
  const auto client = state_->all_rows(now);
  if (!client) return tl::unexpected(client.error());
  return vmirror::forget_host(**client, name);
}

Result<StoreContents> StoreLink::contents(Time now) {
  const auto client = state_->all_rows(now);
  if (!client) return tl::unexpected(client.error());
  const auto rows = (*client)->read(kReadPatience);
  if (!rows) return tl::unexpected(rows.error());
  return store_contents(**rows);
}

}  // namespace vmirror
