// A client of one OVSDB database (RFC 7047): a replica that follows the server on a thread of its
// own, read as immutable snapshots, and transactions given as values. It connects again by itself
// when the server goes away. libopenvswitch is behind it and nowhere else.
//
//   callers --Transaction--> queue --> [ thread: Replica, ] <--socket--> ovsdb-server
//   callers <--Snapshot----- state <-- [ libopenvswitch   ] --> hint
//
// Remote, `leader_only` and conditions are each client's own. The TLS files are not: libopenvswitch
// keeps one SSL context for the process, by which every connection is verified. While a client with
// TLS lives, one with other files is refused (decision 29). Files that change are read again for
// the next connection.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "plugin/base/result.hpp"
#include "plugin/ovsdb/value.hpp"

namespace vmirror::ovsdb {

class Replica;

/// Of one table: the rows in which the column is, or as a set or map has, all of `value`.
struct Condition {
  std::size_t table = 0, column = 0;  ///< Places in the Schema.
  Datum value;
};

struct ClientOptions {
  std::string remote;  ///< unix:PATH, tcp:IP:PORT, ssl:IP:PORT; several separated by commas.
  /// PEM files, for ssl:. The same for all clients of the process that live at one time.
  std::string private_key = {}, certificate = {}, ca_certificate = {};
  /// Of a clustered database only the leader will do; of several remotes the one that is it.
  bool leader_only = false;
  /// Rows to replicate: of a table that is named here those for which any of its conditions holds,
  /// of others all. References to rows that are left out stay.
  std::vector<Condition> only = {};
};

/// What can be told without a connection: the remote's form, and that `ssl:` has its three files.
/// Client::start asks it. Error::Kind::invalid. Pure: files are not opened.
Result<void> check(const ClientOptions& options);

/// How a transaction ended that the server did not refuse.
struct Commit {
  bool done =
      false;  ///< False: lost a race or the connection; look at `snapshot`, compose it anew.
  std::shared_ptr<const Snapshot> snapshot;  ///< When done: shows the change already.
};

/// All functions may be called from any thread.
class Client {
 public:
  using Milliseconds = std::chrono::milliseconds;

  /// Starts to connect and returns; read() tells how it went. Error::Kind::invalid for a remote of
  /// another form, or TLS files that can't be used. Error::Kind::unsupported for TLS files other
  /// than those of a client that lives; the error names both.
  static Result<std::unique_ptr<Client>> start(const ClientOptions& options, Schema schema);
  /// Ends the connection; waits for its thread.
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// The newest contents. Waits at most `timeout` for a connection; then Error::Kind::unreachable
  /// with the reason. Never the contents from before a connection was lost.
  Result<std::shared_ptr<const Snapshot>> read(Milliseconds timeout);

  struct Request;
  /// Hands it over and returns at once; `hint` is called when it has ended.
  std::shared_ptr<Request> begin(Transaction transaction);
  /// How it ended; none: it runs. Error::Kind::refused with the server's words. A read() from then
  /// on shows what it changed.
  std::optional<Result<bool>> ended(const Request& request) const;
  /// Nobody waits for it any more. Where it was not sent yet, it won't be.
  /// Error::Kind::unreachable, for who gives up after `waited`: it isn't known whether it happened.
  Error abandon(Request& request, Milliseconds waited);

  /// Executes it, all or nothing. Error::Kind::refused with the server's words;
  /// Error::Kind::unreachable after `timeout`: then it isn't known whether it happened.
  Result<Commit> commit(Transaction transaction, Milliseconds timeout);

  /// `hint` is called from the client's thread after the contents changed (not for quiet columns
  /// alone) and after the connection came or went. It must not call the client.
  void on_change(std::function<void()> hint);

 private:
  class TlsLease;
  Client(const ClientOptions& options, Schema schema, std::shared_ptr<const TlsLease> tls);
  void run(const ClientOptions& options, const Schema& schema);
  void serve(Replica& replica);
  bool publish(Replica& replica, bool changed, bool counted);
  void finish(Replica& replica, Result<bool> done);
  void retry(Replica& replica, Milliseconds patience);
  void wake() const;
  Error not_connected(Milliseconds waited) const;

  const std::string remote_;
  const std::shared_ptr<const TlsLease> tls_;  ///< Null: no remote of ours needs TLS.
  const int wake_fd_;                          ///< eventfd: wakes the thread.

  mutable std::mutex mutex_;  ///< Guards what follows.
  std::condition_variable changed_;
  std::shared_ptr<const Snapshot> snapshot_;
  bool synced_ = false;
  bool stop_ = false;
  std::string error_;
  std::deque<std::shared_ptr<Request>> queue_;
  std::function<void()> hint_;

  // Of the thread alone.
  std::shared_ptr<Request> running_;
  bool has_ended_ = false;  ///< One did since the last hint, and nobody waits for it.
  std::chrono::steady_clock::time_point last_connect_;
  Time lost_at_ = 0, found_at_ = 0, counted_at_ = 0;  ///< As in Snapshot.

  std::thread thread_;
};

}  // namespace vmirror::ovsdb
