#include "plugin/hyperv/driver.hpp"

#include <charconv>
#include <mutex>
#include <random>
#include <utility>

#include "plugin/base/text.hpp"
#include "plugin/base/words.hpp"
#include "plugin/hyperv/node.hpp"
#include "plugin/hyperv/observe.hpp"
#include "plugin/hyperv/realise.hpp"

namespace vmirror {
namespace {

using std::chrono::milliseconds;

/// Of several nodes, one that can't be read keeps what was read last for so long: a cluster needs
/// longer to start its VMs elsewhere.
constexpr std::chrono::seconds kStalePatience{10};

class HypervDriver final : public Driver {
 public:
  HypervDriver(const HypervOptions& options,
               std::vector<std::unique_ptr<hyperv::WsmanClient>> clients)
      : options_(options), observer_(options.owner) {
    for (auto& client : clients)
      nodes_.push_back(std::make_unique<hyperv::Node>(
          std::move(client),
          hyperv::NodeOptions{options.owner, options.poll, options.affinity_rules == "true"},
          [this] { tell(); }));
  }

  std::string_view name() const override { return "hyperv"; }

  Result<std::shared_ptr<const Observed>> observe() override {
    // First: what has ended is in what is read then.
    auto submissions = this->submissions();
    auto world = read(options_.timeout);
    if (!world) return world;
    if (observed_ && *world == read_ && observed_->submissions == submissions) return observed_;
    read_ = *world;
    if (submissions.empty()) return observed_ = read_;
    auto out = std::make_shared<Observed>(*read_);
    out->submissions = std::move(submissions);
    return observed_ = std::move(out);
  }

  std::unique_ptr<Realiser> realiser() const override {
    hyperv::VlanSetting trunk{hyperv::VlanSetting::Mode::trunk,
                              static_cast<std::uint16_t>(options_.native_vlan),
                              hyperv::parse_vlans(options_.vlans)->reset(0)};
    return hyperv::make_realiser(
        {options_.monitor,
         static_cast<std::uint8_t>(options_.monitor_session),
         trunk,
         {options_.owner, options_.affinity_rules == "true", options_.monitor}});
  }

  Result<Ticket> submit(std::span<const Step> steps) override {
    const auto world = read(milliseconds(0));
    if (!world) return tl::unexpected(world.error());
    std::map<std::size_t, std::vector<hyperv::NodeStep>> of_nodes;
    for (const Step& step : steps) {
      if (const ObservedObject* is = (*world)->objects.get(step.key); is && !is->owned)
        return fail(Error::Kind::refused, to_text(step.key) + " isn't ours", step.key.switch_name,
                    "undo it by hand, or leave the adapter out");
      const auto place = observer_.place_of(step.key);
      if (!place)
        return fail(Error::Kind::missing, "no node that can be read has " + to_text(step.key),
                    step.key.switch_name);
      of_nodes[place->node].push_back({step, place->switch_id});
    }
    Ticket ticket = 0;
    {
      const std::lock_guard lock(mutex_);
      std::erase_if(submissions_, [](const auto& each) {
        return each.second.is.state != Submission::State::running;
      });
      ticket = ++tickets_;
      submissions_[ticket].open = of_nodes.size();
      if (of_nodes.empty()) submissions_[ticket].is.state = Submission::State::settled;
    }
    for (auto& [node, of_node] : of_nodes)
      nodes_[node]->submit(std::move(of_node),
                           [this, ticket](const Submission& is) { end(ticket, is); });
    return ticket;
  }

  void on_change(std::function<void()> hint) override {
    const std::lock_guard lock(mutex_);
    hint_ = std::move(hint);
  }

 private:
  struct Begun {
    std::size_t open = 0;  ///< Nodes that have not ended.
    Submission worst{Submission::State::settled, {}};
    Submission is{};  ///< Running until all have.
  };

  void tell() {
    std::function<void()> hint;
    {
      const std::lock_guard lock(mutex_);
      hint = hint_;
    }
    if (hint) hint();
  }

  std::map<Ticket, Submission> submissions() {
    const std::lock_guard lock(mutex_);
    std::map<Ticket, Submission> out;
    for (const auto& [ticket, begun] : submissions_) out[ticket] = begun.is;
    return out;
  }

  void end(Ticket ticket, const Submission& is) {
    const std::lock_guard lock(mutex_);
    Begun& begun = submissions_[ticket];
    if (is.state == Submission::State::failed || (is.state == Submission::State::conflict &&
                                                  begun.worst.state == Submission::State::settled))
      begun.worst = is;
    if (--begun.open == 0) begun.is = begun.worst;
  }

  Result<std::shared_ptr<const Observed>> read(milliseconds patience) {
    const auto now = std::chrono::steady_clock::now();
    std::vector<hyperv::NodeReading> readings;
    std::size_t failing = 0;
    Error first;
    for (const auto& node : nodes_) {
      const auto left = patience - std::chrono::duration_cast<milliseconds>(
                                       std::chrono::steady_clock::now() - now);
      auto latest = node->latest(std::max(left, milliseconds(0)));
      if (latest.failing_since) {
        if (failing++ == 0) first = latest.reading.error;
        if (now - *latest.failing_since < kStalePatience && latest.reading.state)
          latest.reading.error = {};
        else
          latest.reading.state.reset();
      }
      readings.push_back(std::move(latest.reading));
    }
    if (failing == nodes_.size()) {
      if (nodes_.size() > 1)
        first.what = "none of " + count(nodes_.size(), "host") + " answers; " + first.what;
      return tl::unexpected(first);
    }
    return observer_.update(std::move(readings));
  }

