#include "plugin/fake/driver.hpp"
#include "tests/contract/world.hpp"

namespace vmirror::test {
namespace {

Port named(const std::string& name) {
  Port port;
  port.name = name;
  return port;
}

class FakeSubject final : public World {
 public:
  explicit FakeSubject(FakeProfile profile)
      : profile_(profile), world_(std::make_shared<FakeWorld>(profile)) {
    reset();
  }

  std::unique_ptr<Driver> connect(const std::string& owner) override {
    return make_fake_driver(world_, owner);
  }
  void add_port(const std::string& name) override {
    edit([&](auto& on) { on.sw.ports[name] = named(name); });
  }
  void remove_port(const std::string& name) override {
    edit([&](auto& on) {
      on.sw.ports.erase(name);
      on.port_owner.erase(name);
    });
  }
  void add_mirror(const std::string& name, const std::string& output) override {
    edit([&](auto& on) {
      if (profile_ == FakeProfile::mode) {
        on.modes[output] = {NicMode::source, ""};
        return;
      }
      Mirror& mirror = on.sw.mirrors[name];
      mirror.name = name;
      mirror.switch_name = "br0";
      mirror.out_ports = {"vnet0"};
      mirror.output = PortOutput{output};
    });
  }
  void remove_mirror(const std::string& name) override {
    edit([&](auto& on) {
      on.sw.mirrors.erase(name);
      on.mirror_owner.erase(name);
      std::erase_if(on.modes, [](const auto& mode) { return !mode.second.second.empty(); });
    });
  }
  void spoil_mirror(const std::string& name) override {
    edit([&](auto& on) {
      if (profile_ == FakeProfile::mode) {
        on.modes.at("vnet0").first = NicMode::destination;
        return;
      }
      on.sw.mirrors.at(name).in_ports.clear();
      on.sw.mirrors.at(name).out_ports.clear();
      on.sw.mirrors.at(name).snaplen = 100;
    });
  }
  void spoil_port(const std::string& name) override {
    edit([&](auto& on) { on.sw.ports[name].tunnel = TunnelEnd{"192.0.2.99", {}}; });
  }
  void unlearn_vlan(int vlan) override {
    edit([&](auto& on) {
      if (profile_ == FakeProfile::transaction) on.unlearned.emplace(vlan, "");
    });
  }
  void reset() override {
    world_->edit([](auto& switches) {
      switches.clear();
      switches["br0"].sw.name = "br0";
    });
    for (const char* port : {"vnet0", "vnet1", "vnet2"}) add_port(port);
    if (profile_ == FakeProfile::mode) {
      add_port("monitor");
      edit([&](auto& on) { on.sw.ports["monitor"].mac = *Mac::parse(kMonitor); });
    }
  }
  LocalTarget local() const override {
    return profile_ == FakeProfile::mode ? LocalTarget{*Mac::parse(kMonitor)} : LocalTarget{};
  }
  void set_reachable(bool reachable) override { world_->set_reachable(reachable); }
  void set_working(bool working) override { world_->set_working(working); }
  void arm(std::size_t n, Fault fault) override {
    world_->arm(n, fault == Fault::fail ? FakeWorld::Fault::fail : FakeWorld::Fault::drop);
  }
  void fail_task() override { arm(4, Fault::fail); }  // Three looks; then the task.
  bool disarm() override { return world_->disarm(); }

 private:
  void edit(const std::function<void(FakeWorld::OwnedSwitch&)>& change) {
    world_->edit([&](auto& switches) { change(switches.at("br0")); });
  }
  static constexpr const char* kMonitor = "52:54:00:00:00:99";
  const FakeProfile profile_;
  const std::shared_ptr<FakeWorld> world_;
};

Subject subject(const char* name, FakeProfile profile) {
  return {name, [] { return std::string(); },
          [profile] { return std::make_unique<FakeSubject>(profile); }};
}

}  // namespace

Subject fake_subject() {
  return subject("fake", FakeProfile::transaction);
}
Subject fake_task_subject() {
  return subject("fake_task", FakeProfile::task);
}
Subject fake_mode_subject() {
  return subject("fake_mode", FakeProfile::mode);
}

}  // namespace vmirror::test
