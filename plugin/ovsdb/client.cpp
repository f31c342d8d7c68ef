#include "plugin/ovsdb/client.hpp"

#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <shared_mutex>

#include "plugin/base/trusted_file.hpp"
#include "plugin/ovsdb/replica.hpp"

namespace vmirror::ovsdb {
namespace {

using Clock = std::chrono::steady_clock;

/// How long the thread sleeps at most; only reconnection needs it to wake by itself.
constexpr int kConnectedSleepMs = 60'000;
constexpr int kDisconnectedSleepMs = 100;
/// libopenvswitch waits up to 8 s before it connects again. Mirrors can't wait so long; on this
/// host an attempt costs nothing.
constexpr Client::Milliseconds kLocalPatience{200};
constexpr Client::Milliseconds kRemotePatience{4000};

void start_library() {
  static std::once_flag once;
  std::call_once(once, vm_idl_startup);
}

bool uses_tls(const ClientOptions& options) {
  return options.remote.find("ssl:") != std::string::npos;
}

/// Signals are for the process's own threads, and a write to a closed socket is an error and no
/// signal.
void block_signals() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

}  // namespace

/// The TLS files of the process's clients, as long as one of them lives: libopenvswitch has one SSL
/// context for all. It takes another set of files in place of the one before, certificates of CAs
/// included, so nothing of a set is left once its last client has ended.
class Client::TlsLease {
 public:
  static Result<std::shared_ptr<const TlsLease>> take(const ClientOptions& options) {
    static std::mutex mutex;
    static std::weak_ptr<const TlsLease> in_use;  // As the library's context is the process's.
    Files files = {options.private_key, options.certificate, options.ca_certificate};
    const std::lock_guard lock(mutex);
    const auto other = in_use.lock();
    if (other && other->files_ != files)
      return fail(Error::Kind::unsupported,
                  "another client of this process uses the TLS files " + text(other->files_) +
                      ", this one " + text(files) + ": libopenvswitch has one set for all",
                  options.remote, "give all `ssl:` remotes of this process the same files");
    if (const auto good = check_files(files, options.remote); !good)
      return tl::unexpected(good.error());
    if (other) return other;
    auto lease = std::make_shared<const TlsLease>(std::move(files));
    lease->use();
    in_use = lease;
    return lease;
  }
  using Files = std::array<std::string, 3>;  ///< Private key, certificate, CA certificates.
  explicit TlsLease(Files files) : files_(std::move(files)) {}

  /// While it is held, no other files come into the library's context: for who opens connections.
  static std::shared_lock<std::shared_mutex> hold() { return std::shared_lock(context_mutex()); }

  /// Takes the files again where they have changed, so that a certificate can be renewed without an
  /// outage. Files that can't be used, and a key beside another key's certificate, are waited for.
  void refresh(Clock::time_point now) const {
    const std::lock_guard lock(refreshing_);
    if (now - looked_ < kBetweenLooksAtFiles) return;
    looked_ = now;
    if (states() != states_ && check_files(files_, {})) use();
  }

 private:
  using States = std::array<FileState, 3>;
  static constexpr std::chrono::seconds kBetweenLooksAtFiles{1};

  static std::shared_mutex& context_mutex() {
    static std::shared_mutex mutex;  // As the library's context is the process's.
    return mutex;
  }
  States states() const {
    return {FileState::of(files_[0]), FileState::of(files_[1]), FileState::of(files_[2])};
  }
  void use() const {
    const std::lock_guard lock(context_mutex());
    states_ = states();
    vm_idl_set_tls(files_[0].c_str(), files_[1].c_str(), files_[2].c_str());
  }
  static std::string text(const Files& files) {
    return files[0] + ", " + files[1] + ", " + files[2];
  }
  static Result<void> check_files(const Files& files, const std::string& remote) {
    for (const std::string& file : files)
      if (access(file.c_str(), R_OK) != 0)
        return fail(Error::Kind::invalid, "can't read this file", file,
                    "give a PEM file that exists");
    switch (vm_idl_check_tls(files[0].c_str(), files[1].c_str(), files[2].c_str())) {
      case VM_TLS_GOOD:
        return {};
      case VM_TLS_NO_KEY:
        return fail(Error::Kind::invalid, "this file holds no private key", files[0],
                    "give a key in PEM, without a passphrase");
      case VM_TLS_NO_CERTIFICATE:
        return fail(Error::Kind::invalid, "this file holds no certificate", files[1],
                    "give a certificate in PEM");
      case VM_TLS_NOT_ITS_KEY:
        return fail(Error::Kind::invalid, "the private key is not the certificate's", files[0],
                    "give the key that " + files[1] + " was made for");
      case VM_TLS_NO_CA:
        break;
    }
    return fail(Error::Kind::invalid, "this file holds no CA's certificate", files[2],
                "give the certificate of the CA that signed the server's of " + remote);
  }

