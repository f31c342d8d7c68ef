#include "plugin/fake/driver.hpp"

#include <utility>

#include "plugin/api/pack.hpp"

namespace vmirror {
namespace {

constexpr std::size_t kMirrorsPerSwitch = 32;

Error unreachable() {
  return {Error::Kind::unreachable, "the switch doesn't answer", "fake", "wait"};
}

std::string owner_of(const std::map<std::string, std::string>& owners, const std::string& name) {
  const auto it = owners.find(name);
  return it == owners.end() ? std::string() : it->second;
}

Output tunnel(const std::string& owner, const Switch& sw, std::string key, std::string type,
              const IpAddress& remote, std::optional<std::uint32_t> id) {
  Output out;
  out.key = std::move(key);
  out.port = owner + "-" + out.key;
  out.session_id = id;
  out.ours = OutputPort{out.port, sw.name, std::move(type), {{"remote_ip", remote.text()}}};
  if (id) out.ours->options["key"] = std::to_string(*id);
  return out;
}

}  // namespace

FakeWorld::FakeWorld()
    : capabilities_{"a fake switch", kMirrorsPerSwitch, true, false, true, true, true} {}

void FakeWorld::edit(const std::function<void(Switches&)>& change) {
  std::unique_lock lock(mutex_);
  change(switches_);
  changed(lock);
}

/// Settles what a real switch would by itself, and hints without holding the lock.
void FakeWorld::changed(std::unique_lock<std::mutex>& lock) {
  revision_++;
  progress_.asked++;
  if (working_) progress_.done = progress_.asked;
  for (auto& [name, owned] : switches_) {
    for (const auto& [port_name, port] : PersistentMap(owned.sw.ports))
      if (port.id.empty()) owned.sw.ports[port_name].id = "port-" + std::to_string(++ports_made_);
    const auto& ports = owned.sw.ports;
    const auto forget_gone = [&](PersistentSet<std::string>& selected) {
      for (const std::string& port : PersistentSet(selected))
        if (!ports.contains(port)) selected.erase(port);
    };
    for (auto& [mirror_name, mirror] : owned.sw.mirrors) {
      forget_gone(mirror.in_ports);
      forget_gone(mirror.out_ports);
      if (!ports.contains(mirror.output_port)) mirror.output_port.clear();
    }
  }
  const auto hints = hints_;
  lock.unlock();
  for (const auto& [driver, hint] : hints) hint();
  lock.lock();
}

void FakeWorld::arm(std::size_t n, Fault fault) {
  const std::lock_guard lock(mutex_);
  countdown_ = n;
  fault_ = fault;
  tripped_ = false;
}

bool FakeWorld::disarm() {
  const std::lock_guard lock(mutex_);
  countdown_ = 0;
  return std::exchange(tripped_, false);
}

void FakeWorld::set_reachable(bool reachable) {
  std::unique_lock lock(mutex_);
  reachable_ = reachable;
  changed(lock);
}

void FakeWorld::set_working(bool working) {
  std::unique_lock lock(mutex_);
  working_ = working;
  changed(lock);
}

void FakeWorld::set_silent_since(Time since) {
  std::unique_lock lock(mutex_);
  progress_.silent_since = since;
  changed(lock);
}

void FakeWorld::set_capabilities(const Capabilities& capabilities) {
  std::unique_lock lock(mutex_);
  capabilities_ = capabilities;
  changed(lock);
}

/// Counts one operation; its fault, if it has one. Under the lock.
std::optional<FakeWorld::Fault> FakeWorld::next_operation() {
  if (countdown_ == 0 || --countdown_ != 0) return {};
  tripped_ = true;
  return fault_;
}

class FakeDriver final : public Driver {
 public:
  FakeDriver(std::shared_ptr<FakeWorld> world, std::string owner)
      : world_(std::move(world)), owner_(std::move(owner)) {}

