#include "plugin/ovs/driver.hpp"

#include <charconv>
#include <map>
#include <mutex>
#include <set>
#include <utility>

#include "plugin/base/next_hop.hpp"
#include "plugin/base/own_addresses.hpp"
#include "plugin/ovs/compose.hpp"
#include "plugin/ovs/control_socket.hpp"
#include "plugin/ovs/learned.hpp"
#include "plugin/ovs/liveness.hpp"
#include "plugin/ovs/observe.hpp"
#include "plugin/ovs/outputs.hpp"
#include "plugin/ovs/schema.hpp"
#include "plugin/ovs/trace.hpp"
#include "plugin/ovsdb/client.hpp"

namespace vmirror {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

/// The daemons' sockets are in the folder of a `unix:` remote, where nothing else is said.
std::string beside_sockets(const OvsOptions& options) {
  return options.run_directory.empty() ? options.remote
                                       : "unix:" + options.run_directory + "/db.sock";
}

/// The other ends of our tunnels on switches of the kernel's datapath whose next hop is silent.
std::set<IpAddress> silent_remotes(const Observed& world) {
  std::set<IpAddress> out;
  for (const auto& [key, object] : world.objects) {
    if (!object.owned) continue;
    const Switch& on = switch_of(world, key.switch_name);
    const Port* port = on.ports.get(key.name);
    if (on.datapath != Datapath::kernel || port == nullptr || !port->tunnel) continue;
    const auto remote = IpAddress::parse(port->tunnel->remote);
    if (remote && next_hop_is_silent(*remote)) out.insert(*remote);
  }
  return out;
}

class OvsDriver final : public Driver {
 public:
  OvsDriver(const OvsOptions& options, std::unique_ptr<ovsdb::Client> client)
      : owner_(options.owner),
        timeout_(options.timeout),
        beside_sockets_(beside_sockets(options)),
        socket_(beside_sockets_),
        on_host_(options.remote.starts_with("unix:")),
        observer_(options.owner),
        client_(std::move(client)),
        learned_(beside_sockets_, [this] { tell(); }) {}

  std::string_view name() const override { return "ovs"; }

  Result<std::shared_ptr<const Observed>> observe() override {
    // First: what has ended is in what is read then.
    auto submissions = look_at_submissions();
    const auto snapshot = client_->read(timeout_);
    if (!snapshot) return tl::unexpected(snapshot.error());
    const auto learned = learned_.latest();
    const Time silent_since = watch_ ? watch_->silent_since() : 0;
    auto addresses = addresses_now();
    if (observed_ && observed_->revision == (*snapshot)->revision && learned == used_ &&
        observed_->own_addresses == addresses && observed_->silent == silent_ &&
        observed_->progress.silent_since == silent_since && observed_->submissions == submissions)
      return observed_;
    observed_ = observer_.update(*snapshot, std::move(addresses), learned);
    used_ = learned;
    learned_.watch(observer_.bridges_of_nameless());
    if (silent_since == 0 && silent_.empty() && submissions.empty()) return observed_;
    auto out = std::make_shared<Observed>(*observed_);
    out->silent = silent_;
    out->progress.silent_since = silent_since;
    out->submissions = std::move(submissions);
    return observed_ = std::move(out);
  }

  std::unique_ptr<Realiser> realiser() const override { return ovs::make_realiser(owner_); }

  /// A lost race with another writer, or for a name, is a conflict.
  Result<Ticket> submit(std::span<const Step> steps) override {
    const auto snapshot = client_->read(milliseconds(0));
    if (!snapshot) return tl::unexpected(snapshot.error());
    auto transaction = ovs::compose(steps, **snapshot, owner_);
    if (!transaction) return tl::unexpected(transaction.error());
    std::erase_if(
        sent_, [](const auto& sent) { return sent.second.is.state != Submission::State::running; });
    Sent& sent = sent_[++tickets_];
    if (transaction->empty()) {
      sent.is.state = Submission::State::settled;
    } else {
      sent.since = Clock::now();
      sent.request = client_->begin(std::move(*transaction));
    }
    return tickets_;
  }

