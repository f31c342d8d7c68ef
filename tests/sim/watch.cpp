// The operator of the simulated cluster: follows all rows by the product's client, and tells when
// which host's rows said that a policy holds there.
#include <algorithm>
#include <condition_variable>
#include <iostream>
#include <map>
#include <mutex>

#include "agent/control/store/change.hpp"
#include "agent/control/store/link.hpp"
#include "agent/control/store/schema.hpp"
#include "tests/sim/parts.hpp"

namespace vmirror::sim {

namespace json = boost::json;
using ovsdb::Row;

namespace {

struct HostView {
  std::int64_t generation = 0;
  std::string instance;
  std::map<std::string, std::string> sessions;  ///< Those in place: port -> "POLICY TARGET".
};

class Watch {
 public:
  explicit Watch(std::unique_ptr<ovsdb::Client> client) : client_(std::move(client)) {
    client_->on_change([this] {
      const std::lock_guard lock(mutex_);
      ++hints_;
      hinted_.notify_all();
    });
  }

  json::object answer(const json::object& command) {
    const json::value& verb = command.at("do");
    const auto text = [&](const char* key) { return std::string(command.at(key).as_string()); };
    const auto number = [&](const char* key) { return command.at(key).to_number<std::size_t>(); };
    const double timeout =
        command.contains("timeout") ? command.at("timeout").to_number<double>() : 120;
    if (verb == "apply") {
      const std::int64_t begin = monotonic();
      const auto generation = put_policy(*client_, text("yaml"), "sim", wall_clock());
      if (!generation) return {{"error", generation.error().text()}};
      const std::int64_t put = monotonic();
      const std::string says = text("says");
      const std::size_t nics = number("nics");
      json::object out = await(number("hosts"), begin, timeout, [&](const HostView& host) {
        return host.generation >= *generation && host.sessions.size() == nics &&
               std::ranges::all_of(host.sessions, [&](const auto& s) { return s.second == says; });
      });
      out["put"] = seconds(begin, put);
      return out;
    }
    if (verb == "drop") {
      const std::int64_t begin = monotonic();
      if (const auto done = drop_policy(*client_, text("name"), "sim", wall_clock()); !done)
        return {{"error", done.error().text()}};
      return await(number("hosts"), begin, timeout,
                   [&](const HostView& host) { return host.sessions.empty(); });
    }
    if (verb == "remember") {  // Which agents there are, before they start anew.
      follow();
      remembered_.clear();
      for (const auto& [name, host] : hosts_) remembered_[name] = host.instance;
      return {{"hosts", remembered_.size()}};
    }
    if (verb == "anew") {
      const std::size_t nics = number("nics");
      return await(
          number("hosts"), monotonic(), timeout,
          [&](const HostView& host) { return host.sessions.size() == nics; }, true);
    }
    if (verb == "moved") {  // When the session was gone from one port, and there on another.
      const std::string from = text("from"), from_port = text("from_port");
      const std::string to = text("to"), to_port = text("to_port");
      std::int64_t gone = 0, there = 0;
      const bool is = wait(timeout, [&] {
        if (gone == 0 && !hosts_[from].sessions.contains(from_port)) gone = monotonic();
        if (there == 0 && hosts_[to].sessions.contains(to_port)) there = monotonic();
        return gone != 0 && there != 0;
      });
      if (!is) return {{"error", "not seen in time"}};
      return {{"gone", gone}, {"there", there}};
    }
    return {{"error", "unknown command"}};
  }

 private:
  static double seconds(std::int64_t from, std::int64_t to) {
    return static_cast<double>(to - from) / 1e9;
  }

