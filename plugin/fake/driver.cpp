#include "plugin/fake/driver.hpp"

#include <algorithm>
#include <utility>

#include "plugin/api/mirror_object.hpp"
#include "plugin/api/pack.hpp"
#include "plugin/fake/mode_realiser.hpp"
#include "plugin/fake/objects.hpp"

namespace vmirror {
namespace {

constexpr std::size_t kMirrorsPerSwitch = 32;
/// Observations until a task ends.
constexpr int kLooks = 3;

Error unreachable() {
  return {Error::Kind::unreachable, "the switch doesn't answer", "fake", "wait"};
}

std::string owner_of(const std::map<std::string, std::string>& owners, const std::string& name) {
  const auto it = owners.find(name);
  return it == owners.end() ? std::string() : it->second;
}

Capabilities capabilities_of(FakeProfile profile) {
  using enum TargetKind;
  Capabilities can{.version = "a fake switch", .mirrors = kMirrorsPerSwitch};
  switch (profile) {
    case FakeProfile::transaction:
      can.targets = {local, erspan2, erspan3, gre, rspan};
      can.snaplen = SnaplenRange{14, 65535};
      can.proofs = {ProofSource::engine, ProofSource::mirror_counter, ProofSource::collector};
      break;
    case FakeProfile::task:
      can.version = "a fake task switch";
      can.targets = {erspan2, erspan3, gre};
      can.snaplen = SnaplenRange{60, 65535};
      can.proofs = {ProofSource::collector};
      break;
    case FakeProfile::mode:
      can.version = "a fake mode switch";
      can.targets = {local};
      can.one_direction = false;
      can.proofs = {ProofSource::engine};
      break;
  }
  return can;
}

/// The session ID of an ERSPAN target, which the fake chooses where nobody asks for one.
std::uint32_t id_of(const ErspanTarget& target, const std::string& switch_name) {
  return target.session.value_or(
      std::stoul(short_hash(switch_name + target.address.text(), 4), nullptr, 16) % 1023 + 1);
}

OutputChoice tunnel(const std::string& owner, const Switch& sw, std::string key, std::string type,
                    const IpAddress& remote, std::optional<std::uint32_t> id) {
  const std::string name = owner + "-" + key;
  OutputChoice out{.key = std::move(key), .to = PortOutput{name}};
  out.session_id = id;
  out.own_ports = {name};
  out.needs = {
      {ObjectKey{sw.name, fake::kPortKind, name},
       {std::make_shared<const fake::PortValue>(std::move(type), TunnelEnd{remote.text(), id})}}};
  return out;
}

}  // namespace

FakeWorld::FakeWorld(FakeProfile profile)
    : profile_(profile), capabilities_(capabilities_of(profile)) {}

void FakeWorld::edit(const std::function<void(Switches&)>& change) {
  std::unique_lock lock(mutex_);
  change(switches_);
  for (auto& [name, on] : switches_) ++on.version;
  changed(lock);
}

/// Settles what a real switch would by itself, and hints without holding the lock.
void FakeWorld::changed(std::unique_lock<std::mutex>& lock, const std::string& switch_name) {
  revision_++;
  asked_++;
  if (working_) progress_.done = asked_;
  progress_.behind = progress_.done < asked_;
  for (auto& [name, owned] : switches_) {
    if (name == switch_name) ++owned.version;
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
      const bool to_port = mirror.output && std::holds_alternative<PortOutput>(*mirror.output);
      if (to_port && !ports.contains(mirror.output_port())) mirror.output.reset();
    }
    std::erase_if(owned.modes, [&](const auto& mode) { return !ports.contains(mode.first); });
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
    std::unique_lock lock(world_->mutex_);
    if (world_->next_operation() || !world_->reachable_) return tl::unexpected(unreachable());
    end_tasks(lock);
    auto out = std::make_shared<Observed>();
    out->revision = world_->revision_;
    out->progress = world_->progress_;
    for (const auto& [name, on] : world_->switches_) show(*out, name, on);
    out->submissions = world_->ended_[owner_];
    for (const FakeWorld::Task& task : world_->tasks_)
      if (task.owner == owner_) out->submissions[task.ticket] = {};
    return out;
  }