  void on_change(std::function<void()> hint) override {
    {
      const std::lock_guard lock(mutex_);
      hint_ = hint;
    }
    client_->on_change(hint);
    watch_ = std::make_unique<ovs::LivenessWatch>(socket_, *client_, std::move(hint));
  }

  std::unique_ptr<Tracer> tracer() const override { return ovs::make_tracer(beside_sockets_); }

 private:
  struct Sent {
    Submission is;
    Clock::time_point since = {};
    std::shared_ptr<ovsdb::Client::Request> request = {};  ///< While it runs.
  };

  std::map<Ticket, Submission> look_at_submissions() {
    std::map<Ticket, Submission> out;
    for (auto& [ticket, sent] : sent_) {
      if (sent.is.state == Submission::State::running) {
        if (const auto ended = client_->ended(*sent.request)) {
          sent.is.state = !*ended   ? Submission::State::failed
                          : **ended ? Submission::State::settled
                                    : Submission::State::conflict;
          if (!*ended) sent.is.error = ended->error();
        } else if (Clock::now() - sent.since >= timeout_) {
          sent.is = {Submission::State::failed, client_->abandon(*sent.request, timeout_)};
        }
      }
      out.emplace(ticket, sent.is);
    }
    return out;
  }

  void tell() {
    const std::lock_guard lock(mutex_);
    if (hint_) hint_();
  }

  /// The host's, where the agent is on it; not read again for each of many changes. With them, the
  /// host's silent neighbours.
  std::set<IpAddress> addresses_now() {
    const auto now = Clock::now();
    if (!on_host_ || (observed_ && now - addresses_at_ < kAddressesAge))
      return observed_ ? observed_->own_addresses : std::set<IpAddress>{};
    addresses_at_ = now;
    silent_ = observed_ ? silent_remotes(*observed_) : std::set<IpAddress>{};
    return own_addresses();
  }

  static constexpr milliseconds kAddressesAge{1000};

  const std::string owner_;
  const milliseconds timeout_;
  const std::string beside_sockets_;
  const ovs::ControlSocket socket_;
  const bool on_host_;
  Clock::time_point addresses_at_;
  std::set<IpAddress> silent_;  ///< Read with the addresses.
  ovs::Observer observer_;
  std::shared_ptr<const Observed> observed_;
  std::map<Ticket, Sent> sent_;  ///< Those that run, and those that ended since the latest.
  Ticket tickets_ = 0;           ///< Given out.
  const std::unique_ptr<ovsdb::Client> client_;
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

OvsOptions ovs_options(const std::map<std::string, std::string>& section) {
  OvsOptions out;
  for (const auto& [name, to] : {std::pair("remote", &out.remote),
                                 {"private_key", &out.private_key},
                                 {"certificate", &out.certificate},
                                 {"ca_certificate", &out.ca_certificate},
                                 {"owner", &out.owner},
                                 {"run_directory", &out.run_directory}})
    if (const auto it = section.find(name); it != section.end()) *to = it->second;
  if (const auto it = section.find("insecure"); it != section.end())
    out.insecure = it->second == "true";
  if (const auto it = section.find("timeout_ms"); it != section.end()) {
    long milliseconds_given = 0;
    std::from_chars(it->second.data(), it->second.data() + it->second.size(), milliseconds_given);
    out.timeout = milliseconds(milliseconds_given);
  }
  return out;
}

Result<void> check(const OvsOptions& options) {
  if (options.owner.empty())
    return fail(Error::Kind::invalid, "the owner's name is empty", "owner", "give it a name");
  if (("," + options.remote).find(",tcp:") != std::string::npos && !options.insecure)
    return fail(Error::Kind::invalid,
                "`" + options.remote + "` would be neither encrypted nor authenticated", "remote",
                "write ssl:IP:PORT, or `insecure: true` on a network where nobody else is");
  return ovsdb::check(client_options(options));
}

Result<std::unique_ptr<Driver>> make_ovs_driver(const OvsOptions& options) {
  if (const auto good = check(options); !good) return tl::unexpected(good.error());
  auto client = ovsdb::Client::start(client_options(options), ovs::schema());
  if (!client) return tl::unexpected(client.error());
  return std::make_unique<OvsDriver>(options, std::move(*client));
}

}  // namespace vmirror