  ~FakeDriver() override {
    const std::lock_guard lock(world_->mutex_);
    world_->hints_.erase(this);
  }

  std::string_view name() const override { return "fake"; }

  Result<std::shared_ptr<const Observed>> observe() override {
    const std::lock_guard lock(world_->mutex_);
    if (world_->next_operation() || !world_->reachable_) return tl::unexpected(unreachable());
    auto out = std::make_shared<Observed>();
    out->revision = world_->revision_;
    out->capabilities = world_->capabilities_;
    out->progress = world_->progress_;
    for (const auto& [name, owned] : world_->switches_) {
      Switch sw = owned.sw;
      for (const auto& [port_name, port] : owned.sw.ports)
        if (owner_of(owned.port_owner, port_name) == owner_) sw.ports[port_name].owned = true;
      for (auto& [mirror_name, mirror] : sw.mirrors)
        mirror.owned = owner_of(owned.mirror_owner, mirror_name) == owner_;
      if (const auto it = owned.vlan_owner.find(owner_); it != owned.vlan_owner.end())
        sw.owned_unlearned_vlans = it->second;
      out->switches.emplace(name, std::move(sw));
    }
    return out;
  }

  std::unique_ptr<Realiser> realiser() const override {
    return std::make_unique<Realiser>(
        owner_,
        [owner = owner_](const Demand& demand, const Landmarks& landmarks, const Observed&) {
          // Of each monitor NIC asked for: the port that has it.
          std::map<PortKey, std::string> monitors;
          OutputRules rules;
          for (const auto& [key, share] : demand) {
            const auto* local = std::get_if<LocalTarget>(&key.second);
            if (!local || !local->monitor_nic) continue;
            const auto at = landmarks.by_mac.find(*local->monitor_nic);
            if (at == landmarks.by_mac.end()) continue;
            for (const PortKey& port : at->second)
              if (port.switch_name == key.first)
                monitors[{key.first, local->monitor_nic->text()}] = port.port;
          }
          for (const auto& [key, port] : monitors)
            rules.basis += key.switch_name + " " + key.port + " " + port + "\n";
          rules.find = [owner, monitors](const Session& s, const Switch& sw) {
            return find_output(owner, monitors, s, sw);
          };
          return rules;
        });
  }

  Result<void> apply(std::span<const Step> steps) override {
    std::unique_lock lock(world_->mutex_);
    if (!world_->reachable_) return tl::unexpected(unreachable());
    for (const Step& step : steps) {
      const auto fault = world_->next_operation();
      if (fault == FakeWorld::Fault::fail)
        return fail(Error::Kind::refused, "the switch refused the step", step.text());
      const auto at = world_->switches_.find(step.switch_name());
      if (at == world_->switches_.end())
        return fail(Error::Kind::missing, "there is no such switch", step.switch_name());
      const auto done =
          std::visit([&](const auto& change) { return put(change, at->second); }, step.change);
      if (!done) return done;
      world_->changed(lock);
      if (fault) return tl::unexpected(unreachable());
    }
    return {};
  }

  void on_change(std::function<void()> hint) override {
    const std::lock_guard lock(world_->mutex_);
    world_->hints_[this] = std::move(hint);
  }

 private:
  using OwnedSwitch = FakeWorld::OwnedSwitch;