  std::unique_ptr<Realiser> realiser() const override {
    if (world_->profile_ == FakeProfile::mode) return fake::make_mode_realiser();
    const bool has_ports = world_->profile_ == FakeProfile::transaction;
    return std::make_unique<Packer>(
        owner_, [owner = owner_, has_ports](const Demand& demand, const Landmarks& landmarks,
                                            const Observed&) {
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
          rules.find = [owner, monitors, has_ports](const Session& s, const Switch& sw) {
            return has_ports ? find_output(owner, monitors, s, sw) : find_address(s, sw);
          };
          return rules;
        });
  }

  Result<Ticket> submit(std::span<const Step> steps) override {
    std::unique_lock lock(world_->mutex_);
    if (!world_->reachable_) return tl::unexpected(unreachable());
    world_->ended_[owner_].clear();
    const Ticket ticket = ++world_->tickets_;
    if (world_->profile_ == FakeProfile::task) return begin_tasks(steps, ticket);
    for (const Step& step : steps) {
      const auto fault = world_->next_operation();
      if (fault == FakeWorld::Fault::fail)
        return fail(Error::Kind::refused, "the switch refused the step", step.text());
      if (const auto done = carry_out(step); !done) return tl::unexpected(done.error());
      world_->changed(lock, step.key.switch_name);
      if (fault) return tl::unexpected(unreachable());
    }
    world_->ended_[owner_][ticket] = {Submission::State::settled, {}};
    return ticket;
  }

  void on_change(std::function<void()> hint) override {
    const std::lock_guard lock(world_->mutex_);
    world_->hints_[this] = std::move(hint);
  }

 private:
  using OwnedSwitch = FakeWorld::OwnedSwitch;

  // ---- What is there

  void show(Observed& out, const std::string& name, const OwnedSwitch& on) const {
    Switch sw = on.sw;
    sw.kind = "fake";
    sw.capabilities = world_->capabilities_;
    if (world_->profile_ == FakeProfile::task) sw.revision = std::to_string(on.version);
    const auto put = [&](const char* kind, const std::string& object, auto value,
                         const std::string& owner) {
      out.objects.set({name, kind, object}, {{std::move(value)}, owner == owner_});
    };
    for (const auto& [port_name, port] : on.sw.ports) {
      const std::string owner = owner_of(on.port_owner, port_name);
      if (owner == owner_) sw.ports[port_name].owned = true;
      put(fake::kPortKind, port_name,
          std::make_shared<const fake::PortValue>(port.type, port.tunnel), owner);
    }
    for (auto& [mirror_name, mirror] : sw.mirrors) {
      const std::string owner = owner_of(on.mirror_owner, mirror_name);
      mirror.owned = owner == owner_;
      ObservedObject is{{std::make_shared<const MirrorValue>(mirror)}, mirror.owned};
      if (!mirror.output_port().empty())
        is.object.needs = {{name, fake::kPortKind, mirror.output_port()}};
      out.objects.set(mirror_key(name, mirror_name), std::move(is));
    }
    for (const auto& [vlan, owner] : on.unlearned)
      put(fake::kUnlearnedKind, std::to_string(vlan), std::make_shared<const fake::VlanValue>(),
          owner);
    Mirror monitor;
    monitor.name = fake::kModeMirror;
    monitor.switch_name = name;
    for (const auto& [port, mode] : on.modes) {
      put(fake::kModeKind, port, std::make_shared<const fake::ModeValue>(mode.first), mode.second);
      monitor.owned = monitor.owned || mode.second == owner_;
      if (mode.first == NicMode::destination) {
        monitor.output = MonitorOutput{port};
      } else {
        monitor.in_ports.insert(port);
        monitor.out_ports.insert(port);
      }
    }
    if (!on.modes.empty()) sw.mirrors[monitor.name] = std::move(monitor);
    out.switches.emplace(name, std::move(sw));
  }

  // ---- Outputs

  static Result<OutputChoice> find_address(const Session& s, const Switch& sw) {
    OutputChoice out{.key = to_text(s.target), .to = AddressOutput{}};
    if (const auto* erspan = std::get_if<ErspanTarget>(&s.target)) {
      ErspanTarget to = *erspan;
      to.session = static_cast<std::uint16_t>(id_of(to, sw.name));
      out.session_id = to.session;
      out.key += "-" + std::to_string(*to.session);
      out.to = AddressOutput{to};
    } else {
      const auto& to = std::get<GreTarget>(s.target);
      out.session_id = to.key;
      out.to = AddressOutput{to};
    }
    return out;
  }

