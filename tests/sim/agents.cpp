// Agents of many hosts in one process. Of each agent all that meets the store is the product's: the
// link, the control thread with its stages, the report. The switch is a fake one with guests'
// ports. What binds them is what agent/app binds them with, without an engine and without an API.
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <filesystem>
#include <iostream>
#include <optional>
#include <random>

#include "agent/control/loop/control.hpp"
#include "agent/control/store/link.hpp"
#include "plugin/fake/driver.hpp"
#include "tests/sim/parts.hpp"

namespace vmirror::sim {

namespace asio = boost::asio;
namespace json = boost::json;

namespace {

constexpr std::chrono::milliseconds kTick{1000};  // As the daemon's.

Port port_of(std::size_t host, std::size_t nic) {
  Port out;
  out.name = nic_name(nic);
  out.mac = Mac{{0x52, 0x54}};
  out.mac->octets[2] = static_cast<std::uint8_t>(host >> 8);
  out.mac->octets[3] = static_cast<std::uint8_t>(host);
  out.mac->octets[4] = static_cast<std::uint8_t>(nic >> 8);
  out.mac->octets[5] = static_cast<std::uint8_t>(nic);
  out.vm = "guest-" + std::to_string(host) + "-" + std::to_string(nic);
  out.link_up = true;
  return out;
}

class Agent {
 public:
  Agent(asio::io_context& io, const PartOptions& options, std::size_t number)
      : io_(io), number_(number), name_(host_name(number)), tick_(io) {
    world_->edit([&](FakeWorld::Switches& switches) {
      Switch& sw = switches["br0"].sw;
      sw.name = "br0";
      sw.kind = "fake";
      for (std::size_t nic = 0; nic < options.nics; ++nic)
        sw.ports[nic_name(nic)] = port_of(number, nic);
    });
    ControlOptions control;
    control.host = name_;
    control.on_round = [this](const auto&) { asio::post(io_, [this] { on_round(); }); };
    control_ = std::make_unique<Control>(std::move(control), make_fake_driver(world_, "vmirror"));
    StoreOptions store;
    store.servers = options.servers;
    store.relays = options.relays;
    store.insecure = true;
    store.host = name_;
    store.state = options.state + "/" + name_;
    std::filesystem::create_directories(store.state);
    auto link =
        StoreLink::start(store, wall_clock(), [this] { asio::post(io_, [this] { look(); }); });
    if (!link) throw std::runtime_error(link.error().text());
    link_ = std::move(*link);
    // Agents of many hosts do not tick together.
    tick_.expires_after(std::chrono::milliseconds(std::random_device()() % kTick.count()));
    tick_.async_wait([this](auto) { on_tick(); });
  }

  StoreStatus status() const { return link_->status(); }
  const std::string& name() const { return name_; }
  void plug(std::size_t guest_of, std::size_t nic, bool in) {
    world_->edit([&](FakeWorld::Switches& switches) {
      auto& ports = switches["br0"].sw.ports;
      if (in)
        ports[nic_name(nic)] = port_of(guest_of, nic);
      else
        ports.erase(nic_name(nic));
    });
  }

 private:
  void look() {
    const bool news = link_->look(wall_clock());
    if (!link_->known() || (!news && set_)) return;
    std::vector<Policy> policies;
    for (const PolicyFile& file : link_->files())
      if (file.policy) policies.push_back(*file.policy);
    set_ = control_->set_policies(std::move(policies));
    generation_ = link_->generation();
  }

  void report(bool settled_only) {
    if (!set_ || !control_->acts_on(*set_)) return;
    const auto known = control_->snapshot();
    if (settled_only &&
        (!known->in_sync() || (known->sessions == told_ && told_of_ == generation_)))
      return;
    if (!link_->takes_report(wall_clock())) return;
    told_ = known->sessions;
    told_of_ = generation_;
    link_->report(report_of({.host = name_,
                             .driver = "fake",
                             .version = "sim",
                             .control = *known,
                             .policies = link_->files(),
                             .generation = generation_}),
                  wall_clock());
  }

  void on_round() { report(true); }

  void on_tick() {
    look();
    report(false);
    tick_.expires_after(kTick);
    tick_.async_wait([this](auto error) {
      if (!error) on_tick();
    });
  }

  asio::io_context& io_;
  const std::size_t number_;
  const std::string name_;
  std::shared_ptr<FakeWorld> world_ = std::make_shared<FakeWorld>();
  std::unique_ptr<Control> control_;
  std::unique_ptr<StoreLink> link_;
  std::optional<std::uint64_t> set_;
  std::int64_t generation_ = 0;
  PersistentMap<std::string, SessionStatus> told_;  ///< Handed over last, and of which generation.
  std::int64_t told_of_ = 0;
  asio::steady_timer tick_;
};

}  // namespace

int run_agents(const PartOptions& options) {
  serve_hosts<Agent>(options, [](const auto& agents) -> json::object {
    std::size_t connected = 0, reports = 0;
    json::array errors;
    for (const auto& agent : agents) {
      const StoreStatus is = agent->status();
      connected += is.connected ? 1 : 0;
      reports += is.reports;
      if (!is.error.empty() && errors.size() < 3) errors.push_back(json::string(is.error));
    }
    return {{"connected", connected}, {"reports", reports}, {"errors", std::move(errors)}};
  });
  return 0;
}

}  // namespace vmirror::sim
