#include "agent/control/store/link.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <random>
#include <thread>

#include "agent/control/store/change.hpp"
#include "agent/control/store/kept.hpp"
#include "agent/control/store/roles.hpp"
#include "agent/control/store/schema.hpp"
#include "plugin/base/text.hpp"

namespace vmirror {

namespace {

using ovsdb::Client;
using SteadyClock = std::chrono::steady_clock;

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

/// Of a client that replicates all policies, and the rows of this host alone. It asks the leader:
/// servers that pass writes on to it stand in each other's way (each commits to the tail of the log
/// that it knows, and tries again when another was faster; decision 48).
ovsdb::ClientOptions own_client_options(const StoreOptions& options) {
  ovsdb::ClientOptions out = client_options(options);
  out.leader_only = true;
  out.only = {{store::kHost, store::host::kName, ovsdb::Datum(options.host)},
              {store::kSession, store::session::kHost, ovsdb::Datum(options.host)}};
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
  for (const std::string& server : options.servers) {
    ovsdb::ClientOptions one = client_options(options);
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
  const std::string instance = random_name();
  RivalWatch rivals;
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

  bool take(StoredPolicies stored, bool followed, Time now) {
    begin_terms(stored, kept.policies, followed && status.known, now);
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
    const auto ended = client->ended(*writing);
    if (!ended && now - writing_since < kReportPatience && !is_ahead(writing_since, now)) return;
    if (!ended)
      status.error =
          client->abandon(*writing, Client::Milliseconds(kReportPatience / kMillisecond)).what;
    else if (!*ended) {
      const std::string why = report_refusal(ended->error(), options.host);
      if (status.error != why)
        spdlog::error("the store does not take what became of the policies here: {}", why);
      status.error = why;
    } else if (*ended && **ended) {
      ++status.reports;
    }
    writing.reset();
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

  std::shared_ptr<Client> all_rows(Time now, Error& error) {
    const std::lock_guard lock(reader_mutex);
    reader_used = now;
    if (!reader) {
      auto started_now = Client::start(client_options(options), store::schema());
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
  auto client = Client::start(own_client_options(options), store::schema());
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
  const bool followed = s.status.connected;
  s.found(now);
  s.look_for_rivals(**contents, now);
  if ((*contents)->revision == s.seen) return false;
  s.look_at_schema(**contents);
  s.seen = (*contents)->revision;
  return s.take(stored_policies(**contents), followed, now);
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
  const auto contents = s.client->read(Client::Milliseconds(0));
  if (!contents) return;
  report.host.instance = s.instance;
  if (s.status.rival != 0 && report.host.fault.empty())
    report.host.fault =
        "another agent reports as this host, too: two machines have one `host`, or "
        "another machine has its certificate";
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
  return put_policy(*state_->client, yaml, by, now);
}

Result<void> StoreLink::drop(const std::string& name) {
  return drop_policy(*state_->client, name);
}

Result<void> StoreLink::forget_host(const std::string& name, Time now) {
  Error error;
  const auto client = state_->all_rows(now, error);
  if (!client) return tl::unexpected(error);
  return vmirror::forget_host(*client, name);
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