  const Files files_;
  mutable std::mutex refreshing_;  ///< Guards what follows.
  mutable States states_;          ///< When they were taken last.
  mutable Clock::time_point looked_;
};

struct Client::Request {
  Transaction transaction;
  bool is_awaited = false;  ///< By commit(), which needs no hint.
  bool abandoned = false;   ///< The caller has gone: its time was over.
  bool sent = false;
  std::optional<Result<bool>> answer;  ///< Done, or not: compose anew.
};

Result<void> check(const ClientOptions& options) {
  constexpr std::array<std::string_view, 3> kForms = {"unix:", "tcp:", "ssl:"};
  if (std::ranges::none_of(kForms, [&](auto form) { return options.remote.starts_with(form); }))
    return fail(Error::Kind::invalid, "`" + options.remote + "` is no database's address", "remote",
                "write unix:PATH, tcp:IP:PORT or ssl:IP:PORT");
  if (uses_tls(options) && (options.private_key.empty() || options.certificate.empty() ||
                            options.ca_certificate.empty()))
    return fail(Error::Kind::invalid, "TLS needs a private key, a certificate and a CA certificate",
                options.remote, "give all three files");
  return {};
}

Result<std::unique_ptr<Client>> Client::start(const ClientOptions& options, Schema schema) {
  if (const auto good = check(options); !good) return tl::unexpected(good.error());
  start_library();
  std::shared_ptr<const TlsLease> tls;
  if (uses_tls(options)) {
    auto lease = TlsLease::take(options);
    if (!lease) return tl::unexpected(lease.error());
    tls = std::move(*lease);
  }
  return std::unique_ptr<Client>(new Client(options, std::move(schema), std::move(tls)));
}

Client::Client(const ClientOptions& options, Schema schema, std::shared_ptr<const TlsLease> tls)
    : remote_(options.remote),
      tls_(std::move(tls)),
      wake_fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  thread_ = std::thread([this, options, schema = std::move(schema)] { run(options, schema); });
}

Client::~Client() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake();
  thread_.join();
  close(wake_fd_);
}

void Client::wake() const {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = write(wake_fd_, &one, sizeof one);
}

void Client::on_change(std::function<void()> hint) {
  const std::lock_guard lock(mutex_);
  hint_ = std::move(hint);
}

Error Client::not_connected(Milliseconds waited) const {
  const std::string why = error_.empty() ? "no answer" : error_;
  return {Error::Kind::unreachable,
          "no connection to ovsdb-server" +
              (waited.count() == 0 ? std::string()
                                   : " within " + std::to_string(waited.count()) + " ms") +
              ": " + why,
          remote_,
          remote_.starts_with("ssl:")
              ? "see that it listens there, and that the CA has signed both sides' certificates"
              : "see that it is running and listens there"};
}

Result<std::shared_ptr<const Snapshot>> Client::read(Milliseconds timeout) {
  std::unique_lock lock(mutex_);
  if (!changed_.wait_for(lock, timeout, [&] { return synced_ && snapshot_; }))
    return tl::unexpected(not_connected(timeout));
  return snapshot_;
}

std::shared_ptr<Client::Request> Client::begin(Transaction transaction) {
  const auto request = std::make_shared<Request>();
  request->transaction = std::move(transaction);
  const std::lock_guard lock(mutex_);
  queue_.push_back(request);
  wake();
  return request;
}

std::optional<Result<bool>> Client::ended(const Request& request) const {
  const std::lock_guard lock(mutex_);
  return request.answer;
}

Error Client::abandon(Request& request, Milliseconds waited) {
  const std::lock_guard lock(mutex_);
  request.abandoned = true;
  wake();
  if (!request.sent && !synced_) return not_connected(waited);
  return {Error::Kind::unreachable,
          "ovsdb-server took no transaction within " + std::to_string(waited.count()) + " ms",
          remote_, "look whether it is busy or stopped"};
}