  static Result<Output> find_output(const std::string& owner,
                                    const std::map<PortKey, std::string>& monitors,
                                    const Session& s, const Switch& sw) {
    if (const auto* erspan = std::get_if<ErspanTarget>(&s.target)) {
      const std::uint32_t id = erspan->session.value_or(
          std::stoul(short_hash(sw.name + erspan->address.text(), 4), nullptr, 16) % 1023 + 1);
      return tunnel(owner, sw, to_text(s.target) + "-" + std::to_string(id), "erspan",
                    erspan->address, id);
    }
    if (const auto* gre = std::get_if<GreTarget>(&s.target))
      return tunnel(owner, sw, to_text(s.target), "gre", gre->address, gre->key);
    Output out;
    out.key = to_text(s.target);
    if (const auto* rspan = std::get_if<RspanTarget>(&s.target)) {
      out.vlan = rspan->vlan;
      return out;
    }
    if (const auto nic = std::get<LocalTarget>(s.target).monitor_nic) {
      if (const auto at = monitors.find({sw.name, nic->text()}); at != monitors.end())
        out.port = at->second;
      if (out.port.empty())
        return fail(Error::Kind::missing, "no port has the monitor NIC's MAC " + nic->text(),
                    sw.name);
      return out;
    }
    out.port = owner + "-local";
    out.ours = OutputPort{out.port, sw.name, "internal", {}};
    return out;
  }

  Result<void> foreign(const std::string& what, const std::string& name) const {
    return fail(Error::Kind::refused, what + " `" + name + "` isn't ours", "fake");
  }
  bool mine(const std::map<std::string, std::string>& owners, const std::string& name) const {
    return owner_of(owners, name) == owner_;
  }

  Result<void> put(const PutPort& put, OwnedSwitch& on) {
    const OutputPort& wanted = put.port;
    const bool is_new = !on.sw.ports.contains(wanted.name);
    if (!is_new && !mine(on.port_owner, wanted.name)) return foreign("port", wanted.name);
    Port& port = on.sw.ports[wanted.name];
    port.name = wanted.name;
    port.type = wanted.type;
    port.options = wanted.options;
    port.link_up = true;
    on.port_owner[wanted.name] = owner_;
    return {};
  }
  Result<void> put(const RemovePort& remove, OwnedSwitch& on) {
    if (!on.sw.ports.contains(remove.name)) return {};
    if (!mine(on.port_owner, remove.name)) return foreign("port", remove.name);
    on.sw.ports.erase(remove.name);
    on.port_owner.erase(remove.name);
    return {};
  }
  Result<void> put(const PutMirror& put, OwnedSwitch& on) {
    const std::string& name = put.mirror.name;
    const bool is_new = !on.sw.mirrors.contains(name);
    if (!is_new && !mine(on.mirror_owner, name)) return foreign("mirror", name);
    if (is_new && on.sw.mirrors.size() >= kMirrorsPerSwitch)
      return fail(Error::Kind::exhausted, "the switch holds no more mirrors", on.sw.name);
    if (!put.mirror.output_vlan && !on.sw.ports.contains(put.mirror.output_port))
      return fail(Error::Kind::missing, "no port `" + put.mirror.output_port + "`", on.sw.name);
    on.sw.mirrors[name] = put.mirror;
    on.mirror_owner[name] = owner_;
    return {};
  }
  Result<void> put(const RemoveMirror& remove, OwnedSwitch& on) {
    if (!on.sw.mirrors.contains(remove.name)) return {};
    if (!mine(on.mirror_owner, remove.name)) return foreign("mirror", remove.name);
    on.sw.mirrors.erase(remove.name);
    on.mirror_owner.erase(remove.name);
    return {};
  }
  Result<void> put(const PutUnlearnedVlans& put, OwnedSwitch& on) {
    std::set<std::uint16_t>& ours = on.vlan_owner[owner_];
    for (const std::uint16_t vlan : ours) on.sw.unlearned_vlans.erase(vlan);
    ours = put.vlans;
    on.sw.unlearned_vlans.insert(ours.begin(), ours.end());
    return {};
  }

  Result<void> put(const PutKeptOff& put, OwnedSwitch&) {
    return fail(Error::Kind::unsupported, "the fake switch floods no VLAN", put.port);
  }

  const std::shared_ptr<FakeWorld> world_;
  const std::string owner_;
};

std::unique_ptr<Driver> make_fake_driver(std::shared_ptr<FakeWorld> world, std::string owner) {
  return std::make_unique<FakeDriver>(std::move(world), std::move(owner));
}

}  // namespace vmirror
