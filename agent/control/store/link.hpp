// The agent's link to the store: follows its policies, writes what became of them on this host, and
// answers for all hosts. Policies that were read are kept in a file, so that an agent that starts
// while the store can't be reached goes on with them.
//
//   ovsdb-server(s) --policies, own rows--> [ StoreLink ] --files()--> compose with policies.d
//                  <--own rows, policies--                <--report(), put(), drop()--
//
// With relays (relays.hpp) policies and own rows are read by one of them, and the connection to the
// servers' leader lives while something is to be written, or no relay serves (decision 50).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/control/store/contents.hpp"
#include "agent/control/store/report.hpp"
#include "plugin/ovsdb/client.hpp"

namespace vmirror {

struct StoreOptions {
  std::vector<std::string> servers;      ///< unix:PATH, tcp:IP:PORT, ssl:IP:PORT; of one store.
  std::vector<std::string> relays = {};  ///< The same, of its relays; none: servers are read.
  bool insecure = false;                 ///< `tcp:` is allowed.
  std::string private_key = {}, certificate = {}, ca_certificate = {};  ///< For `ssl:`.
  std::string host = {};   ///< Whose rows this agent writes.
  std::string state = {};  ///< Folder; the policies are kept in its file `store.json`.
};

/// What can be told without a connection. Error::Kind::invalid; `where` is the key. Pure.
Result<void> check(const StoreOptions& options);
/// Of a client that replicates the rows of all hosts. Pure.
ovsdb::ClientOptions client_options(const StoreOptions& options);

struct StoreStatus {
  bool connected = false;
  Time since = 0;  ///< Of this connection, or of its loss; before the first one, the start.
  std::string servers;
  std::string relay;   ///< By which the store is read; empty: from the servers.
  std::string error;   ///< Why there is no connection, or what it refused last; empty: nothing.
  bool known = false;  ///< Policies were read, now or before a restart.
  std::int64_t generation = 0;  ///< Of the policies here.
  std::size_t policies = 0;
  Time rival = 0;  ///< When another agent was seen last that reports as this host; 0: none lately.
  std::vector<std::string> lacks;       ///< Columns of ours that the server's schema has not.
  std::uint64_t reports = 0;            ///< Transactions with what became of sessions here.
  std::size_t sessions = 0;             ///< That the latest report told.
  std::uint64_t sessions_left_out = 0;  ///< Times that one was past kMostReportedSessions.
};

class StoreLink {
 public:
  /// Reads the kept policies, starts to connect, and returns. `hint` is called from another thread
  /// when look() may find something. Error::Kind: as ovsdb::Client::start.
  static Result<std::unique_ptr<StoreLink>> start(const StoreOptions& options, Time now,
                                                  std::function<void()> hint);
  ~StoreLink();
  StoreLink(const StoreLink&) = delete;
  StoreLink& operator=(const StoreLink&) = delete;

  // ---- Of one thread

  /// Takes in what came; once a second, and at each hint. True: files() differ.
  bool look(Time now);
  /// False: no policies of the store are known yet.
  bool known() const;
  const std::vector<PolicyFile>& files() const;
  std::int64_t generation() const;
  /// False: nothing could be written now, and so no report need be made.
  bool takes_report(Time now) const;
  /// Hands over what became of the policies here; it is written if it is news, and at the pace of
  /// ReportPace.
  void report(HostReport report, Time now);
  StoreStatus status() const;

  // ---- Any thread; they wait

  /// As put_policy() of change.hpp. Error::Kind::invalid: no policy; unreachable: it isn't known
  /// whether it happened, or surely not; the error says which.
  Result<std::int64_t> put(const std::string& yaml, const std::string& by, Time now);
  /// As drop_policy() of change.hpp. Error::Kind::missing: the store has none of this name.
  Result<void> drop(const std::string& name, const std::string& by, Time now);
  /// Removes the rows of a host. An agent that lives writes them anew.
  Result<void> forget_host(const std::string& name, Time now);
  /// All rows of all hosts, by a connection of its own that ends when nobody asked for a while.
  Result<StoreContents> contents(Time now);

 private:
  struct State;
  explicit StoreLink(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace vmirror