Result<Commit> Client::commit(Transaction transaction, Milliseconds timeout) {
  const auto request = std::make_shared<Request>();
  request->transaction = std::move(transaction);
  request->is_awaited = true;
  std::unique_lock lock(mutex_);
  queue_.push_back(request);
  wake();
  if (!changed_.wait_for(lock, timeout, [&] { return request->answer.has_value(); })) {
    lock.unlock();
    return tl::unexpected(abandon(*request, timeout));
  }
  if (!*request->answer) return tl::unexpected(request->answer->error());
  return Commit{**request->answer, snapshot_};
}

// ---- The client's thread

void Client::run(const ClientOptions& options, const Schema& schema) {
  block_signals();
  Replica replica(options, schema);
  const Milliseconds patience = remote_.starts_with("unix:") ? kLocalPatience : kRemotePatience;
  last_connect_ = Clock::now();
  for (;;) {
    if (tls_) tls_->refresh(Clock::now());
    const Replica::Changes changes = [&] {
      const auto held = tls_ ? TlsLease::hold() : std::shared_lock<std::shared_mutex>();
      return replica.run();
    }();
    const bool came_or_went = publish(replica, changes.any, changes.counted);
    serve(replica);
    retry(replica, patience);
    std::function<void()> hint;
    bool connected = false;
    {
      const std::lock_guard lock(mutex_);
      if (stop_) break;
      if (changes.loud || came_or_went || has_ended_) hint = hint_;
      has_ended_ = false;
      connected = synced_;
    }
    changed_.notify_all();
    if (hint) hint();
    replica.block(wake_fd_, connected ? kConnectedSleepMs : kDisconnectedSleepMs);
    std::uint64_t count = 0;
    [[maybe_unused]] const auto cleared = ::read(wake_fd_, &count, sizeof count);
  }
  replica.end();
}

/// Hands the contents over. True when the connection came or went.
bool Client::publish(Replica& replica, bool changed, bool counted) {
  const bool synced = replica.synced();
  std::string error = synced ? std::string() : replica.error();
  const std::lock_guard lock(mutex_);
  const bool came_or_went = synced != synced_;
  if (came_or_went && !synced) {
    lost_at_ = wall_clock();
    found_at_ = 0;
  } else if (came_or_went && lost_at_ != 0) {
    found_at_ = wall_clock();
  }
  // What a new connection brings was written at any time.
  if (came_or_went)
    counted_at_ = 0;
  else if (counted)
    counted_at_ = wall_clock();
  if (changed || came_or_went || !snapshot_) {
    auto snapshot = replica.snapshot();
    snapshot->lost_at = lost_at_;
    snapshot->found_at = found_at_;
    snapshot->counted_at = counted_at_;
    snapshot_ = std::move(snapshot);
  }
  synced_ = synced;
  error_ = std::move(error);
  return came_or_went;
}

/// Brings the running transaction forward and starts the next.
void Client::serve(Replica& replica) {
  if (running_) {
    const vm_txn_status status = replica.progress();
    if (status == VM_TXN_DONE) finish(replica, true);
    if (status == VM_TXN_AGAIN) finish(replica, false);
    if (status == VM_TXN_ERROR)
      finish(replica,
             fail(Error::Kind::refused, "ovsdb-server refused: " + replica.txn_error(), remote_));
  }
  while (!running_) {
    {
      const std::lock_guard lock(mutex_);
      std::erase_if(queue_, [](const auto& request) { return request->abandoned; });
      if (queue_.empty() || !synced_) return;
      running_ = queue_.front();
      queue_.pop_front();
      running_->sent = true;
    }
    if (!replica.begin(running_->transaction)) {
      finish(replica, false);
    } else if (const vm_txn_status status = replica.progress(); status != VM_TXN_WAITING) {
      finish(replica, status == VM_TXN_DONE);
    }
  }
}

void Client::finish(Replica& replica, Result<bool> done) {
  replica.end();
  const std::lock_guard lock(mutex_);
  running_->answer = std::move(done);
  has_ended_ = has_ended_ || !running_->is_awaited;
  running_.reset();
}

void Client::retry(Replica& replica, Milliseconds patience) {
  const auto now = Clock::now();
  if (replica.connected()) {
    last_connect_ = now;
  } else if (now - last_connect_ >= patience) {
    last_connect_ = now;
    replica.reconnect();
  }
}

}  // namespace vmirror::ovsdb
