#include "plugin/ovs/learned.hpp"

#include <algorithm>
#include <csignal>
#include <sstream>
#include <utility>

namespace vmirror::ovs {

LearnedOf parse_learned(std::string_view table) {
  LearnedOf out;
  std::istringstream lines{std::string(table)};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::int64_t port = 0;
    unsigned vlan = 0;
    std::string address;
    if (!(words >> port >> vlan >> address)) continue;
    if (const auto mac = Mac::parse(address)) out[port].insert(*mac);
  }
  return out;
}

// ---- The reader

LearnedReader::LearnedReader(const std::string& remote, std::function<void()> hint)
    : socket_(remote), hint_(std::move(hint)) {
  sigset_t all, before;  // Signals are the main thread's.
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  thread_ = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

LearnedReader::~LearnedReader() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void LearnedReader::watch(std::set<std::string> bridges) {
  const std::lock_guard lock(mutex_);
  if (bridges == bridges_) return;
  bridges_ = std::move(bridges);
  wake_.notify_all();
}

std::shared_ptr<const Learned> LearnedReader::latest() const {
  const std::lock_guard lock(mutex_);
  return latest_;
}

Learned LearnedReader::read(const std::set<std::string>& bridges) const {
  Learned out;
  for (const std::string& bridge : bridges) {
    const auto table = socket_.call("fdb/show", {bridge}, kLearnedPatience);
    if (table)
      out.bridges[bridge] = parse_learned(*table);
    else
      out.error = table.error();
  }
  return out;
}

void LearnedReader::run() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    const std::set<std::string> bridges = bridges_;
    if (bridges.empty()) {
      wake_.wait(lock, [this] { return stop_ || !bridges_.empty(); });
      continue;
    }
    lock.unlock();
    Learned next = read(bridges);
    lock.lock();
    next.number = latest_->number + 1;
    const bool differs = next.bridges != latest_->bridges || next.error != latest_->error;
    latest_ = std::make_shared<const Learned>(std::move(next));
    lock.unlock();
    if (differs) hint_();
    lock.lock();
    wake_.wait_for(lock, kLearnedEvery, [&] { return stop_ || bridges_ != bridges; });
  }
}

// ---- Whose a port is

bool PortNamer::is_learned(const std::string& bridge, const Mac& mac, const Learned& learned) {
  if (std::exchange(learned_number_, learned.number) != learned.number) learned_.clear();
  const auto [at, is_new] = learned_.try_emplace(bridge);
  if (is_new)
    for (const auto& [port, macs] : learned.bridges.at(bridge))
      at->second.insert(macs.begin(), macs.end());
  return at->second.contains(mac);
}

void PortNamer::name(const PortKey& key, std::int64_t number, Port& port, const Learned& learned) {
  Known& known = known_[key];
  if (known.id != port.id) known = {port.id, learned.number, {}};
  const auto bridge = learned.bridges.find(key.switch_name);
  if (bridge != learned.bridges.end() && learned.number > known.since) {
    untold_.erase(key);
    const auto at = bridge->second.find(number);
    const std::size_t count = at == bridge->second.end() ? 0 : at->second.size();
    if (count == 1)
      known.mac = *at->second.begin();
    else if (count > 1 || (known.mac && is_learned(key.switch_name, *known.mac, learned)))
      known.mac.reset();  // It shows several, or its own is another port's now.
    port.mac_unknown = count > 1
                           ? "the switch has learned " + std::to_string(count) + " addresses on it"
                           : "it has sent nothing yet";
  } else {
    untold_.insert(key);
    port.mac_unknown = learned.error
                           ? "what the switch has learned can't be read: " + learned.error->text()
                           : "what the switch has learned was not read yet";
  }
  port.mac = known.mac;
  if (port.mac) port.mac_unknown.clear();
}

void PortNamer::forget(const PortKey& key) {
  known_.erase(key);
  untold_.erase(key);
}

}  // namespace vmirror::ovs