  static Result<OutputChoice> find_output(const std::string& owner,
                                          const std::map<PortKey, std::string>& monitors,
                                          const Session& s, const Switch& sw) {
    if (const auto* erspan = std::get_if<ErspanTarget>(&s.target)) {
      const std::uint32_t id = id_of(*erspan, sw.name);
      return tunnel(owner, sw, to_text(s.target) + "-" + std::to_string(id), "erspan",
                    erspan->address, id);
    }
    if (const auto* gre = std::get_if<GreTarget>(&s.target))
      return tunnel(owner, sw, to_text(s.target), "gre", gre->address, gre->key);
    OutputChoice out{.key = to_text(s.target), .to = PortOutput{}};
    if (const auto* rspan = std::get_if<RspanTarget>(&s.target)) {
      out.to = VlanOutput{rspan->vlan};
      out.needs = {{ObjectKey{sw.name, fake::kUnlearnedKind, std::to_string(rspan->vlan)},
                    {std::make_shared<const fake::VlanValue>()}}};
      return out;
    }
    if (const auto nic = std::get<LocalTarget>(s.target).monitor_nic) {
      const auto at = monitors.find({sw.name, nic->text()});
      if (at == monitors.end())
        return fail(Error::Kind::missing, "no port has the monitor NIC's MAC " + nic->text(),
                    sw.name);
      out.to = PortOutput{at->second};
      return out;
    }
    const std::string name = owner + "-local";
    out.to = PortOutput{name};
    out.own_ports = {name};
    out.needs = {{ObjectKey{sw.name, fake::kPortKind, name},
                  {std::make_shared<const fake::PortValue>("internal", std::nullopt)}}};
    return out;
  }

  // ---- Steps

  Result<void> foreign(const Step& step) const {
    return fail(Error::Kind::refused, to_text(step.key) + " isn't ours", "fake");
  }
  bool mine(const std::map<std::string, std::string>& owners, const std::string& name) const {
    return owner_of(owners, name) == owner_;
  }

  Result<void> carry_out(const Step& step) {
    const auto at = world_->switches_.find(step.key.switch_name);
    if (at == world_->switches_.end())
      return fail(Error::Kind::missing, "there is no such switch", step.key.switch_name);
    if (step.key.kind == kMirrorKind) return change_mirror(step, at->second);
    if (step.key.kind == fake::kModeKind) return change_mode(step, at->second);
    if (step.key.kind == fake::kUnlearnedKind) return change_vlan(step, at->second);
    return change_port(step, at->second);
  }

  Result<void> change_port(const Step& step, OwnedSwitch& on) {
    const std::string& name = step.key.name;
    const auto* wanted = value_as<fake::PortValue>(step.value.get());
    const bool is_there = on.sw.ports.contains(name);
    if (is_there && !mine(on.port_owner, name)) return foreign(step);
    if (wanted == nullptr) {
      on.sw.ports.erase(name);
      on.port_owner.erase(name);
      return {};
    }
    Port& port = on.sw.ports[name];
    port.name = name;
    port.type = wanted->type;
    port.tunnel = wanted->tunnel;
    port.link_up = true;
    on.port_owner[name] = owner_;
    return {};
  }

  Result<void> change_mirror(const Step& step, OwnedSwitch& on) {
    const std::string& name = step.key.name;
    const auto* wanted = value_as<MirrorValue>(step.value.get());
    const bool is_there = on.sw.mirrors.contains(name);
    if (is_there && !mine(on.mirror_owner, name)) return foreign(step);
    if (wanted == nullptr) {
      on.sw.mirrors.erase(name);
      on.mirror_owner.erase(name);
      return {};
    }
    if (!is_there && on.sw.mirrors.size() >= kMirrorsPerSwitch)
      return fail(Error::Kind::exhausted, "the switch holds no more mirrors", on.sw.name);
    if (const std::string& port = wanted->mirror.output_port();
        !port.empty() && !on.sw.ports.contains(port))
      return fail(Error::Kind::missing, "no port `" + port + "`", on.sw.name);
    on.sw.mirrors[name] = wanted->mirror;
    on.mirror_owner[name] = owner_;
    return {};
  }

