#include "plugin/vsphere/follower.hpp"

#include <algorithm>
#include <map>
#include <vector>

#include "plugin/vsphere/span_change.hpp"

namespace vmirror::vsphere {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// What a wait for changes asks for. A server that is cut off without a word is missed after this
/// and what the client grants a call besides.
constexpr seconds kWait{30};
/// The same while ports are asked for again and again.
constexpr seconds kSuspectWait{5};
/// Nothing tells that the option of a host was changed.
constexpr std::chrono::minutes kOptionPeriod{10};
constexpr milliseconds kFirstPause{100}, kMostPause{10'000};  ///< After errors; doubled.

/// Counters are for who asks for them.
DvPort without_counters(DvPort port) {
  port.packets_in = port.packets_out = 0;
  return port;
}

/// What was read is not what is there: it would be taken for a world without switches or sessions.
std::optional<Error> blindness(const InventoryWatch& watch, const std::string& url) {
  const Inventory& seen = watch.inventory();
  if (seen.switches.empty() && seen.hosts.empty() && seen.machines.empty())
    return Error{Error::Kind::refused, "the account sees nothing of the inventory", url,
                 "give it its role on the datacenter, and let that propagate"};
  if (watch.missing() == 0) return {};
  for (const auto& [ref, dvs] : seen.switches)
    if (dvs.config_version.empty()) return watch.first_missing();
  return {};
}

}  // namespace

Follower::Follower(VimClient& client, bool clusters, std::function<bool(const Host&)> asks,
                   std::function<void()> changed)
    : client_(client),
      asks_(std::move(asks)),
      changed_(std::move(changed)),
      watch_(client, clusters) {
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

Follower::~Follower() {
  thread_.request_stop();
  thread_.join();
}

Result<Reading> Follower::latest(milliseconds patience) {
  std::unique_lock lock(mutex_);
  if (!wake_.wait_for(lock, patience, [this] { return tried_; }))
    return fail(Error::Kind::unreachable,
                "the server has not answered within " + std::to_string(patience.count()) + " ms",
                client_.url());
  return latest_;
}

void Follower::wait_past(const Ref& distributed_switch, const std::string& version,
                         milliseconds patience) {
  wait_until(
      [&](const Inventory& inventory) {
        const DistributedSwitch* is = inventory.switches.get(distributed_switch);
        return !is || is->config_version != version;
      },
      patience);
}

void Follower::wait_until(const std::function<bool(const Inventory&)>& shows,
                          milliseconds patience) {
  std::unique_lock lock(mutex_);
  wake_.wait_for(lock, patience, [&] { return tried_ && latest_ && shows(latest_->inventory); });
}

void Follower::option_is(const Ref& host, int value) {
  const std::lock_guard lock(mutex_);
  options_.set(host, value);
  if (latest_) latest_->options = options_;
}

/// True: some are others. A host that does not tell is asked again when the time has come.
bool Follower::ask_options(const Inventory& inventory, const std::stop_token& stop) {
  const auto now = std::chrono::steady_clock::now();
  bool changed = false;
  for (const auto& [ref, host] : inventory.hosts) {
    if (!asks_(host)) continue;
    const auto known = hosts_asked_.find(ref);
    if (known != hosts_asked_.end() && known->second.first == host &&
        now - known->second.second < kOptionPeriod)
      continue;
    hosts_asked_[ref] = {host, now};
    const auto value = query_option(client_, host.option_manager, stop);
    if (!value) continue;
    const std::lock_guard lock(mutex_);
    changed = options_.set(ref, *value) || changed;
  }
  return changed;
}

void Follower::suspect(const Ref& distributed_switch, const std::string& port_key,
                       const std::stop_token& stop) {
  const auto ports = fetch_ports(client_, distributed_switch, {port_key}, stop);
  const std::lock_guard lock(mutex_);
  suspects_.emplace(distributed_switch, port_key);
  if (!ports || !latest_) return;  // The thread asks again.
  for (const DvPort& port : *ports)
    latest_->asked.set({distributed_switch, port.key}, without_counters(port));
}

seconds Follower::longest_wait() {
  const std::lock_guard lock(mutex_);
  return suspects_.empty() ? kWait : kSuspectWait;
}

/// Asks for the ports of port groups with promiscuous mode, and for the suspects.
Result<AskedPorts> Follower::ask(const Inventory& inventory, const std::stop_token& stop) {
  std::map<Ref, std::vector<std::string>> keys;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [ref, key] : suspects_) keys[ref].push_back(key);
  }
  std::set<std::string> promiscuous;
  for (const auto& [ref, group] : inventory.port_groups)
    if (group.promiscuous && !group.uplink) promiscuous.insert(group.key);
  if (!promiscuous.empty())
    for (const auto& [ref, machine] : inventory.machines)
      for (const Nic& nic : machine.nics) {
        if (!promiscuous.contains(nic.backing.portgroup_key)) continue;
        for (const auto& [of, dvs] : inventory.switches)
          if (dvs.uuid == nic.backing.switch_uuid && !nic.backing.port_key.empty())
            keys[of].push_back(nic.backing.port_key);
      }
  AskedPorts out;
  for (const auto& [ref, of_switch] : keys) {
    auto ports = fetch_ports(client_, ref, of_switch, stop);
    if (!ports) return tl::unexpected(ports.error());
    for (DvPort& port : *ports) {
      const auto key = std::pair(ref, port.key);
      const bool is_promiscuous = port.promiscuous;
      out.set(key, without_counters(std::move(port)));
      const std::lock_guard lock(mutex_);
      if (!is_promiscuous) suspects_.erase(key);
    }
  }
  return out;
}

void Follower::run(const std::stop_token& stop) {
  milliseconds pause = kFirstPause;
  bool first = true;
  while (!stop.stop_requested()) {
    auto polled = watch_.poll(longest_wait(), stop);
    std::optional<Error> error;
    bool changed = first;
    if (polled) {
      changed = changed || *polled;
      error = blindness(watch_, client_.url());
      if (error) watch_.end();  // Nothing tells that the account may see more.
      if (auto asked = ask(watch_.inventory(), stop); !asked) {
        error = asked.error();
      } else if (!(*asked == asked_)) {
        asked_ = std::move(*asked);
        changed = true;
      }
      changed = ask_options(watch_.inventory(), stop) || changed;
      if (const auto alive = client_.keep_alive(stop); !alive) error = alive.error();
    } else {
      error = polled.error();
    }
    if (stop.stop_requested()) return;
    Reading reading;
    if (!error) {
      const auto session = client_.session(stop);
      reading = {watch_.inventory(), asked_, session ? (*session)->product : std::string()};
    }
    {
      const std::lock_guard lock(mutex_);
      reading.options = options_;
      changed = changed || latest_.has_value() == error.has_value();
      if (error)
        latest_ = tl::unexpected(*error);
      else
        latest_ = std::move(reading);
      tried_ = true;
    }
    first = false;
    wake_.notify_all();
    if (changed) changed_();
    if (!error) {
      pause = kFirstPause;
      continue;
    }
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, stop, pause, [] { return false; });
    pause = std::min(pause * 2, kMostPause);
  }
}

}  // namespace vmirror::vsphere
