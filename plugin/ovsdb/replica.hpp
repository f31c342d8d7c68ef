// The client's own thread's side: what libopenvswitch replicates, turned into values, and a
// transaction given as values, turned into its calls. Used by one thread only.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "plugin/ovsdb/client.hpp"
#include "plugin/ovsdb/idl.h"
#include "plugin/ovsdb/value.hpp"

namespace vmirror::ovsdb {

class Replica {
 public:
  /// Of `options` all but the TLS files, which are the process's.
  Replica(const ClientOptions& options, const Schema& schema);

  /// What one call of run() brought.
  struct Changes {
    bool any = false;   ///< Something changed.
    bool loud = false;  ///< Something changed that isn't quiet.
    /// Counters were written: a quiet map of a row changed that was there, and had some. Those of a
    /// new row are written by themselves.
    bool counted = false;
  };
  Changes run();
  /// Sleeps until there is something to do, or `wake_fd` is readable, or the time is over.
  void block(int wake_fd, int milliseconds);

  bool connected() const { return vm_idl_is_connected(idl_.get()); }
  bool synced() { return vm_idl_is_synced(idl_.get()); }
  void reconnect() { vm_idl_reconnect(idl_.get()); }
  /// The last connection error; empty when there was none.
  std::string error() const;

  /// The contents now. Costs what changed since the last call.
  std::shared_ptr<Snapshot> snapshot();

  /// Composes and sends. False when the transaction doesn't fit what is there (a row is gone, or a
  /// Verify doesn't hold). One at a time.
  bool begin(const Transaction& transaction);
  /// After begin(), after each run(): how it stands.
  vm_txn_status progress() { return vm_txn_commit(txn_.get()); }
  std::string txn_error() const { return vm_txn_error(txn_.get()); }
  void end() { txn_.reset(); }

 private:
  struct CloseIdl {
    void operator()(vm_idl* idl) const { vm_idl_destroy(idl); }
  };
  struct CloseTxn {
    void operator()(vm_txn* txn) const { vm_txn_destroy(txn); }
  };

  void take_changes(std::size_t table, Changes& changes);
  bool complete(std::size_t table) const;
  void take_all(std::size_t table);
  Table& writable(std::size_t table);
  bool is_loud(const vm_row* row, std::size_t table) const;
  bool is_counted(const vm_row* row, std::size_t table) const;
  std::shared_ptr<const Row> read(const vm_row* row, std::size_t table) const;
  bool compose(const Operation& operation);

  const Schema schema_;
  std::unique_ptr<vm_idl, CloseIdl> idl_;
  std::unique_ptr<vm_txn, CloseTxn> txn_;
  std::vector<std::shared_ptr<Table>> tables_;  ///< Those in shared_ are copied before a change.
  std::vector<bool> shared_;
  std::uint64_t revision_ = 0;
  unsigned seqno_ = 0;  ///< Of the changes taken so far.
};

}  // namespace vmirror::ovsdb