  const HypervOptions options_;
  hyperv::Observer observer_;
  std::shared_ptr<const Observed> read_, observed_;  ///< The latter with the submissions.
  std::mutex mutex_;                                 ///< Guards what follows.
  std::function<void()> hint_;
  std::map<Ticket, Begun> submissions_;
  Ticket tickets_ = 0;
  std::vector<std::unique_ptr<hyperv::Node>> nodes_;  ///< Their threads hint: they go first.
};

std::optional<net::Auth> auth_of(std::string_view name) {
  for (const auto& [each, auth] : {std::pair("basic", net::Auth::basic),
                                   {"ntlm", net::Auth::ntlm},
                                   {"negotiate", net::Auth::negotiate}})
    if (name == each) return auth;
  return std::nullopt;
}

tl::unexpected<Error> wrong(std::string what, const char* key, std::string remedy) {
  return fail(Error::Kind::invalid, std::move(what), key, std::move(remedy));
}

}  // namespace

HypervOptions hyperv_options(const std::map<std::string, std::string>& section) {
  HypervOptions out;
  for (const auto& [name, to] : {std::pair("url", &out.url),
                                 {"credentials_file", &out.credentials_file},
                                 {"credentials_systemd", &out.credentials_systemd},
                                 {"ca_file", &out.ca_file},
                                 {"thumbprint", &out.thumbprint},
                                 {"auth", &out.auth},
                                 {"keytab", &out.keytab},
                                 {"owner", &out.owner},
                                 {"monitor", &out.monitor},
                                 {"affinity_rules", &out.affinity_rules},
                                 {"vlans", &out.vlans}})
    if (const auto it = section.find(name); it != section.end()) *to = it->second;
  const auto number = [&](const char* name, auto set) {
    const auto it = section.find(name);
    int given = 0;
    if (it == section.end()) return;
    std::from_chars(it->second.data(), it->second.data() + it->second.size(), given);
    set(given);
  };
  number("monitor_session", [&](int given) { out.monitor_session = given; });
  number("native_vlan", [&](int given) { out.native_vlan = given; });
  number("poll_ms", [&](int given) { out.poll = milliseconds(given); });
  number("timeout_ms", [&](int given) { out.timeout = milliseconds(given); });
  return out;
}

Result<void> check(const HypervOptions& options) {
  const auto urls = words_of(options.url), thumbprints = words_of(options.thumbprint);
  if (urls.empty())
    return wrong("there is no host", "url", "write https://NAME:5986, one or several");
  for (const std::string& url : urls)
    if (!url.starts_with("https://"))
      return wrong("`" + url + "` is no URL of a host's WinRM", "url",
                   "write https://NAME:5986, without a path");
  if (!thumbprints.empty() && thumbprints.size() != urls.size())
    return wrong(count(thumbprints.size(), "thumbprint") + " for " + count(urls.size(), "host"),
                 "thumbprint", "write one for each URL, in their order, or give `ca_file`");
  if (!auth_of(options.auth))
    return wrong("`" + options.auth + "` is none of basic, ntlm and negotiate", "auth",
                 "write negotiate (Kerberos) for an account of a domain, ntlm for a local one");
  const bool none = options.credentials_file.empty() && options.credentials_systemd.empty();
  const bool both = !options.credentials_file.empty() && !options.credentials_systemd.empty();
  if (options.auth != "negotiate" && (none || both))
    return wrong("exactly one of credentials_file and credentials_systemd must be given",
                 "credentials_file", "name a file with the lines username= and password=");
  if (options.auth == "negotiate" && !none)
    return wrong("credentials are given, and Kerberos takes no password", "auth",
                 "leave them out, and name a `keytab`; or write `auth: ntlm`");
  if (options.auth != "negotiate" && !options.keytab.empty())
    return wrong("a keytab is given, which " + options.auth + " does not use", "keytab",
                 "write `auth: negotiate`");
  if (options.owner.empty() || options.owner.find('/') != std::string::npos)
    return wrong("`" + options.owner + "` is no name of an owner", "owner",
                 "give it a name without a slash");
  if (options.affinity_rules != "true" && options.affinity_rules != "false")
    return wrong("`" + options.affinity_rules + "` is neither true nor false", "affinity_rules",
                 "write one of them");
  const auto vlans = hyperv::parse_vlans(options.vlans);
  if (!vlans) return wrong(vlans.error().what, "vlans", vlans.error().remedy);
  return {};
}

Result<std::unique_ptr<Driver>> make_hyperv_driver(const HypervOptions& options) {
  if (const auto good = check(options); !good) return tl::unexpected(good.error());
  const auto urls = words_of(options.url), thumbprints = words_of(options.thumbprint);
  std::vector<std::unique_ptr<hyperv::WsmanClient>> clients;
  for (std::size_t i = 0; i < urls.size(); i++) {
    hyperv::WsmanOptions with;
    with.http.url = urls[i];
    with.http.ca_file = options.ca_file;
    if (!thumbprints.empty()) with.http.thumbprint = thumbprints[i];
    with.http.auth = *auth_of(options.auth);
    with.http.keytab = options.keytab;
    // The node begins again by itself, and says meanwhile that the host can't be read.
    with.http.retry = {.attempts = 2, .first = milliseconds(200), .most = milliseconds(2'000)};
    with.http.random = [engine = std::make_shared<std::pair<std::mutex, std::minstd_rand>>()] {
      const std::lock_guard lock(engine->first);
      return std::uniform_real_distribution<double>(0, 1)(engine->second);
    };
    with.credentials = {options.credentials_file, options.credentials_systemd};
    auto client = hyperv::WsmanClient::make(std::move(with));
    if (!client) return tl::unexpected(client.error());
    clients.push_back(std::move(*client));
  }
  return std::make_unique<HypervDriver>(options, std::move(clients));
}

}  // namespace vmirror
