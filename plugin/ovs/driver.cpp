#include "plugin/ovs/driver.hpp"

#include <mutex>
#include <set>

#include "plugin/base/own_addresses.hpp"
#include "plugin/ovs/compose.hpp"
#include "plugin/ovs/control_socket.hpp"
#include "plugin/ovs/learned.hpp"
#include "plugin/ovs/liveness.hpp"
#include "plugin/ovs/observe.hpp"
#include "plugin/ovs/outputs.hpp"
#include "plugin/ovs/schema.hpp"
#include "plugin/ovsdb/client.hpp"

namespace vmirror {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

milliseconds left(Clock::time_point deadline) {
  return std::max(milliseconds(0),
                  std::chrono::duration_cast<milliseconds>(deadline - Clock::now()));
}

/// The daemons' sockets are in the folder of a `unix:` remote, where nothing else is said.
std::string beside_sockets(const OvsOptions& options) {
  return options.run_directory.empty() ? options.remote
                                       : "unix:" + options.run_directory + "/db.sock";
}

class OvsDriver final : public Driver {
 public:
  OvsDriver(const OvsOptions& options, std::unique_ptr<ovsdb::Client> client)
      : owner_(options.owner),
        timeout_(options.timeout),
        socket_(beside_sockets(options)),
        on_host_(options.remote.starts_with("unix:")),
        observer_(options.owner),
        client_(std::move(client)),
        learned_(beside_sockets(options), [this] { tell(); }) {}

  std::string_view name() const override { return "ovs"; }

  Result<std::shared_ptr<const Observed>> observe() override {
    const auto snapshot = client_->read(timeout_);
    if (!snapshot) return tl::unexpected(snapshot.error());
    const auto learned = learned_.latest();
    const Time silent_since = watch_ ? watch_->silent_since() : 0;
    auto addresses = addresses_now();
    if (observed_ && observed_->revision == (*snapshot)->revision && learned == used_ &&
        observed_->own_addresses == addresses && observed_->progress.silent_since == silent_since)
      return observed_;
    observed_ = observer_.update(*snapshot, std::move(addresses));
    used_ = learned;
    std::set<std::string> bridges;
    for (const auto& [key, number] : observer_.nameless()) bridges.insert(key.switch_name);
    learned_.watch(std::move(bridges));
    if (observer_.nameless().empty() && silent_since == 0) return observed_;
    auto out = std::make_shared<Observed>(*observed_);
    if (!observer_.nameless().empty()) namer_.name(*out, observer_.nameless(), *learned);
    out->progress.silent_since = silent_since;
    return observed_ = std::move(out);
  }

  std::unique_ptr<Realiser> realiser() const override { return ovs::make_realiser(owner_); }

  Result<void> apply(std::span<const Step> steps) override {
    const auto deadline = Clock::now() + timeout_;
    // A lost race with another writer costs another look; each is as likely to win as the last.
    do {
      const auto snapshot = client_->read(left(deadline));
      if (!snapshot) return tl::unexpected(snapshot.error());
      auto transaction = ovs::compose(steps, **snapshot, owner_);
      if (!transaction) return tl::unexpected(transaction.error());
      if (transaction->empty()) return {};
      const auto commit = client_->commit(std::move(*transaction), left(deadline));
      if (!commit) return tl::unexpected(commit.error());
      if (commit->done) return {};
    } while (Clock::now() < deadline);
    return fail(Error::Kind::unreachable,
                "other writers or a lost connection kept the change from being made within " +
                    std::to_string(timeout_.count()) + " ms",
                "ovsdb-server");
  }

  void on_change(std::function<void()> hint) override {
    {
      const std::lock_guard lock(mutex_);
      hint_ = hint;
    }
    client_->on_change(hint);
    watch_ = std::make_unique<ovs::LivenessWatch>(socket_, *client_, std::move(hint));
  }

 private:
  void tell() {
    const std::lock_guard lock(mutex_);
    if (hint_) hint_();
  }

  /// The host's, where the agent is on it; not read again for each of many changes.
  std::set<IpAddress> addresses_now() {
    const auto now = Clock::now();
    if (!on_host_ || (observed_ && now - addresses_at_ < kAddressesAge))
      return observed_ ? observed_->own_addresses : std::set<IpAddress>{};
    addresses_at_ = now;
    return own_addresses();
  }

  static constexpr milliseconds kAddressesAge{1000};

  const std::string owner_;
  const milliseconds timeout_;
  const ovs::ControlSocket socket_;
  const bool on_host_;
  Clock::time_point addresses_at_;
  ovs::Observer observer_;
  std::shared_ptr<const Observed> observed_;
  const std::unique_ptr<ovsdb::Client> client_;
  ovs::PortNamer namer_;
  std::shared_ptr<const ovs::Learned> used_;  ///< By observed_.
  std::mutex mutex_;
  std::function<void()> hint_;                 ///< Guarded by the mutex.
  ovs::LearnedReader learned_;                 ///< Its thread hints: it goes first.
  std::unique_ptr<ovs::LivenessWatch> watch_;  ///< As does this one; none: nobody listens.
};

ovsdb::ClientOptions client_options(const OvsOptions& options) {
  ovsdb::ClientOptions out;
  out.remote = options.remote;
  out.private_key = options.private_key;
  out.certificate = options.certificate;
  out.ca_certificate = options.ca_certificate;
  return out;
}

}  // namespace

Result<void> check(const OvsOptions& options) {
  if (options.owner.empty())
    return fail(Error::Kind::invalid, "the owner's name is empty", "owner", "give it a name");
  return ovsdb::check(client_options(options));
}

Result<std::unique_ptr<Driver>> make_ovs_driver(const OvsOptions& options) {
  if (const auto good = check(options); !good) return tl::unexpected(good.error());
  auto client = ovsdb::Client::start(client_options(options), ovs::schema());
  if (!client) return tl::unexpected(client.error());
  return std::make_unique<OvsDriver>(options, std::move(*client));
}

}  // namespace vmirror