  Result<void> change_vlan(const Step& step, OwnedSwitch& on) {
    const auto vlan = static_cast<std::uint16_t>(std::stoul(step.key.name));
    const auto is = on.unlearned.find(vlan);
    if (is != on.unlearned.end() && is->second != owner_) return foreign(step);
    if (step.value)
      on.unlearned[vlan] = owner_;
    else
      on.unlearned.erase(vlan);
    return {};
  }

  Result<void> change_mode(const Step& step, OwnedSwitch& on) {
    const std::string& name = step.key.name;
    const auto is = on.modes.find(name);
    if (is != on.modes.end() && is->second.second != owner_) return foreign(step);
    const auto* wanted = value_as<fake::ModeValue>(step.value.get());
    const Port* port = on.sw.ports.get(name);
    if (wanted == nullptr) {
      on.modes.erase(name);
      return {};
    }
    if (!port) return fail(Error::Kind::missing, "there is no such NIC", name);
    if (port->type == fake::kPassedThrough)
      return fail(Error::Kind::refused, "the NIC is passed through", name);
    on.modes[name] = {wanted->mode, owner_};
    return {};
  }

  // ---- Tasks

  /// A task for each switch.
  Result<Ticket> begin_tasks(std::span<const Step> steps, Ticket ticket) {
    const auto fault = world_->next_operation();
    if (fault == FakeWorld::Fault::fail)
      return fail(Error::Kind::refused, "the endpoint refused the task", "fake");
    std::map<std::string, FakeWorld::Task> tasks;
    for (const Step& step : steps) {
      const auto at = world_->switches_.find(step.key.switch_name);
      if (at == world_->switches_.end())
        return fail(Error::Kind::missing, "there is no such switch", step.key.switch_name);
      if (at->second.sw.mirrors.contains(step.key.name) &&
          !mine(at->second.mirror_owner, step.key.name))
        return tl::unexpected(foreign(step).error());
      FakeWorld::Task& task = tasks[step.key.switch_name];
      task = {ticket, owner_, step.key.switch_name, std::move(task.steps), kLooks};
      task.steps.push_back(step);
    }
    for (auto& [name, task] : tasks) world_->tasks_.push_back(std::move(task));
    if (tasks.empty()) world_->ended_[owner_][ticket] = {Submission::State::settled, {}};
    if (fault) return tl::unexpected(unreachable());
    return ticket;
  }

  /// Each look of this owner's brings its tasks nearer to their end.
  void end_tasks(std::unique_lock<std::mutex>& lock) {
    if (!world_->working_) return;
    std::vector<FakeWorld::Task> due;
    std::erase_if(world_->tasks_, [&](FakeWorld::Task& task) {
      if (task.owner != owner_ || --task.looks > 0) return false;
      due.push_back(std::move(task));
      return true;
    });
    for (const FakeWorld::Task& task : due) {
      Submission& is = world_->ended_[owner_]
                           .try_emplace(task.ticket, Submission{Submission::State::settled, {}})
                           .first->second;
      const Submission ended = end(task);
      if (ended.state != Submission::State::settled) is = ended;
      world_->changed(lock, task.switch_name);
    }
  }

  /// All or nothing, on the version that the steps were made from.
  Submission end(const FakeWorld::Task& task) {
    using enum Submission::State;
    const auto at = world_->switches_.find(task.switch_name);
    if (at == world_->switches_.end() || std::ranges::any_of(task.steps, [&](const Step& step) {
          return step.revision != std::to_string(at->second.version);
        }))
      return {conflict, {}};
    const auto fault = world_->next_operation();
    if (fault == FakeWorld::Fault::fail)
      return {failed, {Error::Kind::refused, "the task failed", task.switch_name, {}}};
    const OwnedSwitch before = at->second;
    for (const Step& step : task.steps)
      if (const auto done = carry_out(step); !done) {
        at->second = before;
        return {failed, done.error()};
      }
    return {fault ? failed : settled, fault ? unreachable() : Error{}};
  }

  const std::shared_ptr<FakeWorld> world_;
  const std::string owner_;
};

std::unique_ptr<Driver> make_fake_driver(std::shared_ptr<FakeWorld> world, std::string owner) {
  return std::make_unique<FakeDriver>(std::move(world), std::move(owner));
}

}  // namespace vmirror