  /// Waits until `is` holds of as many hosts; when it did of each.
  json::object await(std::size_t count, std::int64_t begin, double timeout,
                     const std::function<bool(const HostView&)>& is, bool other_instance = false) {
    std::map<std::string, double> when;
    const bool all = wait(timeout, [&] {
      const double now = seconds(begin, monotonic());
      for (const std::string& name : changed_) {
        const HostView& host = hosts_[name];
        const bool anew = !other_instance || host.instance != remembered_[name];
        if (anew && is(host)) when.emplace(name, now);
      }
      changed_.clear();
      return when.size() >= count;
    });
    std::vector<double> times;
    for (const auto& [name, time] : when) times.push_back(time);
    std::ranges::sort(times);
    const auto quantile = [&](double q) {
      return times.empty()
                 ? 0
                 : times[static_cast<std::size_t>(q * static_cast<double>(times.size() - 1) + 0.5)];
    };
    json::object out{{"hosts", times.size()},
                     {"p50", quantile(0.5)},
                     {"p99", quantile(0.99)},
                     {"all", quantile(1)}};
    if (!all) out["error"] = "not on all hosts in time";
    return out;
  }

  bool wait(double timeout, const std::function<bool()>& is) {
    const std::int64_t until = monotonic() + static_cast<std::int64_t>(timeout * 1e9);
    follow();
    for (const auto& [name, host] : hosts_) changed_.insert(name);
    for (;;) {
      std::uint64_t hints = 0;
      {
        const std::lock_guard lock(mutex_);
        hints = hints_;
      }
      follow();
      if (is()) return true;
      std::unique_lock lock(mutex_);
      const auto left = std::chrono::nanoseconds(until - monotonic());
      if (left.count() <= 0 || !hinted_.wait_for(lock, left, [&] { return hints_ != hints; }))
        return false;
    }
  }

  void follow() {
    const auto now = client_->read(std::chrono::seconds(30));
    if (!now) return;
    static const ovsdb::Table none;
    const auto table = [&](const std::shared_ptr<const ovsdb::Snapshot>& s,
                           std::size_t t) -> const ovsdb::Table& { return s ? (*s)[t] : none; };
    diff(table(last_, store::kHost).rows, table(*now, store::kHost).rows,
         [&](const ovsdb::Uuid&, const auto* before, const auto* after) {
           const Row& row = **(after != nullptr ? after : before);
           const std::string name = row[store::host::kName].text();
           HostView& host = hosts_[name];
           host.generation = row[store::host::kGeneration].get<std::int64_t>().value_or(0);
           host.instance = row[store::host::kInstance].text();
           changed_.insert(name);
         });
    diff(table(last_, store::kSession).rows, table(*now, store::kSession).rows,
         [&](const ovsdb::Uuid&, const auto* before, const auto* after) {
           if (before != nullptr) take(**before, false);
           if (after != nullptr) take(**after, true);
         });
    last_ = *now;
  }

  /// A session that is replaced has two rows for a moment, of which the last counts.
  void take(const Row& row, bool in) {
    namespace c = store::session;
    const std::string name = row[c::kHost].text();
    changed_.insert(name);
    auto& sessions = hosts_[name].sessions;
    const std::string port = row[c::kPort].text();
    std::string says;
    for (const std::string& policy : row[c::kPolicies].set<std::string>()) says += policy + " ";
    says += row[c::kTarget].text();
    const auto there = sessions.find(port);
    if (in && row[c::kInPlace].get<bool>().value_or(false))
      sessions[port] = says;
    else if (there != sessions.end() && (in || there->second == says))
      sessions.erase(there);
  }

  std::unique_ptr<ovsdb::Client> client_;
  std::mutex mutex_;
  std::condition_variable hinted_;
  std::uint64_t hints_ = 0;  ///< Guarded by mutex_.
  std::shared_ptr<const ovsdb::Snapshot> last_;
  std::map<std::string, HostView> hosts_;
  std::set<std::string> changed_;  ///< Hosts, since it was emptied.
  std::map<std::string, std::string> remembered_;
};

}  // namespace

int run_watch(const PartOptions& options) {
  StoreOptions store;
  store.servers = options.servers;
  auto client = ovsdb::Client::start(client_options(store), store::schema());
  if (!client) {
    std::cerr << client.error().text() << "\n";
    return 1;
  }
  Watch watch(std::move(*client));
  boost::asio::io_context io{1};
  const auto work = boost::asio::make_work_guard(io);
  serve_commands(io, [&](const json::object& command) { return watch.answer(command); });
  io.run();
  return 0;
}

}  // namespace vmirror::sim
