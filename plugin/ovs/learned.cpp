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

namespace {

/// It was learned on another port of the bridge.
bool is_elsewhere(const LearnedOf& bridge, const Mac& mac, std::int64_t port) {
  return std::ranges::any_of(
      bridge, [&](const auto& entry) { return entry.first != port && entry.second.contains(mac); });
}

}  // namespace

void PortNamer::name(Observed& world, const NamelessPorts& ports, const Learned& learned) {
  std::erase_if(known_, [&](const auto& entry) { return !ports.contains(entry.first); });
  for (const auto& [key, number] : ports) {
    Switch& sw = world.switches[key.switch_name];
    Port port = sw.ports.at(key.port);
    Known& known = known_[key];
    if (known.id != port.id) known = {port.id, learned.number, {}};
    const auto bridge = learned.bridges.find(key.switch_name);
    const bool is_told = bridge != learned.bridges.end() && learned.number > known.since;
    if (is_told) {
      const auto at = bridge->second.find(number);
      const std::size_t count = at == bridge->second.end() ? 0 : at->second.size();
      if (count == 1)
        known.mac = *at->second.begin();
      else if (count > 1 || (known.mac && is_elsewhere(bridge->second, *known.mac, number)))
        known.mac.reset();
      port.mac_unknown =
          count > 1 ? "the switch has learned " + std::to_string(count) + " addresses on it"
                    : "it has sent nothing yet";
    } else {
      port.mac_unknown = learned.error
                             ? "what the switch has learned can't be read: " + learned.error->text()
                             : "what the switch has learned was not read yet";
    }
    port.mac = known.mac;
    if (port.mac) port.mac_unknown.clear();
    sw.ports.set(key.port, std::move(port));
  }
}

}  // namespace vmirror::ovs
